//! The gateway's inside interface is a bridge with ports, with and without
//! netfilter's look at bridged packets.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, ServerKind, Site, hooks,
    topologies::rules::{self, destination_nat, source_nat},
};

use super::exchange::{Exchange, Probes};
use crate::support::SHIFTING_PORT;

const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 254);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 100);

/// Whether packets on the bridge meet the rules for IP (`br_netfilter`). Those
/// that are for the gateway then meet prerouting rules at the port, before the
/// bridge is their interface.
#[derive(Clone, Copy)]
enum BridgeNetfilter {
    Off,
    On,
}

/// ```text
///  10.10.0.1 --- veth0 -+
///                       +- lanbr 10.10.0.254, wan 61.144.1.2 --- outside
///  10.10.0.5 --- veth1 -+
/// ```
fn site(netfilter: BridgeNetfilter) -> Result<(Site, Host, Host, Host)> {
    let site = Site::new()?
        .bridge("lanbr", &["10.10.0.254/24"])?
        .wan("wan", &["61.144.1.2/24"])?;
    let call = if matches!(netfilter, BridgeNetfilter::On) {
        "1"
    } else {
        "0"
    };
    site.gateway
        .sysctl("net/bridge/bridge-nf-call-iptables", call)?;
    let inside = site.host("inside", "lanbr", &["10.10.0.1/24"])?;
    let server = site.host("server", "lanbr", &["10.10.0.5/24"])?;
    let outside = site.host("outside", "wan", &["61.144.1.100/24"])?;
    rules::forward(&site.gateway, rules::ORDINARY)?;
    destination_nat(
        &site.gateway,
        &format!("ip daddr {PUBLIC} tcp dport 21 dnat ip to {SERVER}"),
    )?;
    source_nat(
        &site.gateway,
        "ip saddr 10.10.0.0/24 ip daddr 10.10.0.0/24 masquerade
        oifname wan masquerade",
    )?;
    Ok((site, inside, server, outside))
}

fn both_ways(netfilter: BridgeNetfilter) -> Result<()> {
    let (site, inside, server, outside) = site(netfilter)?;
    let ftp_nat = site.ftp_nat().start()?;
    let out = Exchange::new(&site, &ftp_nat, &inside, &outside, OUTSIDE);
    let seen = out.mode(Mode::Port).run()?;
    ensure!(seen.announced == PUBLIC, "announced was {seen:?}");
    let into = Exchange::new(&site, &ftp_nat, &outside, &server, SERVER).dialled_at(PUBLIC, 21);
    let seen = into.mode(Mode::Pasv).run()?;
    ensure!(seen.announced == PUBLIC, "announced was {seen:?}");
    Ok(())
}

#[test]
fn both_ways_through_it() -> Result<()> {
    both_ways(BridgeNetfilter::Off)
}

#[test]
fn both_ways_with_netfilter_on_it() -> Result<()> {
    both_ways(BridgeNetfilter::On)
}

/// Both ends are on the bridge, and the client dials the public address.
#[test]
fn from_port_to_port_by_the_public_address() -> Result<()> {
    let (site, inside, server, _) = site(BridgeNetfilter::Off)?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &inside, &server, SERVER)
        .dialled_at(PUBLIC, 21)
        .probes(Probes::PublicAddress);
    for mode in [Mode::Port, Mode::Pasv] {
        let seen = exchange.mode(mode).run()?;
        ensure!((seen.server_seen, seen.client_seen) == (PUBLIC.into(), GATEWAY.into()));
    }
    Ok(())
}

/// The connection tracker sees the inside host's packets before their numbers
/// are shifted: that is said, and what is said to mend it does.
fn shifted_with_netfilter(mend: impl Fn(&Host) -> Result<()>) -> Result<()> {
    let (site, inside, _, outside) = site(BridgeNetfilter::On)?;
    let mut ftp_nat = site.ftp_nat().start()?;
    ftp_nat.process().until_ready("a warning", |log| {
        let mut lines = log.lines().filter(|l| l.contains("WARN"));
        Ok(lines.any(|l| l.contains("lanbr is a bridge") && l.contains("be_liberal=1")))
    })?;
    mend(&site.gateway)?;
    let exchange = Exchange::new(&site, &ftp_nat, &inside, &outside, OUTSIDE);
    let (server, target) = exchange.serve(ServerKind::Vsftpd)?;
    let file = server.publish_random("file.bin", 66, 100_000)?;
    let mut control = inside.log_in(&target)?;
    for n in 0..4 {
        file.verify(&control.retrieve_active(SHIFTING_PORT + n, "file.bin")?)?;
    }
    ensure!(ftp_nat.counter("rewrites_shifted")? == 4);
    control.expect("QUIT", 221)?;
    Ok(())
}

#[test]
fn a_shift_with_netfilter_on_it_and_a_liberal_tracker() -> Result<()> {
    shifted_with_netfilter(|gateway| {
        gateway.sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", "1")
    })
}

#[test]
fn a_shift_once_netfilter_is_off() -> Result<()> {
    shifted_with_netfilter(|gateway| gateway.sysctl("net/bridge/bridge-nf-call-iptables", "0"))
}

/// Packets would pass the programs twice.
#[test]
fn a_port_is_not_named_beside_its_bridge() -> Result<()> {
    let (site, ..) = site(BridgeNetfilter::Off)?;
    let refused = site.ftp_nat().lan("veth0").refused()?;
    ensure!(!refused.status.success(), "both were taken");
    for word in ["lanbr", "veth0"] {
        ensure!(refused.stderr.contains(word), "it says: {}", refused.stderr);
    }
    for interface in ["lanbr", "veth0"] {
        let left = hooks::programs(&site.gateway, interface)?;
        ensure!(left.is_empty(), "left on {interface}: {left:?}");
    }
    Ok(())
}
