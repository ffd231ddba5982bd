//! Client and server are both inside, and the control connection goes through
//! the public address.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, ServerKind, Site,
    topologies::rules::{self, destination_nat, source_nat},
};

use super::exchange::{Exchange, Probes};

const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 254);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
const FAR_SERVER: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);

/// ```text
///  10.10.0.1 -+
///             +- 10.10.0.254 (lan)  (wan) 61.144.1.2
///  10.10.0.5 -+  10.20.0.254 (lan2)
///                     |
///                 10.20.0.5
/// ```
fn site(server: Ipv4Addr) -> Result<(Site, Host)> {
    let site = Site::new()?
        .lan("lan", &["10.10.0.254/24"])?
        .lan("lan2", &["10.20.0.254/24"])?
        .wan("wan", &["61.144.1.2/24"])?;
    let client = site.host("client", "lan", &["10.10.0.1/24"])?;
    rules::forward(&site.gateway, rules::ORDINARY)?;
    destination_nat(
        &site.gateway,
        &format!("ip daddr {PUBLIC} tcp dport 21 dnat ip to {server}"),
    )?;
    Ok((site, client))
}

/// On one segment the server must see the gateway, or its replies would go to
/// the client directly.
fn hide(site: &Site) -> Result<()> {
    source_nat(
        &site.gateway,
        "ip saddr 10.10.0.0/24 ip daddr 10.10.0.0/24 masquerade
        oifname wan masquerade",
    )
}

#[test]
fn on_one_segment() -> Result<()> {
    let (site, client) = site(SERVER)?;
    hide(&site)?;
    let server = site.host("server", "lan", &["10.10.0.5/24"])?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &client, &server, SERVER)
        .dialled_at(PUBLIC, 21)
        .probes(Probes::PublicAddress);
    for mode in [Mode::Port, Mode::Pasv] {
        let seen = exchange.mode(mode).run()?;
        ensure!((seen.server_seen, seen.client_seen) == (PUBLIC.into(), GATEWAY.into()));
    }
    Ok(())
}

/// On two segments the server sees the client itself.
#[test]
fn on_two_segments() -> Result<()> {
    let (site, client) = site(FAR_SERVER)?;
    source_nat(&site.gateway, "oifname wan masquerade")?;
    let server = site.host("server", "lan2", &["10.20.0.5/24"])?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange =
        Exchange::new(&site, &ftp_nat, &client, &server, FAR_SERVER).dialled_at(PUBLIC, 21);
    for mode in [Mode::Port, Mode::Pasv] {
        let seen = exchange.mode(mode).run()?;
        ensure!((seen.server_seen, seen.client_seen) == (PUBLIC.into(), CLIENT.into()));
    }
    Ok(())
}

/// A host of another inside segment than the announcer's can't use the pinhole,
/// and doesn't use it up.
#[test]
fn a_host_of_another_segment_is_refused() -> Result<()> {
    let (site, client) = site(SERVER)?;
    hide(&site)?;
    let server = site.host("server", "lan", &["10.10.0.5/24"])?;
    let stranger = site.host("stranger", "lan2", &["10.20.0.9/24"])?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &client, &server, SERVER).dialled_at(PUBLIC, 21);
    let (server, target) = exchange.serve(ServerKind::Vsftpd)?;
    let file = server.publish_random("file.bin", 65, 100_000)?;
    let mut control = client.log_in(&target)?;

    let at = control.passive()?;
    site.is_shut(&stranger, at)?;
    ensure!(ftp_nat.counter("refused_data_source")? == 1);
    ensure!(ftp_nat.counter("expectations_used")? == 0);
    file.verify(&control.retrieve_at(at, "file.bin")?)?;

    // The client's announcement likewise; it waits at the address that the
    // server knows the client by.
    let listener = control.listen(0)?;
    let captures = (client.capture("eth0")?, exchange.server.capture("eth0")?);
    let reply = control.announce(listener.local_addr()?.port())?;
    ensure!(reply.code == 200, "{reply:?}");
    let told = crate::support::port_line(&captures.1.stop()?)?;
    let at = SocketAddr::new(GATEWAY.into(), crate::support::port_of(&told)?);
    site.is_shut(&stranger, at)?;
    ensure!(ftp_nat.counter("refused_data_source")? == 2);
    file.verify(&control.retrieve_from(&listener, "file.bin")?)?;
    ensure!(ftp_nat.counter("expectations_used")? == 2);
    Ok(())
}
