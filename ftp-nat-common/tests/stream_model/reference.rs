//! What far must receive, worked out from the whole stream at once.
//!
//! It shares no code with the engine: lines are split first and parsed as
//! strings, with the standard library's address parsers.

mod lines;

use lines::{client_line, fitted, is_foreign, server_line};
use std::{collections::BTreeSet, net::IpAddr};

/// An input range and the output range it becomes; the rest runs in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    pub in0: usize,
    /// Behind the byte that ends the address.
    pub in1: usize,
    pub out0: usize,
    pub out1: usize,
}

/// The whole truth about a stream.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub output: Vec<u8>,
    pub rewrites: Vec<Rewrite>,
}

impl Plan {
    /// Where the input offset `at` lies in the output; the start of its
    /// rewrite, if it is in one.
    pub fn output_of(&self, at: usize) -> usize {
        let mut shift = 0;
        for r in &self.rewrites {
            if at < r.in0 {
                break;
            }
            if at < r.in1 {
                return r.out0;
            }
            shift = r.out1 as isize - r.in1 as isize;
        }
        (at as isize + shift) as usize
    }

    /// The output bytes that stand for the input byte at `at`.
    pub fn outputs_of(&self, at: usize) -> std::ops::Range<usize> {
        for r in &self.rewrites {
            if (r.in0..r.in1).contains(&at) {
                return r.out0..r.out1;
            }
        }
        let out = self.output_of(at);
        out..out + 1
    }
}

/// Everything that decides about a rewrite, besides the stream itself.
pub struct World<'a> {
    pub client: bool,
    /// near's own address, and what far is told instead.
    pub own: IpAddr,
    pub seen: IpAddr,
    /// Passive requests that wait for a reply before the stream begins.
    pub passive: usize,
    /// The port to announce, by the offset of the byte behind the address.
    pub port: &'a dyn Fn(usize, u16) -> Option<u16>,
    /// Whether an address was let by between these offsets: with it the rest
    /// of its line is.
    pub exempt: &'a dyn Fn(usize, usize) -> bool,
    /// Offsets at which bytes overtook others, so that what is known of lines
    /// and Telnet sequences ends there and begins anew at the next line.
    pub lost: &'a BTreeSet<usize>,
}

/// A data byte and its place in the stream, Telnet sequences taken out.
pub type Data = (u8, usize);

/// Whether a server that announces `addr` can only mean itself.
fn is_servers_own(addr: IpAddr, world: &World<'_>) -> bool {
    let private = matches!(addr, IpAddr::V4(v4) if v4.is_private());
    addr == world.seen || addr == IpAddr::from([0, 0, 0, 0]) || (private && world.own != world.seen)
}

/// Works out what becomes of `stream`.
pub fn plan(stream: &[u8], world: &World<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut copied = 0;
    let mut passive = world.passive;
    let mut multi: Option<String> = None;
    let mut lines = Vec::new();
    let bounds: Vec<usize> = world.lost.range(1..stream.len()).copied().collect();
    let mut from = 0;
    for to in bounds.into_iter().chain([stream.len()]) {
        let data = without_telnet(stream, from..to);
        let known = data.split_inclusive(|d| d.0 == b'\n').map(<[_]>::to_vec);
        let lost = world.lost.contains(&from);
        lines.extend(known.enumerate().map(|(n, l)| (lost && n == 0, l)));
        from = to;
    }
    // TLS from the first byte on, which in the text after it means nothing.
    let tls = world.client
        && lines
            .first()
            .is_some_and(|l| l.1.first().is_some_and(|d| d.0 == 22));
    let last = lines.len().saturating_sub(1);
    for (n, (lost, line)) in lines.into_iter().enumerate() {
        if tls {
            break;
        }
        if lost {
            multi = None;
            continue;
        }
        let text: Vec<u8> = line.iter().map(|d| d.0).collect();
        // What a line was known to be stays so when its rest is lost.
        let ended = text.ends_with(b"\n") || n < last;
        if world.client && ended && is_foreign(&text) {
            break;
        }
        let (code, found) = if world.client {
            (None, client_line(&text))
        } else {
            server_line(&text, &mut multi)
        };
        if let Some(found) = found
            && let Some(&(_, first)) = line.get(found.first)
            && let Some(&(_, release)) = line.get(found.behind)
        {
            // Free text with Telnet sequences in it stays out of it.
            let mut spare = found.spare;
            if first - line[found.first - spare].1 != spare {
                spare = 0;
            }
            let in0 = first - spare;
            let telnet: Vec<u8> = (first..release)
                .filter(|at| !line.iter().any(|d| d.1 == *at))
                .map(|at| stream[at])
                .collect();
            let fits = release - in0 <= 63 && telnet.len() <= 8;
            let own = found
                .addr
                .is_none_or(|a| a == world.own || !world.client && is_servers_own(a, world));
            let asked = world.client || passive > 0;
            if fits
                && own
                && found.port >= 1024
                && asked
                && !(world.exempt)(line[0].1, in0)
                && let Some(port) = (world.port)(release, found.port)
                && (found.addr.unwrap_or(world.own) != world.seen || port != found.port)
            {
                plan.output.extend_from_slice(&stream[copied..in0]);
                let out0 = plan.output.len();
                let text = found.form.text(world.seen, port);
                let mut len = spare;
                if spare >= 13 {
                    len = release - in0 - telnet.len() - text.len();
                }
                plan.output.extend(fitted(&stream[in0..first], len));
                plan.output.extend_from_slice(text.as_bytes());
                plan.output.extend_from_slice(&telnet);
                plan.output.push(stream[release]);
                copied = release + 1;
                let out1 = plan.output.len();
                // A text that stays the same runs in parallel.
                if plan.output[out0..] != stream[in0..copied] {
                    plan.rewrites.push(Rewrite {
                        in0,
                        in1: copied,
                        out0,
                        out1,
                    });
                }
            }
        }
        if ended
            && let Some(code) = code
            && (code >= 400 || (227..=229).contains(&code))
        {
            passive = passive.saturating_sub(1);
        }
    }
    plan.output.extend_from_slice(&stream[copied..]);
    plan
}

