//! What a program costs for one packet, by `BPF_PROG_TEST_RUN`.
//!
//! A packet that passes unchanged can be run on over and over, and the mean is
//! the cost with everything in the caches. The programs edit the others in
//! place, and a second run would meet another packet. So those are made anew for
//! every run, the kernel measures each alone, and the median counts. Either way
//! an empty program is measured likewise and subtracted.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use ftp_nat_common::{counter::Counter, tcp::flag};
use ftp_nat_tests::lab::bpf::{Instruction, Kind, Program};

use crate::{
    bench::{At, Loaded, REDIRECT},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, GATEWAY_SAME, GATEWAY_SHORTER, Host, SERVER},
    packet::{self, Packet, Parsed},
    report::{Case, Series, Target},
    turns::Effort,
};

/// Nanoseconds.
const BYSTANDER_UDP: f64 = 25.0;
const BYSTANDER_TCP: f64 = 60.0;
const DATA: f64 = 250.0;
const CONTROL: f64 = 1_000.0;
const REWRITE: f64 = 3_000.0;
/// What a daemon logs that isn't asked for more (`LevelFilter`).
const INFO: u8 = 3;
/// IP protocol number of UDP.
const UDP: u8 = 17;
/// How often one packet is run on, and how many packets are made.
const REPEAT: u32 = 200_000;
const PACKETS: u32 = 3_000;

/// A kind of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Packets {
    /// Of others than FTP
    Bystanders,
    /// Of data connections
    Data,
    /// Commands in which there is nothing to do
    Commands,
    /// Announcements
    Announcements,
    /// Texts of 1,400 bytes
    Texts,
}

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let empty = Program::load(Kind::Tc, &[Instruction::set(0, -1), Instruction::exit()])?;
    let mut meter = Meter {
        bench: Loaded::with_log(&[], INFO),
        empty,
        repeat: effort.scaled(REPEAT),
        packets: effort.scaled(PACKETS),
        only: effort.packets,
    };
    let mut rows: Vec<Series> = Vec::new();
    for turn in 0..effort.pairs {
        for (n, (label, cost, target)) in meter.all()?.into_iter().enumerate() {
            if turn == 0 {
                rows.push(Series::of(label, Vec::new(), target.map(Target::AtMost)));
            }
            rows[n].samples.push(cost);
        }
    }
    Ok(vec![
        Case::new("hooks: one run of a program", "ns", rows).print(),
    ])
}

