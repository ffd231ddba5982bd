//! Servers behind DNAT that don't announce the address that they have, but the
//! one their clients know them by, or none.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Host, Mode, Payload, ServerKind, Site,
    capture::Sides,
    firewall,
    ftp_nat::FtpNat,
    topologies::rules::{self, destination_nat},
    topology::ETH,
    wait,
};

const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
/// By what an outer NAT that maps one to one makes the gateway known.
const FURTHER_OUT: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 77);

/// ```text
///  10.10.0.5 --- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.200
/// ```
struct Lab {
    site: Site,
    client: Host,
    server: Host,
}

impl Lab {
    fn new() -> Result<Self> {
        let site = Site::new()?
            .lan("lan", &["10.10.0.254/24"])?
            .wan("wan", &["61.144.1.2/24"])?;
        let client = site.host("client", "wan", &["61.144.1.200/24"])?;
        let server = site.host("server", "lan", &["10.10.0.5/24"])?;
        rules::forward(&site.gateway, rules::ORDINARY)?;
        destination_nat(
            &site.gateway,
            "iifname wan tcp dport 21 dnat ip to 10.10.0.5",
        )?;
        Ok(Self {
            site,
            client,
            server,
        })
    }
}

/// Transfers with a server that announces `address`; gives how many of its
/// announcements were changed on the way.
fn transfers(lab: &Lab, ftp_nat: &FtpNat, kind: ServerKind, address: Ipv4Addr) -> Result<usize> {
    let server = lab.server.serve(kind).passive_address(address).start()?;
    let target = server.target(SocketAddr::new(PUBLIC.into(), 21));
    let captures = (lab.client.capture(ETH)?, lab.server.capture(ETH)?);
    let used = ftp_nat.counter("expectations_used")?;
    let down = server.publish_random("down.bin", 73, 300_001)?;
    for client in [Client::Curl, Client::Lftp] {
        let session = lab.client.ftp(client).mode(Mode::Pasv).to(&target);
        down.verify(&session.get("down.bin")?)?;
        let up = Payload::random(74, 200_003);
        session.put("up.bin", up.bytes())?;
        up.verify(&server.uploaded("up.bin")?)?;
    }
    wait::until_true("the sessions to be over", wait::PATIENCE, || {
        Ok(!lab.client.is_connected(21)? && !lab.server.is_connected(21)?)
    })?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let announced = PUBLIC.to_string().replace('.', ",");
    let edits = sides.edits(21)?;
    for edit in &edits {
        ensure!(edit.received.contains(&announced), "{edit:?}");
    }
    ensure!(ftp_nat.counter("expectations_used")? == used + 4);
    ensure!(ftp_nat.counter("refused_foreign_address")? == 0);
    ensure!(firewall::counted(&lab.site.gateway, "dropped_new")? == 0);
    Ok(edits.len())
}

/// `pasv_address`, `MasqueradeAddress`: the text is right as it is.
#[test]
fn the_address_that_its_clients_know() -> Result<()> {
    let lab = Lab::new()?;
    let ftp_nat = lab.site.ftp_nat().start()?;
    for kind in ServerKind::ALL {
        let edits = transfers(&lab, &ftp_nat, kind, PUBLIC)?;
        ensure!(edits == 0, "{}: {edits} edits", kind.name());
    }
    Ok(())
}

/// The announced port is somebody else's outside: it gets another one.
#[test]
fn with_a_port_that_is_taken() -> Result<()> {
    const PORT: u16 = 50_000;
    let lab = Lab::new()?;
    let ftp_nat = lab.site.ftp_nat().start()?;
    let _taken = lab
        .site
        .gateway
        .listen(SocketAddr::new(PUBLIC.into(), PORT))?;
    let server = lab.server.vsftpd().passive_address(PUBLIC);
    let server = server.passive_ports(PORT, PORT).start()?;
    let file = server.publish_random("file.bin", 75, 100_000)?;
    let target = server.target(SocketAddr::new(PUBLIC.into(), 21));
    let mut control = lab.client.log_in(&target)?;
    let announced = control.passive()?;
    ensure!(announced.ip() == PUBLIC && announced.port() != PORT);
    file.verify(&control.retrieve_at(announced, "file.bin")?)?;
    ensure!(ftp_nat.counter("rewrites")? == 1);
    Ok(())
}

/// In a container, or told to say nothing of itself.
#[test]
fn an_address_that_is_of_no_use_to_them() -> Result<()> {
    let lab = Lab::new()?;
    let ftp_nat = lab.site.ftp_nat().start()?;
    for address in [Ipv4Addr::new(172, 17, 0, 2), Ipv4Addr::UNSPECIFIED] {
        let edits = transfers(&lab, &ftp_nat, ServerKind::Pyftpdlib, address)?;
        ensure!(edits == 4, "{address}: {edits} edits");
    }
    Ok(())
}

/// The outside address of a NAT further up is known from `--advertise` only.
#[test]
fn the_address_of_a_nat_further_up() -> Result<()> {
    let lab = Lab::new()?;
    let server = lab.server.vsftpd().passive_address(FURTHER_OUT).start()?;
    let target = server.target(SocketAddr::new(PUBLIC.into(), 21));
    let announced = |advertise: &[&str]| -> Result<_> {
        let builder = lab.site.ftp_nat();
        let ftp_nat = advertise
            .iter()
            .fold(builder, |b, arg| b.arg(arg))
            .start()?;
        let announced = lab.client.log_in(&target)?.passive()?;
        ensure!(announced.ip() == FURTHER_OUT, "{announced} was announced");
        ftp_nat.counter("expectations_made")
    };
    ensure!(announced(&[])? == 0, "it may be anybody's");
    let advertise = format!("{PUBLIC}={FURTHER_OUT}");
    ensure!(announced(&["--advertise", &advertise])? == 1);
    Ok(())
}
