//! A tun device inside, outside or on both sides: packets without an Ethernet
//! header. One of the tunnels also puts options and extension headers in.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, ServerKind, Site, firewall,
    ftp_nat::FtpNat,
    topologies::rules::{self, destination_nat, source_nat},
    tunnel::{Change, Tunnel, unchanged},
    wait,
};

use super::exchange::Exchange;
use crate::support::SHIFTING_PORT;

/// Addresses with their prefix lengths: inside host, gateway inside, gateway
/// outside, outside host.
type Plan = [&'static str; 4];

const V4: Plan = [
    "10.10.0.1/24",
    "10.10.0.254/24",
    "61.144.1.2/24",
    "61.144.1.100/24",
];
const V6: Plan = [
    "fd00:10::1/64",
    "fd00:10::254/64",
    "2001:db8:1::2/64",
    "2001:db8:1::100/64",
];

fn ip(address: &str) -> Result<IpAddr> {
    let (ip, _) = address.split_once('/').context("no prefix length")?;
    Ok(ip.parse()?)
}

/// A gateway with masquerading and a published port, and a host on either side.
struct Ends {
    inside: Host,
    outside: Host,
    ftp_nat: FtpNat,
    tunnels: Vec<Tunnel>,
    plan: Plan,
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
    fn new(plan: Plan, inside: Link, outside: Link) -> Result<Self> {
        let [at_inside, lan, wan, at_outside] = plan;
        let mut site = Site::new()?;
        let mut tunnels = Vec::new();
        if matches!(inside, Link::Ethernet) {
            site = site.lan("lan", &[lan])?;
        }
        if matches!(outside, Link::Ethernet) {
            site = site.wan("wan", &[wan])?;
        }
        let mut ftp_nat = site.ftp_nat();
        let mut host = |link, name, interface, gateway, own| match link {
            Link::Ethernet => site.host(name, interface, &[own]),
            Link::Tun(change) => {
                let made = site.tunnelled(name, interface, &[gateway], &[own], change)?;
                tunnels.push(made.1);
                Ok(made.0)
            }
        };
        let inside_host = host(inside, "inside", "lan", lan, at_inside)?;
        let outside_host = host(outside, "outside", "wan", wan, at_outside)?;
        if matches!(inside, Link::Tun(_)) {
            ftp_nat = ftp_nat.lan("lan");
        }
        if matches!(outside, Link::Tun(_)) {
            ftp_nat = ftp_nat.wan("wan");
        }
        rules::forward(&site.gateway, rules::ORDINARY)?;
        source_nat(&site.gateway, "oifname wan masquerade")?;
        let (public, server) = (ip(wan)?, ip(at_inside)?);
        let family = if public.is_ipv4() { "ip" } else { "ip6" };
        let published = format!("{family} daddr {public} tcp dport 21 dnat {family} to {server}");
        destination_nat(&site.gateway, &published)?;
        Ok(Self {
            inside: inside_host,
            outside: outside_host,
            ftp_nat: ftp_nat.start()?,
            tunnels,
            plan,
            site,
        })
    }

    /// Downloads, uploads and lists, active and passive, by the public address.
    fn exchange(&self) -> Result<()> {
        let [inside, _, public, outside] = self.plan;
        let (inside, public, outside) = (ip(inside)?, ip(public)?, ip(outside)?);
        let (active, passive) = match public {
            IpAddr::V4(_) => (Mode::Port, Mode::Pasv),
            IpAddr::V6(_) => (Mode::Eprt, Mode::Epsv),
        };
        let (site, ftp_nat) = (&self.site, &self.ftp_nat);
        let out = Exchange::new(site, ftp_nat, &self.inside, &self.outside, outside);
        let seen = out.mode(active).run()?;
        ensure!(seen.announced == public, "announced was {seen:?}");
        let into = Exchange::new(site, ftp_nat, &self.outside, &self.inside, inside);
        let seen = into.dialled_at(public, 21).mode(passive).run()?;
        ensure!(seen.announced == public, "announced was {seen:?}");
        Ok(())
    }
}

#[test]
fn on_the_inside() -> Result<()> {
    Ends::new(V4, Link::Tun(unchanged), Link::Ethernet)?.exchange()
}

#[test]
fn on_the_outside() -> Result<()> {
    Ends::new(V4, Link::Ethernet, Link::Tun(unchanged))?.exchange()
}

#[test]
fn on_both_sides() -> Result<()> {
    let ends = Ends::new(V4, Link::Tun(unchanged), Link::Tun(unchanged))?;
    ensure!(ends.tunnels.len() == 2);
    ends.exchange()
}

/// Packets that were given something.
static GIVEN: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// Every IPv4 packet gets options: three that do nothing, and the end of the list
/// (RFC 791 section 3.1).
fn with_options(packet: &[u8]) -> Vec<Vec<u8>> {
    if packet[0] != 0x45 {
        return unchanged(packet);
    }
    GIVEN[0].fetch_add(1, Ordering::Relaxed);
    let (header, rest) = packet.split_at(20);
    let mut header = [header, &[1, 1, 1, 0]].concat();
    header[0] = 0x46;
    let len = u16::from_be_bytes([packet[2], packet[3]]) + 4;
    header[2..4].copy_from_slice(&len.to_be_bytes());
    header[10..12].fill(0);
    let words = header
        .chunks(2)
        .map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    vec![[&header, rest].concat()]
}

/// Every IPv6 packet gets hop-by-hop options and destination options, which are
/// all padding (RFC 8200 section 4.2).
fn with_extension_headers(packet: &[u8]) -> Vec<Vec<u8>> {
    if packet[0] >> 4 != 6 {
        return unchanged(packet);
    }
    GIVEN[1].fetch_add(1, Ordering::Relaxed);
    let (header, rest) = packet.split_at(40);
    let mut header = header.to_vec();
    let next = std::mem::replace(&mut header[6], 0);
    let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
    let destination = [next, 0, 1, 4, 0, 0, 0, 0];
    let len = u16::from_be_bytes([packet[4], packet[5]]) + 16;
    header[4..6].copy_from_slice(&len.to_be_bytes());
    vec![[&header, &hop_by_hop[..], &destination, rest].concat()]
}

/// Whatever the inside host sends, of control and data connections, has options.
fn with_headers(plan: Plan, change: Change, given: &AtomicUsize) -> Result<()> {
    let ends = Ends::new(plan, Link::Tun(change), Link::Ethernet)?;
    // Room for what is added.
    ends.inside.mtu("eth0", 1400)?;
    ends.exchange()?;
    let given = given.load(Ordering::Relaxed);
    ensure!(given > 400, "only {given} packets had options");
    Ok(())
}

#[test]
fn ipv4_options_on_every_packet() -> Result<()> {
    with_headers(V4, with_options, &GIVEN[0])
}

#[test]
fn ipv6_extension_headers_on_every_packet() -> Result<()> {
    with_headers(V6, with_extension_headers, &GIVEN[1])
}

/// Nothing gets through for so long that everybody sends again, in the middle of
/// a session with shifted numbers and of a transfer.
#[test]
fn all_stalls_for_a_while() -> Result<()> {
    use std::io::Read as _;
    let ends = Ends::new(V4, Link::Tun(unchanged), Link::Ethernet)?;
    let exchange = Exchange::new(
        &ends.site,
        &ends.ftp_nat,
        &ends.inside,
        &ends.outside,
        ip(V4[3])?,
    );
    let (server, target) = exchange.serve(ServerKind::Vsftpd)?;
    let file = server.publish_random("file.bin", 67, 8_000_000)?;
    let mut shifted = ends.inside.log_in(&target)?;
    file.verify(&shifted.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    let mut other = ends.inside.log_in(&target)?;
    let listener = other.listen(0)?;
    ensure!(other.announce(listener.local_addr()?.port())?.code == 200);
    other.expect("RETR file.bin", 150)?;
    let (mut data, _) = ftp_nat_tests::lab::control::accept(&listener)?;
    let mut got = vec![0; 100_000];
    data.read_exact(&mut got)?;

    let sent_again = |host: &Host| -> Result<u64> {
        let shown = host.run(&["cat", "/proc/net/snmp"])?;
        let mut lines = shown.lines().filter(|line| line.starts_with("Tcp:"));
        let (names, counts) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        let at = names.split(' ').position(|name| name == "RetransSegs");
        let count = at.and_then(|at| counts.split(' ').nth(at));
        Ok(count.context("no count")?.parse()?)
    };
    let before = [sent_again(&ends.inside)?, sent_again(&ends.outside)?];
    ends.tunnels[0].stall(true);
    let port = SHIFTING_PORT + 1;
    let next = shifted.listen(port)?;
    let own = ip(V4[0])?.to_string().replace('.', ",");
    let [high, low] = port.to_be_bytes();
    shifted.send(&format!("PORT {own},{high},{low}"))?;
    wait::until_true("both ends to send again", wait::PATIENCE, || {
        Ok(sent_again(&ends.inside)? >= before[0] + 3
            && sent_again(&ends.outside)? >= before[1] + 2)
    })?;
    ends.tunnels[0].stall(false);

    shifted.expect_reply(200)?;
    file.verify(&shifted.retrieve_from(&next, "file.bin")?)?;
    data.read_to_end(&mut got)?;
    drop(data);
    other.expect_reply(226)?;
    file.verify(&got)?;
    shifted.expect("QUIT", 221)?;
    ensure!(ends.ftp_nat.counter("rewrites_shifted")? >= 2);
    ensure!(firewall::counted(&ends.site.gateway, "dropped_invalid")? == 0);
    Ok(())
}
