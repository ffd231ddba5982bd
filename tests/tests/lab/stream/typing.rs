//! A command typed one byte at a time.
//!
//! Every byte is a segment that ends in the middle of an address, is held back
//! and must be acknowledged all the same, or the sender's Nagle algorithm keeps
//! the next one until the resend timer fires (200 ms, doubled each time).

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, capture::Sides, scripted::Socket};

use super::wire::{PATIENCE, Wire};

const LINE: &[u8] = b"PORT 10,10,0,1,4,0\r\n";
/// Someone who types very fast.
const KEYSTROKE: Duration = Duration::from_millis(2);
/// Linux resends after 200 ms at the earliest; a stall by a delayed
/// acknowledgement is at most 40 ms here.
const RESEND: Duration = Duration::from_millis(190);
const TIMES: usize = 5;

/// Types the line some times, and gives how long each took until its reply.
fn typed(nagle: bool, between: impl Fn(&Wire) -> Result<()>) -> Result<Vec<Duration>> {
    let lab = Lab::masquerade()?;
    let captures = lab.captures()?;
    let socket = Socket {
        nagle,
        ..Socket::default()
    };
    let mut wire = Wire::with(lab, socket, None)?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begin = Instant::now();
        for byte in LINE {
            wire.write(&[*byte])?;
            between(&wire)?;
        }
        wire.expect("200")?;
        times.push(begin.elapsed());
    }
    wire.finish(TIMES)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let edits = sides.verify_edits(21, "PORT ", "61,144,1,2")?;
    ensure!(edits == TIMES, "{edits} edits");
    Ok(times)
}

/// The line, with a pause after each byte, is through within a second.
fn within_a_second(times: &[Duration]) -> Result<()> {
    let limit = Duration::from_secs(1) + KEYSTROKE * LINE.len() as u32;
    ensure!(times.iter().all(|t| *t < limit), "{times:?}");
    Ok(())
}

#[test]
fn without_nagle_in_one_go() -> Result<()> {
    within_a_second(&typed(false, |_| Ok(()))?)
}

#[test]
fn with_nagle_in_one_go() -> Result<()> {
    within_a_second(&typed(true, |_| Ok(()))?)
}

#[test]
fn without_nagle_at_a_keyboard() -> Result<()> {
    within_a_second(&typed(false, |_| {
        thread::sleep(KEYSTROKE);
        Ok(())
    })?)
}

#[test]
fn with_nagle_at_a_keyboard() -> Result<()> {
    within_a_second(&typed(true, |_| {
        thread::sleep(KEYSTROKE);
        Ok(())
    })?)
}

/// Each byte waits for the acknowledgement of the one before: the slowest
/// sender there is. None may wait for a resend.
#[test]
fn each_byte_after_the_last_ones_acknowledgement() -> Result<()> {
    for nagle in [false, true] {
        let stalls = std::cell::Cell::new(0);
        let times = typed(nagle, |wire| {
            let begin = Instant::now();
            wire.until_acknowledged(PATIENCE)?;
            if begin.elapsed() >= RESEND {
                stalls.set(stalls.get() + 1);
            }
            Ok(())
        })?;
        ensure!(
            stalls.get() <= 1,
            "{} bytes waited for a resend: {times:?}",
            stalls.get()
        );
    }
    Ok(())
}
