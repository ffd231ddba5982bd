//! Loss, repetition and reordering, before and behind the gateway.
//!
//! The relay's random numbers have fixed seeds. The time between two resends is
//! lowered, so that a test meets hundreds of them; SYNs are spared but where
//! said otherwise.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab, Mode,
    capture::Sides,
    impair::{Impairment, Place},
    topology::{CLIENT_INSIDE, GATEWAY_OUTSIDE, SERVER_INSIDE},
};

use super::reference::{Count, Rule, until_over, verify_sides};
use crate::support::{SHIFTING_PORT, SHIFTING_PORTS};

/// Segments of the data connections too are lost: enough to have some.
const FILE_LEN: usize = 20_000;
/// Far above the round trip of a lab, far below what Linux waits by itself.
const RESEND_AFTER_US: &str = "20000";

fn transfers(mode: Mode, place: Place, impairment: Impairment, times: u16) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    for host in [&lab.client, &lab.server] {
        host.sysctl("net.ipv4.tcp_rto_min_us", RESEND_AFTER_US)?;
    }
    let relay = lab.impair(place, impairment)?;
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random("file.bin", 21, FILE_LEN)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    for n in 0..times {
        let got = if mode.is_active() {
            // Some with a shift, some without.
            let port = match n % 4 {
                0 => 0,
                _ => SHIFTING_PORT + n % SHIFTING_PORTS,
            };
            control.retrieve_active(port, "file.bin")?
        } else {
            control.retrieve_passive("file.bin")?
        };
        file.verify(&got)?;
        control.expect("PWD", 257)?;
        ensure!(control.say("SITE \u{e9}t\u{e9}")?.code >= 500);
    }
    control.expect("QUIT", 221)?;
    drop(control);
    until_over(&lab)?;
    let tally = relay.stop(impairment)?;

    let sides = Sides::stop(captures)?;
    let rules = [
        Rule {
            start: "PORT ",
            own: CLIENT_INSIDE,
            public: GATEWAY_OUTSIDE,
        },
        Rule {
            start: "227 ",
            own: SERVER_INSIDE,
            public: GATEWAY_OUTSIDE,
        },
    ];
    let counts = verify_sides(&sides, 21, rules)?;
    let all = Count {
        rewritten: times.into(),
        left: 0,
    };
    let expected = if mode.is_active() {
        [all, Count::default()]
    } else {
        [Count::default(), all]
    };
    ensure!(counts == expected, "{counts:?} after {tally:?}");
    // A line that is resent is not rewritten again.
    ensure!(ftp_nat.counter("rewrites")? == u64::from(times));
    ensure!(ftp_nat.counter("expectations_made")? == u64::from(times));
    ensure!(ftp_nat.counter("ack_beyond_sent")? == 0);
    Ok(())
}

macro_rules! on_both_sides {
    ($($name:ident: $impairment:expr, $active:literal, $passive:literal;)+) => { $(
        mod $name {
            use super::*;

            #[test]
            fn inside_active() -> Result<()> {
                transfers(Mode::Port, Place::Inside, $impairment, $active)
            }

            #[test]
            fn outside_active() -> Result<()> {
                transfers(Mode::Port, Place::Outside, $impairment, $active)
            }

            #[test]
            fn inside_passive() -> Result<()> {
                transfers(Mode::Pasv, Place::Inside, $impairment, $passive)
            }

            #[test]
            fn outside_passive() -> Result<()> {
                transfers(Mode::Pasv, Place::Outside, $impairment, $passive)
            }
        }
    )+ };
}

on_both_sides! {
    all_half_a_percent: Impairment::all(5, 1), 60, 60;
    all_three_percent: Impairment::all(30, 2), 25, 25;
    all_ten_percent: Impairment::all(100, 3), 12, 12;
    loss_ten_percent: Impairment::losing(100, 4), 12, 12;
    duplication_ten_percent: Impairment::duplicating(100, 5), 30, 30;
    reordering_ten_percent: Impairment::reordering(100, 6), 20, 20;
}

/// Also the first packets of all connections are lost, repeated and late.
#[test]
fn handshakes_too() -> Result<()> {
    let impairment = Impairment {
        handshakes: true,
        ..Impairment::all(100, 7)
    };
    transfers(Mode::Port, Place::Inside, impairment, 6)?;
    transfers(Mode::Pasv, Place::Outside, impairment, 6)
}

/// A port of the default list of those that aren't opened for clients.
const DENIED: u16 = 2_049;

/// A control connection on which all of it happens on both links at once, and
/// the client pipelines. One of its announcements is refused, and counted once
/// however often it is sent.
#[test]
fn both_links_and_pipelining() -> Result<()> {
    let lab = Lab::masquerade()?;
    for host in [&lab.client, &lab.server] {
        host.sysctl("net.ipv4.tcp_rto_min_us", RESEND_AFTER_US)?;
    }
    let how = Place::ALL.map(|p| Impairment::all(50, p as u64 + 8));
    let relays = [
        lab.impair(Place::Inside, how[0])?,
        lab.impair(Place::Outside, how[1])?,
    ];
    let captures = lab.captures()?;
    let mut wire = super::wire::Wire::on(lab)?;
    for port in DENIED - 30..DENIED + 30 {
        let [high, low] = port.to_be_bytes();
        wire.write(b"NOOP one\r\nSTAT two\r\n")?;
        wire.write(format!("PORT 10,10,0,1,{high},{low}\r\n").as_bytes())?;
        wire.write(b"LIST three\r\nNOOP four\r\n")?;
        for _ in 0..5 {
            wire.reply()?;
        }
    }
    let (_, count) = wire.end()?;
    let expected = Count {
        rewritten: 59,
        left: 1,
    };
    ensure!(count == expected, "{count:?}");
    ensure!(wire.ftp_nat.counter("refused_port")? == 1);
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for (client, server) in sides.control(21)? {
        client.complete()?;
        server.complete()?;
    }
    for (relay, how) in relays.into_iter().zip(how) {
        relay.stop(how)?;
    }
    Ok(())
}
