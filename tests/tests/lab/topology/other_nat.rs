//! NAT that netfilter knows nothing of: a pair of TC programs between the hooks,
//! which gives an inside host an address of its own, without any state.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Mode, Site,
    topologies::{Mapping, mapping::neutral, rules},
};

use super::exchange::{Exchange, Probes};

const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 100);
const INSIDE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 1);
const OUTSIDE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x100);
/// The prefix outside that stands for fd00:10::/48.
const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0);

/// Which host is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Client,
    Server,
}

/// ```text
///  10.10.0.1  --- (lan) [programs] (wan) --- 61.144.1.100
///  fd00:10::1     198.51.100.7               2001:db8:1::100
///                 2001:db8:77:..::1
/// ```
fn mapped(inside: Inside, modes: [Mode; 2]) -> Result<()> {
    let site = Site::new()?
        .lan("lan", &["10.10.0.254/24", "fd00:10::254/64"])?
        .wan("wan", &["61.144.1.2/24", "2001:db8:1::2/64"])?;
    let within = site.host("inside", "lan", &["10.10.0.1/24", "fd00:10::1/64"])?;
    let without = site.host("outside", "wan", &["61.144.1.100/24", "2001:db8:1::100/64"])?;
    let accepted = match inside {
        Inside::Client => rules::ORDINARY,
        Inside::Server => rules::STRICT,
    };
    rules::forward(&site.gateway, accepted)?;
    let (own, public, other): (IpAddr, IpAddr, IpAddr) = match modes[0] {
        Mode::Port | Mode::Pasv => (INSIDE.into(), PUBLIC.into(), OUTSIDE.into()),
        Mode::Eprt | Mode::Epsv => {
            let public = neutral(INSIDE_V6, PREFIX);
            (INSIDE_V6.into(), public.into(), OUTSIDE_V6.into())
        }
    };
    let _mapping = Mapping::new(&site.gateway, "wan", own, public)?;
    let ftp_nat = site.ftp_nat().start()?;
    let exchange = match inside {
        Inside::Client => Exchange::new(&site, &ftp_nat, &within, &without, other),
        Inside::Server => {
            Exchange::new(&site, &ftp_nat, &without, &within, own).dialled_at(public, 21)
        }
    };
    for mode in modes {
        let mut exchange = exchange.mode(mode);
        if inside == Inside::Client && !mode.is_active() {
            // The way out is open.
            exchange.probes = Probes::Nowhere;
        }
        let seen = exchange.run()?;
        let known_by = match inside {
            Inside::Client => seen.client_seen,
            Inside::Server => seen.server_seen,
        };
        ensure!(known_by == public, "{seen:?}");
    }
    Ok(())
}

const V4: [Mode; 2] = [Mode::Port, Mode::Pasv];
const V6: [Mode; 2] = [Mode::Eprt, Mode::Epsv];

#[test]
fn a_client_inside() -> Result<()> {
    mapped(Inside::Client, V4)
}

#[test]
fn a_server_inside() -> Result<()> {
    mapped(Inside::Server, V4)
}

#[test]
fn a_client_inside_v6() -> Result<()> {
    mapped(Inside::Client, V6)
}

#[test]
fn a_server_inside_v6() -> Result<()> {
    mapped(Inside::Server, V6)
}
