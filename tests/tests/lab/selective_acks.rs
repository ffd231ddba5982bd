//! SACK blocks for a host whose stream is shifted must speak of that host's own
//! numbers.

use std::io::Write as _;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    capture::Sides,
    firewall::{self, Way},
    wait,
};

use crate::support::{SHIFTING_PORT, SHIFTING_PORTS, Session};

/// Commands sent at once: less than Linux' first congestion window, so that
/// each leaves in a segment of its own.
const BURST: u32 = 8;
const ROUNDS: u32 = 6;

fn with_loss(lost: &[u32]) -> Result<()> {
    let lab_and_all = Session::behind_masquerade()?;
    let Session {
        mut control,
        ftp_nat,
        server,
        lab,
    } = lab_and_all;
    // From the start, so that every block can be checked against what was sent.
    drop(control);
    let captures = lab.captures()?;
    control = lab.client.log_in(&lab.reach(&server))?;
    let file = server.publish_random("file.bin", 9, 1_000)?;
    for n in 0..SHIFTING_PORTS {
        file.verify(&control.retrieve_active(SHIFTING_PORT + n, "file.bin")?)?;
    }
    ensure!(ftp_nat.counter("rewrites_shifted")? == u64::from(SHIFTING_PORTS));

    firewall::lose(&lab.gateway, 21, Way::ToServer, BURST, lost)?;
    for _ in 0..ROUNDS {
        for _ in 0..BURST {
            control.socket().write_all(b"NOOP\r\n")?;
        }
        for _ in 0..BURST {
            control.expect_reply(200)?;
        }
    }
    ensure!(firewall::lost(&lab.gateway)? > 0, "nothing was lost");
    firewall::stop_losing(&lab.gateway)?;
    file.verify(&control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    control.expect("QUIT", 221)?;
    // The end of the connection belongs to the capture.
    drop(control);
    wait::until_true("the session to be closed", wait::PATIENCE, || {
        Ok(!lab
            .gateway
            .conntrack()?
            .iter()
            .any(|l| l.contains("ESTABLISHED")))
    })?;

    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    // `conversations` has checked that each block lies within what was sent.
    // Here more is known: what Linux has received are whole segments.
    let mut blocks = 0;
    for (client, server) in sides.control(21)? {
        ensure!(
            client.to_server.bytes().len() < server.to_server.bytes().len(),
            "the stream was not shifted"
        );
        for (left, right) in client.sacked_to_client {
            let own = |seq| client.to_server.is_edge(seq);
            ensure!(own(left) && own(right), "SACK block {left}-{right} is off");
            blocks += 1;
        }
    }
    ensure!(blocks > 0, "no SACK block reached the client");
    Ok(())
}

#[test]
fn one_segment_lost() -> Result<()> {
    with_loss(&[1])
}

#[test]
fn several_holes_at_once() -> Result<()> {
    with_loss(&[1, 3, 5])
}