/// RFC 854; a 255 before anything that is no Telnet command is left out too.
pub fn without_telnet(stream: &[u8], range: std::ops::Range<usize>) -> Vec<Data> {
    let mut data = Vec::new();
    let stream = &stream[..range.end];
    let mut i = range.start;
    while i < stream.len() {
        if stream[i] != 255 {
            data.push((stream[i], i));
            i += 1;
            continue;
        }
        match stream.get(i + 1) {
            Some(255) => {
                data.push((255, i + 1));
                i += 2;
            }
            Some(251..=254) => i += 3,
            Some(250) => {
                i += 2;
                while i < stream.len() && !(stream[i] == 255 && stream.get(i + 1) == Some(&240)) {
                    i += if stream[i] == 255 { 2 } else { 1 };
                }
                i += 2;
            }
            Some(240..=249) => i += 2,
            _ => i += 1,
        }
    }
    data
}

#[test]
fn the_reference_itself_is_right() {
    let port = |_, _| Some(50_000);
    let world = World {
        client: true,
        own: [10, 10, 0, 1].into(),
        seen: [61, 144, 1, 2].into(),
        passive: 1,
        port: &port,
        exempt: &|_, _| false,
        lost: &BTreeSet::new(),
    };
    let said =
        |line: &str| String::from_utf8_lossy(&plan(line.as_bytes(), &world).output).into_owned();
    assert_eq!(
        said("NOOP\r\nPORT 10,10,0,1,30,4\r\nX"),
        "NOOP\r\nPORT 61,144,1,2,195,80\r\nX"
    );
    assert_eq!(
        said("eprt |1|10.10.0.1|7684|\r\n"),
        "eprt |1|61.144.1.2|50000|\r\n"
    );
    assert_eq!(said("PORT 10,10,0,2,30,4\r\n"), "PORT 10,10,0,2,30,4\r\n");
    assert_eq!(
        said("Host: x\r\nPORT 10,10,0,1,30,4\r\n"),
        "Host: x\r\nPORT 10,10,0,1,30,4\r\n"
    );
    let world = World {
        client: false,
        ..world
    };
    let said =
        |line: &str| String::from_utf8_lossy(&plan(line.as_bytes(), &world).output).into_owned();
    assert_eq!(
        said("227 Ok (10,10,0,1,30,4)."),
        "227 Ok (61,144,1,2,195,80)."
    );
    assert_eq!(
        said("227 Entering Passive Mode (10,10,0,1,30,4).\r\n"),
        "227 Entering Passive Mo(61,144,1,2,195,80).\r\n"
    );
    assert_eq!(
        said("227 Entering Passive Mode (010,010,000,001,030,004)\r\n"),
        "227 Entering Passive Mode       (61,144,1,2,195,80)\r\n"
    );
    assert_eq!(said("229 Ok (|||7684|)\r\n"), "229 Ok (|||50000|)\r\n");
    let twice = said("229 (|||7684|)\r\n229 (|||7684|)\r\n");
    assert_eq!(
        twice, "229 (|||50000|)\r\n229 (|||7684|)\r\n",
        "one request, one answer"
    );
}
