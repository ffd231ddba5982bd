//! A tun device inside, outside or on both sides: packets without an Ethernet
//! header. One of the tunnels also puts options and extension headers in.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, Site,
    ftp_nat::FtpNat,
    topologies::rules::{self, destination_nat, source_nat},
    tunnel::{Change, Tunnel, unchanged},
};

use super::exchange::Exchange;

const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const INSIDE: &str = "10.10.0.1";
const OUTSIDE: &str = "61.144.1.100";

/// A gateway with masquerading and a published port, and a host on either side.
struct Ends {
    inside: Host,
    outside: Host,
    ftp_nat: FtpNat,
    tunnels: Vec<Tunnel>,
    site: Site,
}

/// How a host is linked to the gateway.
#[derive(Clone, Copy)]
enum Link {
    Ethernet,
    /// What is done to the packets that it sends.
    Tun(Change),
}

impl Ends {
    /// ```text
    ///  10.10.0.1 === (lan) 10.10.0.254, 61.144.1.2 (wan) === 61.144.1.100
    /// ```
    fn new(inside: Link, outside: Link) -> Result<Self> {
        let mut site = Site::new()?;
        let (lan, wan) = (["10.10.0.254/24"], ["61.144.1.2/24"]);
        let mut tunnels = Vec::new();
        if matches!(inside, Link::Ethernet) {
            site = site.lan("lan", &lan)?;
        }
        if matches!(outside, Link::Ethernet) {
            site = site.wan("wan", &wan)?;
        }
        let mut ftp_nat = site.ftp_nat();
        let mut host = |link, name, interface, gateway: &[&str], own: &[&str]| match link {
            Link::Ethernet => site.host(name, interface, own),
            Link::Tun(change) => {
                let made = site.tunnelled(name, interface, gateway, own, change)?;
                tunnels.push(made.1);
                Ok(made.0)
            }
        };
        let at = |ip| format!("{ip}/24");
        let inside_host = host(inside, "inside", "lan", &lan, &[&at(INSIDE)])?;
        let outside_host = host(outside, "outside", "wan", &wan, &[&at(OUTSIDE)])?;
        if matches!(inside, Link::Tun(_)) {
            ftp_nat = ftp_nat.lan("lan");
        }
        if matches!(outside, Link::Tun(_)) {
            ftp_nat = ftp_nat.wan("wan");
        }
        rules::forward(&site.gateway, rules::ORDINARY)?;
        source_nat(&site.gateway, "oifname wan masquerade")?;
        let published = format!("ip daddr {PUBLIC} tcp dport 21 dnat ip to {INSIDE}");
        destination_nat(&site.gateway, &published)?;
        Ok(Self {
            inside: inside_host,
            outside: outside_host,
            ftp_nat: ftp_nat.start()?,
            tunnels,
            site,
        })
    }

    /// Downloads, uploads and lists, active and passive, by the public address.
    fn exchange(&self) -> Result<()> {
        let own: IpAddr = INSIDE.parse()?;
        let other: IpAddr = OUTSIDE.parse()?;
        let out = Exchange::new(
            &self.site,
            &self.ftp_nat,
            &self.inside,
            &self.outside,
            other,
        );
        let seen = out.mode(Mode::Port).run()?;
        ensure!(seen.announced == PUBLIC, "announced was {seen:?}");
        let into = Exchange::new(&self.site, &self.ftp_nat, &self.outside, &self.inside, own);
        let seen = into.dialled_at(PUBLIC, 21).mode(Mode::Pasv).run()?;
        ensure!(seen.announced == PUBLIC, "announced was {seen:?}");
        Ok(())
    }
}

#[test]
fn on_the_inside() -> Result<()> {
    Ends::new(Link::Tun(unchanged), Link::Ethernet)?.exchange()
}

#[test]
fn on_the_outside() -> Result<()> {
    Ends::new(Link::Ethernet, Link::Tun(unchanged))?.exchange()
}

#[test]
fn on_both_sides() -> Result<()> {
    let ends = Ends::new(Link::Tun(unchanged), Link::Tun(unchanged))?;
    ensure!(ends.tunnels.len() == 2);
    ends.exchange()
}
