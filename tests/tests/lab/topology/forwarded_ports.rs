//! Servers behind DNAT. The port to watch is the one the client dials.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, ServerKind, Site,
    topologies::rules::{self, destination_nat, source_nat},
};

use super::exchange::{Exchange, Probes};

const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const SECOND_PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 3);
const GATEWAY_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 254);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
const SECOND_SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 6);
const CLIENT: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 200);

/// ```text
///  10.10.0.5 --- 10.10.0.254 (lan) (wan) 61.144.1.2, .3 --- 61.144.1.200
/// ```
fn site() -> Result<(Site, Host, Host)> {
    let site = Site::new()?
        .lan("lan", &["10.10.0.254/24"])?
        .wan("wan", &["61.144.1.2/24", "61.144.1.3/24"])?;
    let client = site.host("client", "wan", &["61.144.1.200/24"])?;
    let server = site.host("server", "lan", &["10.10.0.5/24"])?;
    rules::forward(&site.gateway, rules::ORDINARY)?;
    Ok((site, client, server))
}

/// Whether the server sees the client's address or the gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Seen,
    Hidden,
}

fn forwarded(dialled: u16, client_is: Client) -> Result<()> {
    let (site, client, server) = site()?;
    destination_nat(
        &site.gateway,
        &format!("iifname wan tcp dport {dialled} dnat ip to {SERVER}:21"),
    )?;
    if client_is == Client::Hidden {
        source_nat(&site.gateway, "oifname lan snat ip to 10.10.0.254")?;
    }
    let ftp_nat = site.ftp_nat().port(dialled).start()?;
    let exchange =
        Exchange::new(&site, &ftp_nat, &client, &server, SERVER).dialled_at(PUBLIC, dialled);
    let (client_seen, probes) = match client_is {
        // From inside the way out is open, but not through the gateway's address.
        Client::Seen => (CLIENT, Probes::Nowhere),
        Client::Hidden => (GATEWAY_INSIDE, Probes::PublicAddress),
    };
    let active = exchange.mode(Mode::Port).probes(probes);
    for exchange in [active, exchange.mode(Mode::Pasv)] {
        let seen = exchange.run()?;
        ensure!(seen.server_seen == PUBLIC, "{seen:?}");
        ensure!(seen.client_seen == client_seen, "{seen:?}");
    }
    Ok(())
}

#[test]
fn the_same_port() -> Result<()> {
    forwarded(21, Client::Seen)
}

#[test]
fn the_same_port_with_the_client_hidden() -> Result<()> {
    forwarded(21, Client::Hidden)
}

#[test]
fn another_port() -> Result<()> {
    forwarded(8021, Client::Seen)
}

#[test]
fn another_port_with_the_client_hidden() -> Result<()> {
    forwarded(8021, Client::Hidden)
}

/// The server's own port is not what counts.
#[test]
fn the_servers_port_alone_is_not_enough() -> Result<()> {
    let (site, client, server) = site()?;
    destination_nat(
        &site.gateway,
        "iifname wan tcp dport 8021 dnat ip to 10.10.0.5:21",
    )?;
    let ftp_nat = site.ftp_nat().port(21).start()?;
    let exchange =
        Exchange::new(&site, &ftp_nat, &client, &server, SERVER).dialled_at(PUBLIC, 8021);
    let (_server, target) = exchange.serve(ServerKind::Vsftpd)?;
    let announced = client.log_in(&target)?.passive()?;
    ensure!(announced.ip() == SERVER, "the client was told {announced}");
    ensure!(ftp_nat.counter("sessions_learned")? == 0);

    // And with the dialled port it is.
    ftp_nat.add_port(8021)?;
    let announced = client.log_in(&target)?.passive()?;
    ensure!(announced.ip() == PUBLIC, "the client was told {announced}");
    Ok(())
}

#[test]
fn two_servers_behind_two_addresses() -> Result<()> {
    const PORT: u16 = 50_000;
    let (site, client, first) = site()?;
    let second = site.host("second", "lan", &["10.10.0.6/24"])?;
    destination_nat(
        &site.gateway,
        "iifname wan ip daddr 61.144.1.2 tcp dport 21 dnat ip to 10.10.0.5
        iifname wan ip daddr 61.144.1.3 tcp dport 21 dnat ip to 10.10.0.6",
    )?;
    let ftp_nat = site.ftp_nat().start()?;
    for (server, own, public) in [
        (&first, SERVER, PUBLIC),
        (&second, SECOND_SERVER, SECOND_PUBLIC),
    ] {
        let exchange = Exchange::new(&site, &ftp_nat, &client, server, own).dialled_at(public, 21);
        let active = exchange.mode(Mode::Port).probes(Probes::Nowhere);
        for exchange in [active, exchange.mode(Mode::Pasv)] {
            let seen = exchange.run()?;
            ensure!(seen.server_seen == public, "{seen:?}");
        }
    }

    // Both announce the same port of their own at the same time.
    let open = |host: &Host, own: Ipv4Addr, public: Ipv4Addr, seed| -> Result<_> {
        let server = host
            .vsftpd()
            .bind(own.into())
            .passive_ports(PORT, PORT)
            .start()?;
        let file = server.publish_random("file.bin", seed, 100_000)?;
        let control = client.log_in(&server.target((public, 21).into()))?;
        Ok((server, file, control))
    };
    let (_first, first_file, mut to_first) = open(&first, SERVER, PUBLIC, 63)?;
    let (_second, second_file, mut to_second) = open(&second, SECOND_SERVER, SECOND_PUBLIC, 64)?;
    let (one, other) = (to_first.passive()?, to_second.passive()?);
    ensure!((one.ip(), other.ip()) == (PUBLIC.into(), SECOND_PUBLIC.into()));
    second_file.verify(&to_second.retrieve_at(other, "file.bin")?)?;
    first_file.verify(&to_first.retrieve_at(one, "file.bin")?)?;
    Ok(())
}
