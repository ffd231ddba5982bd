//! The gateways that are compared: the same hosts and links, and another helper.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use ftp_nat_tests::lab::{
    Lab, Offloads,
    firewall::{LAN, WAN},
    ftp_nat::FtpNat,
    topology::{ETH, GATEWAY_OUTSIDE},
};

use crate::ends::{
    self, Client, How, Server,
    server::{PORTS, Passive},
};

/// What helps FTP through a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// NAT by netfilter, and ftp-nat.
    FtpNat,
    /// NAT by netfilter, with `nf_conntrack_ftp` and `nf_nat_ftp`.
    Netfilter,
    /// NAT by netfilter, and a data connection that needs no help.
    Nat,
    /// Forwarding, without NAT and without connection tracking.
    Routed,
}

impl Variant {
    /// All, in the order of their turns.
    pub const ALL: [Self; 4] = [Self::FtpNat, Self::Netfilter, Self::Nat, Self::Routed];

    /// For tables.
    pub const fn label(self) -> &'static str {
        match self {
            Self::FtpNat => "ftp-nat",
            Self::Netfilter => "netfilter helper",
            Self::Nat => "NAT, no helper",
            Self::Routed => "no NAT",
        }
    }

    /// The labels of all.
    pub fn labels() -> [&'static str; 4] {
        Self::ALL.map(Self::label)
    }
}

/// Ports of a server inside that a person forwarded, where nobody helps.
const FORWARDED: std::ops::RangeInclusive<u16> = 40_000..=49_999;

/// One gateway with its ends.
#[derive(Debug)]
pub struct Lane {
    /// The hosts.
    pub lab: Lab,
    /// Where the client dials the server.
    pub at: SocketAddr,
    /// How it gets its data.
    pub how: How,
    _server: Server,
    _ftp_nat: Option<FtpNat>,
}

impl Lane {
    /// A lane in which announcements need help as `how` says: the client is
    /// inside for PORT, the server is inside for 227. Where nobody helps, 227 is
    /// used with a server outside, or with a range that is forwarded.
    pub fn new(variant: Variant, how: How) -> Result<Self> {
        let lab = match how {
            How::Active => Lab::masquerade()?,
            How::Passive => Lab::dnat()?,
        };
        lab.know_neighbours()?;
        ends::send_unpaced(&lab)?;
        let own = lab.server_ip;
        let mut passive = Passive {
            announced: own,
            ports: PORTS,
        };
        let mut at = match how {
            How::Active => own,
            How::Passive => GATEWAY_OUTSIDE,
        };
        let mut how_here = how;
        let mut ftp_nat = None;
        match variant {
            // Files are many here, and each is remembered for minutes.
            Variant::FtpNat => {
                let builder = lab.ftp_nat().arg("--max-transfers").arg("400000");
                ftp_nat = Some(builder.start()?);
            }
            Variant::Netfilter => lab.kernel_helper()?,
            Variant::Nat if how == How::Active => how_here = How::Passive,
            Variant::Nat => {
                forward_range(&lab, own)?;
                passive = Passive {
                    announced: GATEWAY_OUTSIDE,
                    ports: FORWARDED,
                };
            }
            Variant::Routed => {
                lab.gateway.nft("flush ruleset")?;
                at = own;
            }
        }
        Ok(Self {
            _server: Server::start(&lab.server, own, passive)?,
            at: SocketAddr::from((at, 21)),
            how: how_here,
            _ftp_nat: ftp_nat,
            lab,
        })
    }

    /// One of each.
    pub fn all(how: How) -> Result<Vec<Self>> {
        Variant::ALL.iter().map(|v| Self::new(*v, how)).collect()
    }

    /// Sets the offloads and the MTU of every end of every link.
    pub fn links(&self, offloads: Offloads, mtu: u32) -> Result<()> {
        self.lab.offloads(offloads)?;
        let lab = &self.lab;
        let ends = [
            (&lab.client, ETH),
            (&lab.server, ETH),
            (&lab.gateway, LAN),
            (&lab.gateway, WAN),
        ];
        for (host, interface) in ends {
            host.mtu(interface, mtu)?;
        }
        Ok(())
    }

    /// Does something on a thread in the client's namespace.
    pub fn at_client<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.lab.client.enter(work)
    }

    /// A session of the client's; only to be called by [`Self::at_client`].
    pub fn login(&self) -> Result<Client> {
        Client::login(self.at)
    }
}

fn forward_range(lab: &Lab, to: Ipv4Addr) -> Result<()> {
    let (first, last) = (FORWARDED.start(), FORWARDED.end());
    lab.gateway.nft(&format!(
        "add rule ip nat prerouting iifname {WAN} tcp dport {first}-{last} dnat to {to}"
    ))
}
