//! TCP Fast Open (RFC 7413): the client's first bytes are in its SYN. They pass
//! as they are, and what follows the next line's end is read.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::Shutdown,
};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    capture::Sides,
    scripted::{Socket, polite},
};

use super::{
    reference::{Count, verify},
    wire::{PATIENCE, RULE, SERVER},
};

/// Fast Open for clients, without a cookie (`Documentation/networking/ip-sysctl.rst`).
const CLIENT_WITHOUT_COOKIE: &str = "5";
/// For every listener, without a cookie.
const SERVER_WITHOUT_COOKIE: &str = "1538";

/// What the SYN has, then what the next segments have; how many announcements
/// of how many are rewritten.
fn opened_with(first: &[u8], then: &[&[u8]], wanted: Count) -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.client
        .sysctl("net.ipv4.tcp_fastopen", CLIENT_WITHOUT_COOKIE)?;
    lab.server
        .sysctl("net.ipv4.tcp_fastopen", SERVER_WITHOUT_COOKIE)?;
    let server = lab.server.scripted(SERVER, None, polite)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let socket = Socket {
        fast_open: true,
        ..Socket::default()
    };
    let mut client = socket.connect(&lab.client, SERVER)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(first)?;
    let mut sent = first.to_vec();
    let mut replies = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    replies.read_line(&mut line)?;
    ensure!(line.starts_with("220"), "{line}");
    let mut answered = 0;
    for text in then.iter().chain([&&b"QUIT\r\n"[..]]) {
        client.write_all(text)?;
        sent.extend_from_slice(text);
        let lines = sent.iter().filter(|b| **b == b'\n').count();
        while answered < lines {
            line.clear();
            let len = replies.read_line(&mut line).context("no reply")?;
            ensure!(len > 0 && line.starts_with('2'), "{line}");
            answered += 1;
        }
    }
    client.shutdown(Shutdown::Write)?;
    let received = server.until_received(b"QUIT\r\n", PATIENCE)?;
    let count = verify(&sent, &received, RULE)?;
    ensure!(count == wanted, "{count:?}");
    ensure!(ftp_nat.counter("rewrites")? == wanted.rewritten as u64);
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for trace in [&sides.client, &sides.server] {
        let opened = trace
            .tcp()
            .any(|(_, tcp)| tcp.flags.syn() && !tcp.flags.ack() && tcp.payload == first);
        ensure!(opened, "the SYN had no data");
    }
    Ok(())
}

const PORT: &[u8] = b"PORT 10,10,0,1,4,0\r\n";

#[test]
fn a_line_in_the_syn() -> Result<()> {
    let wanted = Count {
        rewritten: 2,
        left: 0,
    };
    opened_with(b"USER lab\r\n", &[PORT, b"NOOP\r\n", PORT], wanted)
}

#[test]
fn a_part_of_a_line_in_the_syn() -> Result<()> {
    let wanted = Count {
        rewritten: 1,
        left: 0,
    };
    opened_with(b"USER lab\r\nNO", &[b"OP\r\n", PORT], wanted)
}

/// It was not read; the next one is.
#[test]
fn an_announcement_in_the_syn() -> Result<()> {
    let wanted = Count {
        rewritten: 1,
        left: 2,
    };
    let first = [PORT, &PORT[..9]].concat();
    opened_with(&first, &[&PORT[9..], PORT], wanted)
}
