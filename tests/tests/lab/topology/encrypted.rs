//! `--ftps-passive-range`: the client of an encrypted session reaches the ports
//! that its server is declared to use, and nobody else does.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Host, Mode, Payload, Server, Site,
    control::Control,
    firewall,
    ftp_nat::FtpNat,
    scripted::{Scripted, polite},
    server::Builder,
    topologies::rules::{self, destination_nat},
    wait,
};

use crate::explain::until_told;

const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
const FIRST: u16 = 50_000;
const LAST: u16 = 50_009;
const RANGE: &str = "50000-50009";

/// ```text
///  10.10.0.5 --- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.200, .201
/// ```
struct Lab {
    site: Site,
    client: Host,
    stranger: Host,
    server: Host,
}

impl Lab {
    fn new(accepted: &str) -> Result<Self> {
        let site = Site::new()?
            .lan("lan", &["10.10.0.254/24"])?
            .wan("wan", &["61.144.1.2/24"])?;
        let client = site.host("client", "wan", &["61.144.1.200/24"])?;
        let stranger = site.host("stranger", "wan", &["61.144.1.201/24"])?;
        let server = site.host("server", "lan", &["10.10.0.5/24"])?;
        rules::forward(&site.gateway, accepted)?;
        Ok(Self {
            site,
            client,
            stranger,
            server,
        })
    }

    /// The server's control ports are forwarded, and no others.
    fn behind_dnat() -> Result<Self> {
        let lab = Self::new(rules::ORDINARY)?;
        let rule = "iifname wan tcp dport { 21, 2001-2006 } dnat ip to 10.10.0.5";
        destination_nat(&lab.site.gateway, rule)?;
        Ok(lab)
    }

    fn ftp_nat(&self) -> Result<FtpNat> {
        let ftp_nat = self.site.ftp_nat().arg("--ftps-passive-range").arg(RANGE);
        ftp_nat.start()
    }

    fn pure_ftpd(&self) -> Result<Builder> {
        Ok(self.server.pure_ftpd_with_tls()?.passive_ports(FIRST, LAST))
    }

    fn scripted(&self, port: u16) -> Result<Scripted> {
        let at = SocketAddr::new(SERVER.into(), port);
        self.server.scripted(at, None, |line| match line {
            b"AUTH TLS\r\n" => b"234 Go on.\r\n".to_vec(),
            line => polite(line),
        })
    }

    /// An encrypted session of the client with a server that is never heard of
    /// again, by a control port of its own.
    fn session(&self, port: u16) -> Result<(Control, Scripted)> {
        let server = self.scripted(port)?;
        let mut control = Control::open(&self.client, SocketAddr::new(PUBLIC.into(), port))?;
        control.expect("AUTH TLS", 234)?;
        Ok((control, server))
    }

    fn open(&self, port: u16) -> Result<()> {
        let at = SocketAddr::new(PUBLIC.into(), port);
        self.client.connect(at).map(drop)
    }

    fn shut(&self, host: &Host, port: u16) -> Result<()> {
        self.site
            .is_shut(host, SocketAddr::new(PUBLIC.into(), port))
    }
}

/// Downloads and uploads; each is an encrypted session of its own.
fn transfers(client: &Host, server: &Server, at: SocketAddr, how: (Client, Mode)) -> Result<()> {
    let session = client.ftp(how.0).mode(how.1).encrypted();
    let session = session.to(&server.target(at));
    let down = server.publish_random("down.bin", 71, 300_001)?;
    down.verify(&session.get("down.bin")?)?;
    let up = Payload::random(72, 200_003);
    session.put("up.bin", up.bytes())?;
    up.verify(&server.uploaded("up.bin")?)
}

/// That all came by the range, and the firewall met none of it.
fn all_by_range(lab: &Lab, ftp_nat: &FtpNat, transfers: u64) -> Result<()> {
    ensure!(ftp_nat.counter("flows_encrypted")? == transfers);
    ensure!(ftp_nat.counter("flows_made")? == transfers);
    ensure!(ftp_nat.counter("expectations_made")? == 0);
    ensure!(firewall::counted(&lab.site.gateway, "dropped_new")? == 0);
    ensure!(firewall::counted(&lab.site.gateway, "dropped_invalid")? == 0);
    Ok(())
}

#[test]
fn real_programs_behind_dnat() -> Result<()> {
    let lab = Lab::behind_dnat()?;
    let ftp_nat = lab.ftp_nat()?;
    let at = SocketAddr::new(PUBLIC.into(), 21);
    {
        // It announces the address that it has; these clients ignore that.
        let server = lab.pure_ftpd()?.start()?;
        transfers(&lab.client, &server, at, (Client::Curl, Mode::Epsv))?;
        transfers(&lab.client, &server, at, (Client::Lftp, Mode::Epsv))?;
    }
    // And where it is told the outside one, all others find it too.
    let server = lab.pure_ftpd()?.passive_address(PUBLIC).start()?;
    transfers(&lab.client, &server, at, (Client::Curl, Mode::Pasv))?;
    transfers(&lab.client, &server, at, (Client::Lftp, Mode::Pasv))?;
    all_by_range(&lab, &ftp_nat, 8)
}

