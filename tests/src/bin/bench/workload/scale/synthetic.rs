//! Connections whose packets are put through the object one by one: handshake
//! and greeting, at both hooks. What a packet of the first and of the last one
//! costs, and what they take of the kernel's memory.

use std::{fs, net::IpAddr};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_common::{
    layout::{map, size},
    session::Session,
    tcp::flag,
};

use crate::{
    bench::{At, Loaded, REDIRECT},
    connection::Connection,
    hosts::{Family, GATEWAY_SAME},
    packet::Packet,
    report::{Case, Series, Target},
    turns::{Effort, alternate},
};

const SESSIONS: u32 = 100_000;
/// Data connections; each has two flows.
const TRANSFERS: u32 = 20_000;
/// Packets for one figure.
const PACKETS: u32 = 2_000;
/// Bytes of kernel memory, of one control connection.
const MEMORY: f64 = 1_024.0;

/// The figures, and the sessions that were made.
pub fn run(effort: &Effort) -> Result<(Vec<Case>, Vec<Session>)> {
    let (count, transfers) = (effort.scaled(SESSIONS), effort.scaled(TRANSFERS));
    let mut bench = Loaded::with_room(&[
        (map::SESSIONS, count + count / 8),
        (map::HALVES, 2 * (count + count / 8)),
        (map::FLOWS, size::DATA_CONNECTIONS * 2),
    ]);
    bench.settings(|s| {
        (s.max_sessions_per_source, s.max_expectations_per_source) = (u32::MAX / 4, u32::MAX / 4);
    });
    let mut connections: Vec<Connection> = (0..count).map(connection).collect();
    let empty = Memory::now()?;
    connections[0].establish(&mut bench);
    let few = alternate(effort, &[ALONE], |_| {
        command(&mut bench, &mut connections[..1], effort)
    })?;
    for connection in &mut connections[1..] {
        connection.establish(&mut bench);
    }
    let full = Memory::now()?;
    let made = bench.sessions();
    ensure!(
        made.len() == count as usize,
        "{count} handshakes, of which {} were learned",
        made.len()
    );

    let last = connections.len() - 1;
    let labels = [FIRST, LAST, SPREAD];
    let mut series = few;
    series.extend(alternate(effort, &labels, |n| match n {
        0 => command(&mut bench, &mut connections[..1], effort),
        1 => command(&mut bench, &mut connections[last..], effort),
        _ => command(&mut bench, &mut connections, effort),
    })?);
    let cost = Case::new(
        format!("scale: 60 bytes of one of {count} control connections, ingress"),
        "ns",
        series,
    )
    .ratio(FIRST, ALONE, Some(Target::AtMost(1.3)))
    .ratio(LAST, ALONE, Some(Target::AtMost(1.3)))
    .ratio(LAST, FIRST, Some(Target::AtMost(1.3)))
    .ratio(SPREAD, ALONE, None);

    let before = Memory::now()?;
    transfer(&mut bench, &mut connections[..transfers as usize])?;
    let after = Memory::now()?;
    let one = |label, bytes, target| Series::of(label, vec![bytes], target);
    let memory = Case::new(
        "scale: kernel memory",
        "bytes",
        vec![
            one(
                "control connection, as the maps account for it",
                full.maps_since(&empty, count)?,
                Some(Target::AtMost(MEMORY)),
            ),
            one(
                "data connection (two flows), as the maps account for it",
                after.maps_since(&before, transfers)?,
                None,
            ),
            one(
                "control connection, all of the kernel's slabs",
                full.slabs_since(&empty, count),
                None,
            ),
            one(
                "data connection, all of the kernel's slabs",
                after.slabs_since(&before, transfers),
                None,
            ),
        ],
    );
    Ok((vec![cost.print(), memory.print()], made))
}

const ALONE: &str = "the only one";
const FIRST: &str = "the first of all";
const LAST: &str = "the last of all";
const SPREAD: &str = "one after the other, caches cold";

