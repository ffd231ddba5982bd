//! Labs put together piece by piece: segments round a gateway, hosts on them,
//! and rules of the test's own.
//!
//! | module | holds |
//! |---|---|
//! | [`segment`] | a network that several hosts are on |
//! | [`rules`] | forward chains for any number of interfaces |
//! | [`probe`] | trial connections that must not get through |
//! | [`program`] | TC programs put together from instructions |
//! | [`cloud`] | a gateway behind a 1:1 NAT further up |
//! | [`mapping`] | a static 1:1 NAT made of two such programs |

pub mod cloud;
pub mod mapping;
pub mod probe;
pub mod program;
pub mod rules;
pub mod segment;

use std::net::IpAddr;

use anyhow::{Context, Result, bail};

pub use cloud::Cloud;
pub use mapping::Mapping;
pub use segment::Segment;

use super::{
    ftp_nat,
    host::Host,
    net::Net,
    topology::ETH,
    tunnel::{self, Tunnel},
};

/// A gateway and the segments round it.
#[derive(Debug)]
pub struct Site {
    /// The gateway. Its interfaces have the names of their segments.
    pub gateway: Host,
    segments: Vec<Segment>,
    // Last: the hosts' handles are closed before their namespaces are removed.
    net: Net,
}

impl Site {
    /// A gateway that forwards IPv4 and IPv6, and nothing round it.
    pub fn new() -> Result<Self> {
        let net = Net::new()?;
        let gateway = net.host("gateway")?;
        gateway.sysctl("net.ipv4.ip_forward", "1")?;
        gateway.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        Ok(Self {
            gateway,
            segments: Vec::new(),
            net,
        })
    }

    /// A segment inside, with the gateway's addresses on it (`10.10.0.254/24`).
    pub fn lan(self, name: &'static str, addresses: &[&str]) -> Result<Self> {
        self.segment(name, addresses, true)
    }

    /// A segment outside.
    pub fn wan(self, name: &'static str, addresses: &[&str]) -> Result<Self> {
        self.segment(name, addresses, false)
    }

    fn segment(mut self, name: &'static str, addresses: &[&str], inside: bool) -> Result<Self> {
        let segment = Segment::new(&self.net, name, inside)?;
        segment.plug(&self.gateway, name, addresses)?;
        self.segments.push(segment);
        Ok(self)
    }

    /// A segment inside whose switch is a bridge of the gateway's own, as a host
    /// of containers has it. Its ports there are named `veth0`, `veth1`...
    pub fn bridge(mut self, name: &'static str, addresses: &[&str]) -> Result<Self> {
        let segment = Segment::on(&self.gateway, name, true)?;
        for address in addresses {
            self.gateway.address(name, address)?;
        }
        self.segments.push(segment);
        Ok(self)
    }

    /// A host on a segment: interface `eth0`, default routes by the gateway.
    ///
    /// A host outside has them too, so that a packet to a private address
    /// leaves it and is seen to be stopped, instead of failing at once.
    pub fn host(&self, name: &str, segment: &str, addresses: &[&str]) -> Result<Host> {
        let host = self.net.host(name)?;
        self.plug(&host, ETH, segment, addresses)?;
        for family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
            let here = addresses.iter().map(|a| ip_of(a));
            if here.collect::<Result<Vec<_>>>()?.iter().any(family) {
                host.default_route(self.gateway_ip(segment, family)?)?;
            }
        }
        Ok(host)
    }

    /// Puts another interface of a host on a segment; routes are the caller's.
    pub fn plug(
        &self,
        host: &Host,
        interface: &str,
        segment: &str,
        addresses: &[&str],
    ) -> Result<()> {
        let found = self.segments.iter().find(|s| s.name() == segment);
        found
            .with_context(|| format!("no segment {segment}"))?
            .plug(host, interface, addresses)
    }

    /// A host at the other end of a tunnel: `eth0` there, with its default
    /// routes, `interface` at the gateway. `change` is done to what it sends.
    /// The gateway's interface is to be named to the helper by the caller.
    pub fn tunnelled(
        &self,
        name: &str,
        interface: &str,
        gateway: &[&str],
        own: &[&str],
        change: tunnel::Change,
    ) -> Result<(Host, Tunnel)> {
        let host = self.net.host(name)?;
        let tunnel = Tunnel::join(&host, ETH, &self.gateway, interface, change)?;
        for (own, gateway) in own.iter().zip(gateway) {
            host.address(ETH, own)?;
            self.gateway.address(interface, gateway)?;
            host.default_route(ip_of(gateway)?)?;
        }
        Ok((host, tunnel))
    }

    /// The gateway's first address of a family on a segment.
    fn gateway_ip(&self, segment: &str, family: fn(&IpAddr) -> bool) -> Result<IpAddr> {
        let shown = self.gateway.run(&[
            "ip", "-o", "address", "show", "dev", segment, "scope", "global",
        ])?;
        let words = shown.split_whitespace().filter(|w| w.contains('/'));
        words
            .filter_map(|w| ip_of(w).ok())
            .find(family)
            .with_context(|| format!("the gateway has no such address on {segment}"))
    }

    /// The helper under test, on all interfaces of the gateway.
    pub fn ftp_nat(&self) -> ftp_nat::Builder {
        let builder = ftp_nat::Builder::new(&self.gateway, self.net.pin_path());
        self.segments.iter().fold(builder, |builder, segment| {
            if segment.is_inside() {
                builder.lan(segment.name())
            } else {
                builder.wan(segment.name())
            }
        })
    }
}

/// The address in one with a prefix length.
fn ip_of(address: &str) -> Result<IpAddr> {
    let Some((ip, _)) = address.split_once('/') else {
        bail!("{address} has no prefix length")
    };
    ip.parse()
        .with_context(|| format!("{address} is no address"))
}