#[test]
fn real_programs_through_a_strict_firewall() -> Result<()> {
    let lab = Lab::new(rules::STRICT)?;
    let ftp_nat = lab.ftp_nat()?;
    let server = lab.pure_ftpd()?.start()?;
    let at = SocketAddr::new(SERVER.into(), 21);
    transfers(&lab.client, &server, at, (Client::Curl, Mode::Pasv))?;
    until_told(&ftp_nat, "works", &["within TLS", "the declared port"])?;
    let drawn = ftp_nat.done(&["explain"])?;
    ensure!(drawn.contains("announced within TLS"), "{drawn}");
    all_by_range(&lab, &ftp_nat, 2)
}

#[test]
fn real_programs_through_the_stack() -> Result<()> {
    let lab = Lab::behind_dnat()?;
    let accept =
        "insert rule inet filter forward meta mark & 0x100000 == 0x100000 ct state new accept";
    lab.site.gateway.nft(accept)?;
    let ftp_nat = lab.site.ftp_nat().arg("--ftps-passive-range").arg(RANGE);
    let ftp_nat = ftp_nat.arg("--data-path").arg("stack").start()?;
    let server = lab.pure_ftpd()?.start()?;
    let at = SocketAddr::new(PUBLIC.into(), 21);
    transfers(&lab.client, &server, at, (Client::Curl, Mode::Epsv))?;
    all_by_range(&lab, &ftp_nat, 2)?;
    ensure!(ftp_nat.counter("stack_flows_made")? == 2);
    Ok(())
}

#[test]
fn without_the_option_nothing_is_open() -> Result<()> {
    let lab = Lab::behind_dnat()?;
    let ftp_nat = lab.site.ftp_nat().start()?;
    let _listener = lab.server.listen(SocketAddr::new(SERVER.into(), FIRST))?;
    let _session = lab.session(21)?;
    ftp_nat.until_counter("sessions_encrypted", 1)?;
    lab.shut(&lab.client, FIRST)?;
    ensure!(ftp_nat.counter("flows_made")? == 0);
    Ok(())
}

/// Only the session's client, only those ports, only while it is encrypted.
#[test]
fn for_nobody_else_and_nothing_else() -> Result<()> {
    let lab = Lab::behind_dnat()?;
    let ftp_nat = lab.ftp_nat()?;
    let listen = |port| lab.server.listen(SocketAddr::new(SERVER.into(), port));
    let _listeners = [FIRST - 1, FIRST, LAST, LAST + 1].map(listen);

    let server = lab.scripted(21)?;
    let mut control = Control::open(&lab.client, SocketAddr::new(PUBLIC.into(), 21))?;
    control.expect("USER lab", 230)?;
    lab.shut(&lab.client, FIRST)?;
    control.expect("AUTH TLS", 234)?;
    until_told(&ftp_nat, "encrypted", &["the ports 50000 to 50009"])?;
    lab.open(FIRST)?;
    lab.open(LAST)?;
    lab.open(FIRST)?;
    for (host, port) in [
        (&lab.stranger, FIRST),
        (&lab.stranger, LAST),
        (&lab.client, FIRST - 1),
        (&lab.client, LAST + 1),
    ] {
        lab.shut(host, port)?;
    }
    ensure!(ftp_nat.counter("flows_encrypted")? == 3);

    drop(control);
    drop(server);
    wait::until_true("the session to be over", wait::PATIENCE, || {
        Ok(lab.open(FIRST).is_err())
    })?;
    lab.shut(&lab.client, FIRST)
}

/// More sessions than are found by their ends, which end one after the other.
#[test]
fn any_session_that_is_left_is_enough() -> Result<()> {
    let lab = Lab::behind_dnat()?;
    let ports = 2001..=2006;
    let ftp_nat = lab.site.ftp_nat().arg("--ftps-passive-range").arg(RANGE);
    let ftp_nat = ftp_nat.arg("--port").arg("2001,2002,2003,2004,2005,2006");
    let ftp_nat = ftp_nat.start()?;
    let _listener = lab.server.listen(SocketAddr::new(SERVER.into(), FIRST))?;
    let mut sessions = Vec::new();
    for port in ports {
        sessions.push(lab.session(port)?);
    }
    while let Some((control, server)) = sessions.pop() {
        // Something is said in the oldest one, as before any transfer.
        lab.open(FIRST)?;
        drop(control);
        drop(server);
        if let Some((oldest, _)) = sessions.first_mut() {
            oldest.socket().write_all(b"\x17\x03\x03\x00\x01\n")?;
            oldest.expect_reply(200)?;
        }
    }
    wait::until_true("the last session to be over", wait::PATIENCE, || {
        Ok(lab.open(FIRST).is_err())
    })?;
    ensure!(ftp_nat.counter("sessions_encrypted")? == 6);
    Ok(())
}

/// Plain text again: what is announced can be read again, and is all that opens.
#[test]
fn behind_ccc_it_is_shut_again() -> Result<()> {
    let lab = Lab::behind_dnat()?;
    let _ftp_nat = lab.ftp_nat()?;
    let server = lab.pure_ftpd()?.start()?;
    let _listener = lab.server.listen(SocketAddr::new(SERVER.into(), LAST))?;
    let target = server.target(SocketAddr::new(PUBLIC.into(), 21));
    let (user, password) = (
        format!("331 USER {}", target.user),
        format!("230 PASS {}", target.password),
    );
    let (open, shut) = (format!("open {LAST}"), format!("shut {LAST}"));
    let steps = [
        "220 ",
        &shut,
        "234 AUTH TLS",
        &open,
        "wrap",
        &user,
        &password,
        &open,
        "200 CCC",
        "unwrap",
        "200 NOOP",
        &shut,
        "221 QUIT",
    ];
    lab.client.dialogue(target.at, &steps)?;
    Ok(())
}
