//! One IPv6 prefix stands for another, by netfilter.

use std::net::Ipv6Addr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, Site,
    topologies::rules::{self, destination_nat, source_nat},
};

use super::exchange::{Exchange, Probes};

const INSIDE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 1);
const PUBLIC: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 1);
const OUTSIDE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x100);

/// ```text
///  fd00:10::1 --- fd00:10::254 (lan) (wan) 2001:db8:1::2 --- 2001:db8:1::100
///                 fd00:10::/64 <-> 2001:db8:77::/64
/// ```
fn site() -> Result<(Site, Host, Host)> {
    let site = Site::new()?
        .lan("lan", &["fd00:10::254/64"])?
        .wan("wan", &["2001:db8:1::2/64"])?;
    let within = site.host("inside", "lan", &["fd00:10::1/64"])?;
    let without = site.host("outside", "wan", &["2001:db8:1::100/64"])?;
    rules::forward(&site.gateway, rules::ORDINARY)?;
    source_nat(
        &site.gateway,
        "oifname wan snat ip6 prefix to ip6 saddr map { fd00:10::/64 : 2001:db8:77::/64 }",
    )?;
    destination_nat(
        &site.gateway,
        "iifname wan tcp dport 21 dnat ip6 prefix to \
        ip6 daddr map { 2001:db8:77::/64 : fd00:10::/64 }",
    )?;
    Ok((site, within, without))
}

#[test]
fn a_client_inside() -> Result<()> {
    let (site, within, without) = site()?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &within, &without, OUTSIDE);
    // The way out is open.
    let passive = exchange.mode(Mode::Epsv).probes(Probes::Nowhere);
    for exchange in [exchange.mode(Mode::Eprt), passive] {
        let seen = exchange.run()?;
        ensure!(seen.client_seen == PUBLIC, "{seen:?}");
    }
    Ok(())
}

#[test]
fn a_server_inside() -> Result<()> {
    let (site, within, without) = site()?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = Exchange::new(&site, &ftp_nat, &without, &within, INSIDE).dialled_at(PUBLIC, 21);
    let active = exchange.mode(Mode::Eprt).probes(Probes::Nowhere);
    for exchange in [active, exchange.mode(Mode::Epsv)] {
        let seen = exchange.run()?;
        ensure!(seen.server_seen == PUBLIC, "{seen:?}");
    }
    Ok(())
}