type Row = (&'static str, f64, Option<f64>);

struct Meter {
    bench: Loaded,
    empty: Program,
    repeat: u32,
    packets: u32,
    only: Option<Packets>,
}

impl Meter {
    fn all(&mut self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for packets in Packets::value_variants() {
            if self.only.is_none_or(|only| only == *packets) {
                rows.extend(self.some(*packets)?);
            }
        }
        Ok(rows)
    }

    fn some(&mut self, packets: Packets) -> Result<Vec<Row>> {
        match packets {
            Packets::Bystanders => self.bystanders(),
            Packets::Data => self.data(),
            Packets::Commands => self.commands(),
            Packets::Announcements => [("", GATEWAY_SAME), (" and shift", GATEWAY_SHORTER)]
                .into_iter()
                .map(|(how, gateway)| self.announcement(how, gateway))
                .collect(),
            Packets::Texts => self.long_text(),
        }
    }

    /// A gateway with one control connection.
    fn session(&mut self, gateway: Host) -> Connection {
        self.bench.clear();
        let mut connection = Connection::masqueraded(Family::V4, gateway);
        connection.establish(&mut self.bench);
        connection
    }

    /// Mean time of many runs on one packet, which isn't changed.
    fn repeated(&mut self, at: At, packet: &[u8]) -> Result<f64> {
        self.bench.run_repeatedly(at, packet, self.repeat);
        let empty = self.empty.time(packet, self.repeat)?;
        Ok(positive(
            self.bench.took.as_nanos() as f64 - empty.as_nanos() as f64,
        ))
    }

    /// Median of what `once` measures of packets, each made anew.
    fn each(&mut self, mut once: impl FnMut(&mut Loaded) -> f64) -> Result<f64> {
        let mut times: Vec<f64> = (0..self.packets).map(|_| once(&mut self.bench)).collect();
        let packet = [0; 64];
        let empty = (0..self.packets).map(|_| self.empty.time(&packet, 1));
        let mut empty = empty
            .map(|time| Ok(time?.as_nanos() as f64))
            .collect::<Result<Vec<_>>>()?;
        Ok(positive(median(&mut times)? - median(&mut empty)?))
    }

    fn bystanders(&mut self) -> Result<Vec<Row>> {
        self.session(GATEWAY);
        let family = Family::V4;
        let (client, server) = (CLIENT.ip(family), SERVER.ip(family));
        let mut udp_header = [4000_u16, 5001, 40, 0].map(u16::to_be_bytes).concat();
        udp_header.extend([b'x'; 32]);
        let udp = |from: IpAddr| packet::frame(&packet::ipv4(from, server, UDP, &udp_header));
        let tcp = |from: IpAddr| {
            Packet::tcp((from, 40_001), (server, 443))
                .payload("x")
                .bytes()
        };
        let outside = GATEWAY.ip(family);
        Ok(vec![
            (
                "UDP bystander, ingress",
                self.repeated(At::FromInside, &udp(client))?,
                Some(BYSTANDER_UDP),
            ),
            (
                "UDP bystander, egress",
                self.repeated(At::ToOutside, &udp(outside))?,
                Some(BYSTANDER_UDP),
            ),
            (
                "TCP bystander, ingress",
                self.repeated(At::FromInside, &tcp(client))?,
                Some(BYSTANDER_TCP),
            ),
            (
                "TCP bystander, egress",
                self.repeated(At::ToOutside, &tcp(outside))?,
                Some(BYSTANDER_TCP),
            ),
        ])
    }

    /// Packets of a data connection, both ways.
    fn data(&mut self) -> Result<Vec<Row>> {
        const PORT: u16 = 7684;
        let mut connection = self.session(GATEWAY_SAME);
        self.bench.only_port(PORT);
        connection.client_says(&mut self.bench, "PORT 10,10,0,1,30,4\r\n");
        let family = Family::V4;
        let server = (SERVER.ip(family), 20);
        let there = Packet::tcp(server, (GATEWAY_SAME.ip(family), PORT));
        let back = Packet::tcp((CLIENT.ip(family), PORT), server);
        self.bench
            .run(At::FromOutside, &there.clone().flags(flag::SYN));
        self.bench
            .run(At::FromInside, &back.clone().flags(flag::SYN | flag::ACK));
        let mut cost = |at, packet: Packet| {
            let bytes = packet.bytes();
            let mut stray = 0;
            let cost = self.each(|bench| {
                let out = bench.run_bytes(at, &bytes);
                stray += u32::from(out.verdict != REDIRECT);
                bench.took.as_nanos() as f64
            })?;
            ensure!(stray == 0, "{stray} data packets weren't redirected");
            Ok(cost)
        };
        let full = cost(At::FromOutside, there.payload([b'x'; 1460]))?;
        let ack = cost(At::FromInside, back)?;
        Ok(vec![
            ("data packet, full size", full, Some(DATA)),
            ("data packet, acknowledgement", ack, Some(DATA)),
        ])
    }

    /// 60 bytes of frame in which there is nothing to do.
    fn commands(&mut self) -> Result<Vec<Row>> {
        let mut connection = self.session(GATEWAY_SAME);
        let (ingress, egress) = connection.client_hooks();
        let mut second = Vec::new();
        let first = self.each(|bench| {
            let packet = connection.client_packet().payload("NOOP\r\n");
            bench.run(ingress, &packet);
            let took = bench.took;
            bench.run(egress, &connection.to_server(&packet));
            second.push(bench.took.as_nanos() as f64);
            connection.client_next = connection.client_next.wrapping_add(6);
            reply(bench, &mut connection, "200\r\n", None);
            took.as_nanos() as f64
        })?;
        // The empty program was subtracted from the first, so it is known.
        let mut empty = Vec::new();
        for _ in 0..self.packets {
            empty.push(self.empty.time(&[0; 64], 1)?.as_nanos() as f64);
        }
        let second = positive(median(&mut second)? - median(&mut empty)?);
        Ok(vec![
            ("control packet of 60 bytes, ingress", first, Some(CONTROL)),
            ("control packet of 60 bytes, egress", second, Some(CONTROL)),
        ])
    }

    /// A line that is rewritten, to the same length or to another one.
    fn announcement(&mut self, how: &str, gateway: Host) -> Result<Row> {
        let mut connection = self.session(gateway);
        let ingress = connection.client_hooks().0;
        let mut port = 0_u16;
        let cost = self.each(|bench| {
            port = (port + 1) % 100;
            let line = format!("PORT 10,10,0,1,30,{}\r\n", 100 + port);
            let packet = connection.client_packet().payload(&line);
            let out = bench.run(ingress, &packet);
            let took = bench.took;
            let out = Parsed::of(&out.bytes);
            let acknowledged = out.seq().wrapping_add(out.payload().len() as u32);
            connection.client_next = connection.client_next.wrapping_add(line.len() as u32);
            reply(bench, &mut connection, "200\r\n", Some(acknowledged));
            took.as_nanos() as f64
        })?;
        let rewrites = self.bench.count(Counter::Rewrites);
        let shifted = self.bench.count(Counter::RewritesShifted);
        let wanted = if how.is_empty() { 0 } else { rewrites };
        ensure!(
            rewrites == u64::from(self.packets) && shifted == wanted,
            "{rewrites} announcements of {} were rewritten, {shifted} shifted",
            self.packets
        );
        let label = match how {
            "" => "control packet with an announcement",
            _ => "control packet with an announcement and shift",
        };
        Ok((label, cost, Some(REWRITE)))
    }

    /// 1,400 bytes, in which every byte is looked at.
    fn long_text(&mut self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut connection = self.session(GATEWAY_SAME);
        let (client, server) = (connection.client_hooks().0, connection.server_hooks().0);
        let commands = "NOOP\r\n".repeat(1400 / 6);
        let cost = self.each(|bench| {
            let packet = connection.client_packet().payload(&commands);
            bench.run(client, &packet);
            connection.client_next = connection.client_next.wrapping_add(commands.len() as u32);
            bench.took.as_nanos() as f64
        })?;
        rows.push(("control packet of 1,400 bytes, commands", cost, None));
        let mut connection = self.session(GATEWAY_SAME);
        connection.client_says(&mut self.bench, "HELP\r\n");
        let text = " some words of help in a line of this length here\r\n".repeat(27);
        reply(
            &mut self.bench,
            &mut connection,
            "214-The commands are\r\n",
            None,
        );
        let cost = self.each(|bench| {
            let packet = connection.server_packet().payload(&text);
            bench.run(server, &packet);
            connection.server_next = connection.server_next.wrapping_add(text.len() as u32);
            bench.took.as_nanos() as f64
        })?;
        rows.push(("control packet of 1,400 bytes, a reply", cost, None));
        Ok(rows)
    }
}

/// A reply of the server's, through both hooks. It acknowledges all that was
/// said, in the server's own numbers.
fn reply(bench: &mut Loaded, connection: &mut Connection, text: &str, ack: Option<u32>) {
    let mut packet = connection.server_packet().payload(text);
    if let Some(ack) = ack {
        packet = packet.ack(ack);
    }
    let (ingress, egress) = connection.server_hooks();
    bench.run(ingress, &packet);
    bench.run(egress, &connection.to_client(&packet));
    connection.server_next = connection.server_next.wrapping_add(text.len() as u32);
}

fn median(times: &mut [f64]) -> Result<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().context("no runs")
}

/// What can't be told from an empty program takes less than a nanosecond.
fn positive(cost: f64) -> f64 {
    cost.max(0.5)
}
