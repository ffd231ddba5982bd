//! Two ways out: a data connection has the address and the interface of its
//! control connection, whatever the policy is made of.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Host, Mode, Site, capture::Trace, topologies::rules};

use super::exchange::{Exchange, Probes, UNANNOUNCED};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const FIRST: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// What sends the second client's packets out by the second way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// A rule for its address.
    Source,
    /// A rule for the mark that the firewall gives its packets.
    Mark,
    /// A rule for the port it dials, which no data connection has.
    Port,
}

/// ```text
///  10.10.0.1 -+                    (wan)  61.144.1.2 ---- eth0 +
///             +- 10.10.0.254 (lan)                             | 198.51.100.9
///  10.10.0.2 -+                    (wan2) 203.0.113.2 --- eth1 +
/// ```
/// The main table knows the first way only.
fn site() -> Result<(Site, Host)> {
    let site = Site::new()?
        .lan("lan", &["10.10.0.254/24"])?
        .wan("wan", &["61.144.1.2/24"])?
        .wan("wan2", &["203.0.113.2/24"])?;
    let outside = site.host("outside", "wan", &["61.144.1.1/24"])?;
    site.plug(&outside, "eth1", "wan2", &["203.0.113.1/24"])?;
    outside.address("lo", &format!("{SERVER}/32"))?;
    site.gateway.default_route([61, 144, 1, 1].into())?;
    site.gateway.run(&[
        "ip",
        "route",
        "add",
        "default",
        "via",
        "203.0.113.1",
        "table",
        "102",
    ])?;
    rules::forward(&site.gateway, rules::ORDINARY)?;
    rules::source_nat(
        &site.gateway,
        "oifname wan snat ip to 61.144.1.2
        oifname wan2 snat ip to 203.0.113.2",
    )?;
    Ok((site, outside))
}

fn rule(site: &Site, selector: &[&str]) -> Result<()> {
    let words = [&["ip", "rule", "add"], selector, &["lookup", "102"]].concat();
    site.gateway.run(&words).map(drop)
}

fn out_by_two_wans(policy: Policy) -> Result<()> {
    let (site, outside) = site()?;
    match policy {
        Policy::Source => rule(&site, &["from", "10.10.0.2"])?,
        Policy::Port => rule(&site, &["ipproto", "tcp", "dport", "2121"])?,
        Policy::Mark => {
            site.gateway.nft(
                "table ip marks {
                chain prerouting {
                    type filter hook prerouting priority mangle;
                    ip saddr 10.10.0.2 meta mark set 2
                }
            }",
            )?;
            rule(&site, &["fwmark", "2"])?;
        }
    }
    let ftp_nat = site.ftp_nat().port(21).port(2121).start()?;
    let second_port = if policy == Policy::Port { 2121 } else { 21 };
    let ways = [
        ("10.10.0.1/24", 21, FIRST, "eth0"),
        ("10.10.0.2/24", second_port, SECOND, "eth1"),
    ];
    for (address, port, public, interface) in ways {
        let client = site.host(&format!("client-{interface}"), "lan", &[address])?;
        let captures = [site.gateway.capture("wan")?, site.gateway.capture("wan2")?];
        let mut exchange = Exchange::new(&site, &ftp_nat, &client, &outside, SERVER);
        exchange.listens.set_port(port);
        exchange.dialled.set_port(port);
        exchange.server_interface = interface;
        // The way out is open.
        let passive = exchange.probes(Probes::Nowhere).mode(Mode::Pasv);
        for exchange in [exchange.mode(Mode::Port), passive] {
            let seen = exchange.run()?;
            ensure!(seen.client_seen == public, "{policy:?}: {seen:?}");
        }
        let [first, second] = captures.map(ftp_nat_tests::lab::capture::Capture::stop);
        let (own, other) = if public == FIRST {
            (first?, second?)
        } else {
            (second?, first?)
        };
        only_by(&own, &other, public.into())?;
    }
    Ok(())
}

/// All of an address's packets are in one trace, and none is in the other.
fn only_by(own: &Trace, other: &Trace, public: IpAddr) -> Result<()> {
    let count = |trace: &Trace| {
        let of_it = |ip: &IpAddr| *ip == public;
        let packets = trace
            .tcp()
            .filter(|(_, t)| of_it(&t.ip.src) || of_it(&t.ip.dst));
        packets.count()
    };
    ensure!(count(own) > 100, "{public}: {} packets", count(own));
    let probe = |at: &SocketAddr| at.port() == UNANNOUNCED;
    let stray = other
        .tcp()
        .map(|(_, t)| (t.src, t.dst))
        .find(|(src, dst)| !probe(src) && !probe(dst));
    ensure!(stray.is_none(), "{public} used the other way: {stray:?}");
    Ok(())
}

#[test]
fn by_source() -> Result<()> {
    out_by_two_wans(Policy::Source)
}

#[test]
fn by_mark() -> Result<()> {
    out_by_two_wans(Policy::Mark)
}

#[test]
fn by_port() -> Result<()> {
    out_by_two_wans(Policy::Port)
}

/// A server inside is dialled by either address; its replies leave the way the
/// connection came, by the mark that the connection remembers.
#[test]
fn in_by_two_wans() -> Result<()> {
    let (site, outside) = site()?;
    rules::destination_nat(
        &site.gateway,
        "iifname \"wan*\" tcp dport 21 dnat ip to 10.10.0.5",
    )?;
    site.gateway.nft(
        "table ip marks {
            chain prerouting {
                type filter hook prerouting priority mangle;
                iifname wan2 ct state new ct mark set 2
                iifname lan meta mark set ct mark
            }
        }",
    )?;
    rule(&site, &["fwmark", "2"])?;
    let server = site.host("server", "lan", &["10.10.0.5/24"])?;
    let ftp_nat = site.ftp_nat().start()?;
    for (public, interface) in [(FIRST, "eth0"), (SECOND, "eth1")] {
        // The same client by both ways: nothing but the mark tells them apart.
        let gateway = public.to_string();
        let own = SERVER.to_string();
        outside.run(&[
            "ip", "route", "replace", &gateway, "dev", interface, "src", &own,
        ])?;
        let captures = [site.gateway.capture("wan")?, site.gateway.capture("wan2")?];
        let mut exchange = Exchange::new(&site, &ftp_nat, &outside, &server, [10, 10, 0, 5])
            .dialled_at(public, 21);
        exchange.client_interface = interface;
        // The way out is open.
        let active = exchange.probes(Probes::Nowhere).mode(Mode::Port);
        for exchange in [exchange.mode(Mode::Pasv), active] {
            let seen = exchange.run()?;
            ensure!(
                seen.server_seen == public && seen.client_seen == SERVER,
                "{seen:?}"
            );
        }
        let [first, second] = captures.map(ftp_nat_tests::lab::capture::Capture::stop);
        let (own, other) = if public == FIRST {
            (first?, second?)
        } else {
            (second?, first?)
        };
        only_by(&own, &other, public.into())?;
    }
    Ok(())
}
