//! Tiny segments, with and without timestamps and selective acknowledgements.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab, Offloads,
    capture::{Direction, Sides},
    scripted::Socket,
    topology::{ETH, GATEWAY_OUTSIDE},
};

use super::wire::Wire;

/// Linux takes no less from `TCP_MAXSEG`; less must be announced by the peer.
const LEAST_OPTION: u32 = 88;
/// Longer than the window of any of the sizes here at the start.
const LINES: usize = 120;
const EVERY: usize = 30;

#[derive(Clone, Copy)]
struct Options {
    timestamps: bool,
    sack: bool,
}

fn session(mss: u32, options: Options) -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.offloads(Offloads::NoSegmentation)?;
    let bit = |on| if on { "1" } else { "0" };
    for host in [&lab.client, &lab.server] {
        host.sysctl("net.ipv4.tcp_timestamps", bit(options.timestamps))?;
        host.sysctl("net.ipv4.tcp_sack", bit(options.sack))?;
    }
    let mut socket = Socket::default();
    if mss >= LEAST_OPTION {
        socket.max_segment = Some(mss);
    } else {
        lab.server.sysctl("net.ipv4.route.min_adv_mss", "0")?;
        let (gateway, mss) = (GATEWAY_OUTSIDE.to_string(), mss.to_string());
        lab.server
            .run(&["ip", "route", "add", &gateway, "dev", ETH, "advmss", &mss])?;
    }
    let captures = lab.captures()?;
    let mut wire = Wire::with(lab, socket, None)?;
    let mut rewritten = 0;
    for round in 0..6u16 {
        let mut text = Vec::new();
        for n in 0..LINES {
            if n % EVERY == 7 {
                text.extend(format!("PORT 10,10,0,1,4,{round}\r\n").bytes());
                rewritten += 1;
            } else {
                text.extend(format!("NOOP number {n}\r\n").bytes());
            }
        }
        wire.write(&text)?;
        for _ in 0..LINES {
            wire.expect("200")?;
        }
        // And in lockstep.
        for n in 0..10 {
            wire.say(format!("PORT 10,10,0,1,200,{n}\r\n").as_bytes())?;
            rewritten += 1;
        }
    }
    wire.finish(rewritten)?;

    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    ensure!(sides.verify_edits(21, "PORT ", "61,144,1,2")? == rewritten);
    // What was asked for is what was tested.
    let sent = |p: &&ftp_nat_tests::lab::capture::Packet| p.direction == Direction::Sent;
    let segments = sides.client.packets.iter().filter(sent);
    let longest = segments.filter_map(|p| Some(p.tcp()?.payload.len())).max();
    ensure!(
        longest.is_some_and(|l| l > 20 && l <= mss as usize),
        "the longest segment has {longest:?} bytes"
    );
    let header = |p: &ftp_nat_tests::lab::capture::Packet| Some(p.tcp()?.options.len());
    let timestamps = sides.client.packets.iter().filter_map(header).min();
    ensure!(
        (timestamps >= Some(12)) == options.timestamps,
        "{timestamps:?}"
    );
    Ok(())
}

fn all(mss: u32) -> Result<()> {
    for timestamps in [true, false] {
        for sack in [true, false] {
            session(mss, Options { timestamps, sack })?;
        }
    }
    Ok(())
}

#[test]
fn of_48_bytes() -> Result<()> {
    all(48)
}

#[test]
fn of_88_bytes() -> Result<()> {
    all(88)
}

#[test]
fn of_536_bytes() -> Result<()> {
    all(536)
}

#[test]
fn of_an_ethernet() -> Result<()> {
    all(1460)
}
