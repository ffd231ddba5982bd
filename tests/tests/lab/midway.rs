//! Connections that began before they were watched.

use std::mem::offset_of;

use anyhow::{Result, ensure};
use ftp_nat_common::layout::Settings;
use ftp_nat_tests::lab::Lab;

use crate::support::change_settings;

const OTHER: u16 = 2121;

#[test]
fn a_session_from_before_the_start_is_followed() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random("file.bin", 50, 60_000)?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let refused = control.announce(40_000)?;
    ensure!(
        refused.code == 500,
        "nobody helped, and yet: {}",
        refused.text
    );

    let ftp_nat = lab.ftp_nat().start()?;
    // Both directions have to be seen, and each a line's end.
    control.expect("NOOP", 200)?;
    control.expect("NOOP", 200)?;
    file.verify(&control.retrieve_active(0, "file.bin")?)?;
    ensure!(ftp_nat.counter("sessions_trusted")? == 1);
    ensure!(ftp_nat.counter("rewrites")? == 1);
    Ok(())
}

/// Later than [`PICKUP_NS`] a handshake that nobody saw was not missed by chance.
#[test]
fn what_was_not_seen_to_begin_is_left_alone_later() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random("file.bin", 52, 60_000)?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let ftp_nat = lab.ftp_nat().start()?;
    let at = offset_of!(Settings, pickup_until_ns);
    change_settings(&lab.gateway, &ftp_nat, |bytes| bytes[at..at + 8].fill(0))?;
    for _ in 0..3 {
        control.expect("NOOP", 200)?;
    }
    let refused = control.announce(40_000)?;
    ensure!(refused.code == 500, "it was picked up: {}", refused.text);
    ensure!(ftp_nat.counter("sessions_learned")? == 0);
    let mut new = lab.client.log_in(&lab.reach(&server))?;
    file.verify(&new.retrieve_active(0, "file.bin")?)?;
    // Whoever wants it followed says so.
    ftp_nat.remove_port(21)?;
    ftp_nat.add_port(21)?;
    control.expect("NOOP", 200)?;
    control.expect("NOOP", 200)?;
    file.verify(&control.retrieve_active(0, "file.bin")?)
}

#[test]
fn a_session_on_a_port_that_is_added_later_is_followed() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().port(OTHER).start()?;
    let file = server.publish_random("file.bin", 51, 60_000)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    ftp_nat.add_port(OTHER)?;
    control.expect("NOOP", 200)?;
    control.expect("NOOP", 200)?;
    file.verify(&control.retrieve_active(0, "file.bin")?)?;
    Ok(())
}
