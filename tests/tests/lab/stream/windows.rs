//! Keep-alives and zero windows, with text held back and edits outstanding.

use std::{fs, io::ErrorKind};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Host, Lab, capture::Sides, scripted::Socket, wait};

use super::wire::Wire;

/// One of the kernel's counters of TCP on a host.
fn tcp_counter(host: &Host, name: &str) -> Result<u64> {
    let text = host.enter(|| {
        let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        Ok(read("snmp")? + &read("netstat")?)
    })?;
    // A line of names, and below it one of values.
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let of_tcp = names.starts_with("Tcp:") || names.starts_with("TcpExt:");
        let at = names.split(' ').position(|n| of_tcp && n == name);
        if let Some(value) = at.and_then(|at| values.split(' ').nth(at)) {
            return Ok(value.parse()?);
        }
    }
    anyhow::bail!("no counter {name}")
}

/// How often a host has asked whether a shut window is open again. With data
/// on the way Linux repeats that data instead of sending a probe of its own.
fn probes(host: &Host) -> Result<u64> {
    Ok(tcp_counter(host, "TCPWinProbe")? + tcp_counter(host, "RetransSegs")?)
}

fn until_counted(host: &Host, name: &str, least: u64) -> Result<()> {
    wait::until_true(&format!("{name} >= {least}"), wait::PATIENCE, || {
        Ok(tcp_counter(host, name)? >= least)
    })
}

/// Keep-alive probes repeat the number before the next one, which at the far
/// end is another one. An answer that is not understood would end the
/// connection, a probe that is not would be answered by nobody.
#[test]
fn keep_alives_with_a_shift_and_with_held_text() -> Result<()> {
    let lab = Lab::masquerade()?;
    let captures = lab.captures()?;
    let socket = Socket {
        keep_alive: Some(1),
        ..Socket::default()
    };
    let mut wire = Wire::with(lab, socket, None)?;
    for _ in 0..20 {
        wire.say(b"PORT 10,10,0,1,4,0\r\n")?;
    }
    let client = wire.lab.client.clone();
    let before = tcp_counter(&client, "TCPKeepAlive")?;
    until_counted(&client, "TCPKeepAlive", before + 1)?;
    wire.write(b"PORT 10,10,0,1,4")?;
    until_counted(&client, "TCPKeepAlive", before + 3)?;
    wire.say(b",0\r\n")?;
    wire.say(b"NOOP\r\n")?;
    wire.finish(21)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    ensure!(sides.verify_edits(21, "PORT ", "61,144,1,2")? == 21);
    Ok(())
}

/// A server that stops reading: its window closes within a line, within an
/// announcement, with edits outstanding; it is probed, and opens again.
fn deaf_server(every: usize, socket: Socket) -> Result<()> {
    const BUFFER: usize = 8_192;
    const LINES: usize = 3_000;
    let lab = Lab::masquerade()?;
    let captures = lab.captures()?;
    let mut wire = Wire::with(lab, socket, Some(BUFFER))?;
    let client = wire.lab.client.clone();
    let mut text = Vec::new();
    let mut announcements = 0;
    for n in 0..LINES {
        if n % every == 3 {
            text.extend(format!("PORT 10,10,0,1,4,{}\r\n", n % 10).bytes());
            announcements += 1;
        } else {
            text.extend(format!("NOOP {n}\r\n").bytes());
        }
    }
    for _ in 0..2 {
        wire.server.be_deaf(true);
        wire.client.set_nonblocking(true)?;
        let mut written = 0;
        while written < text.len() {
            match wire.write_some(&text[written..]) {
                Ok(len) => written += len,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        wire.client.set_nonblocking(false)?;
        // What the server has no room for waits, and the client asks for room:
        // with a probe where the window is shut, by sending again where it only
        // is too small (Linux drops what is beyond it).
        let before = probes(&client)?;
        wait::until_true("a client that asks for room", wait::PATIENCE, || {
            Ok(probes(&client)? > before)
        })?;
        wire.server.be_deaf(false);
        wire.write(&text[written..])?;
        for _ in 0..LINES {
            wire.expect("200")?;
        }
        wire.until_acknowledged(super::wire::PATIENCE)?;
    }
    let (_, count) = wire.end()?;
    let all = 2 * announcements;
    ensure!(count.rewritten + count.left == all, "{count:?} of {all}");
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for (client, server) in sides.control(21)? {
        client.complete()?;
        server.complete()?;
    }
    Ok(())
}

#[test]
fn a_server_that_stops_reading() -> Result<()> {
    deaf_server(100, Socket::default())
}

#[test]
fn a_server_that_stops_reading_many_announcements() -> Result<()> {
    deaf_server(4, Socket::default())
}

#[test]
fn a_server_that_stops_reading_with_nagle() -> Result<()> {
    let nagle = Socket {
        nagle: true,
        ..Socket::default()
    };
    deaf_server(40, nagle)
}