/// The `n`th: each has ports and numbers of its own, and some share a client.
fn connection(n: u32) -> Connection {
    const FIRST_PORT: u32 = 10_000;
    const PORTS: u32 = 40_000;
    let mut connection = Connection::masqueraded(Family::V4, GATEWAY_SAME);
    let (host, port) = (n / PORTS, (FIRST_PORT + n % PORTS) as u16);
    let last = |first: u8| IpAddr::from([10, 10, first, (host + 1) as u8]);
    connection.client = (last(0), port);
    // Several outside addresses, as a carrier has: one has 65,535 ports only.
    connection.client_seen = (IpAddr::from([61, 14, 1, (host + 2) as u8]), port);
    connection.numbered(n.wrapping_mul(7_919), n.wrapping_mul(104_729))
}

/// Nanoseconds of a command without an announcement, at ingress: the median of
/// packets of the given connections, one after the other.
fn command(bench: &mut Loaded, connections: &mut [Connection], effort: &Effort) -> Result<f64> {
    let mut times = Vec::new();
    let count = connections.len();
    // A step without a common divisor, so that neighbours in memory don't follow.
    for n in 0..effort.scaled(PACKETS) as usize {
        let connection = &mut connections[n.wrapping_mul(48_611) % count];
        let packet = connection.client_packet().payload("NOOP\r\n");
        bench.run(connection.client_hooks().0, &packet);
        times.push(bench.took.as_nanos() as f64);
        connection.client_next = connection.client_next.wrapping_add(6);
        connection.server_says(bench, "200\r\n");
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().context("no packets")
}

/// Announces and opens a data connection with each.
fn transfer(bench: &mut Loaded, connections: &mut [Connection]) -> Result<()> {
    for connection in connections {
        let (client, seen) = (connection.client, connection.client_seen);
        // The own port is kept where it is free.
        let port = client.1;
        let IpAddr::V4(ip) = client.0 else { continue };
        let address = ip.to_string().replace('.', ",");
        let line = format!("PORT {address},{},{}\r\n", port >> 8, port & 255);
        let said = connection.client_says(bench, &line);
        let announced = announced(said.payload()).context("no announcement came out")?;
        let server = (connection.server.0, 20);
        let syn = Packet::tcp(server, (seen.0, announced)).flags(flag::SYN);
        let out = bench.run(At::FromOutside, &syn);
        ensure!(out.verdict == REDIRECT, "no flow was made for {line:?}");
        let next = said.seq().wrapping_add(said.payload().len() as u32);
        let reply = connection.server_packet().ack(next).payload("200\r\n");
        bench.run(connection.server_hooks().0, &reply);
        bench.run(connection.server_hooks().1, &connection.to_client(&reply));
        connection.server_next = connection.server_next.wrapping_add(5);
    }
    Ok(())
}

/// The port of a PORT line.
fn announced(line: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let mut numbers = text.rsplit(',').map(str::parse::<u16>);
    let (low, high) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(high << 8 | low)
}

/// What the kernel has handed out.
struct Memory {
    /// Of all maps of this process: `memlock` of their fdinfo.
    maps: u64,
    /// All slabs of the machine, where hash tables have their elements. It is in
    /// whole size classes, and others take and give there, too.
    slabs: u64,
}

impl Memory {
    fn now() -> Result<Self> {
        let mut maps = 0;
        for entry in fs::read_dir("/proc/self/fdinfo")? {
            // The folder's own descriptor is closed by now.
            let Ok(text) = fs::read_to_string(entry?.path()) else {
                continue;
            };
            if text.lines().any(|l| l.starts_with("map_type:")) {
                maps += number(&text, "memlock:").context("a map without memlock")?;
            }
        }
        let kib = number(&fs::read_to_string("/proc/meminfo")?, "Slab:");
        Ok(Self {
            maps,
            slabs: kib.context("no slabs in /proc/meminfo")? << 10,
        })
    }

    fn maps_since(&self, before: &Self, count: u32) -> Result<f64> {
        let more = self.maps.checked_sub(before.maps);
        Ok(more.context("the maps got smaller")? as f64 / f64::from(count))
    }

    /// At least a byte: in a smoke run others can give back more than this takes.
    fn slabs_since(&self, before: &Self, count: u32) -> f64 {
        (self.slabs.saturating_sub(before.slabs) as f64 / f64::from(count)).max(1.0)
    }
}

/// The first number of a line that begins with `name`.
fn number(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.next()?.split_whitespace().next()?.parse().ok()
}
