//! The death of the program changes nothing for traffic, and a restarted one
//! adopts what it finds.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::Lab;

use crate::support::{SHIFTING_PORT, Session};

fn survives(end: impl FnOnce(&mut Session) -> Result<()>) -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 14, 100_000)?;
    file.verify(&session.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    let before = session.ftp_nat.json("sessions")?;
    let shift = before["sessions"][0]["shift"]["client"]
        .as_i64()
        .unwrap_or(0);
    ensure!(shift != 0, "the numbers were to be shifted: {before}");

    end(&mut session)?;
    // Nobody is there, and FTP goes on, with new announcements too.
    session.control.expect("PWD", 257)?;
    file.verify(
        &session
            .control
            .retrieve_active(SHIFTING_PORT + 1, "file.bin")?,
    )?;

    session.ftp_nat.run_again()?;
    session.control.expect("PWD", 257)?;
    file.verify(
        &session
            .control
            .retrieve_active(SHIFTING_PORT + 2, "file.bin")?,
    )?;
    let after = session.ftp_nat.json("sessions")?;
    ensure!(
        before["sessions"][0]["id"] == after["sessions"][0]["id"],
        "another session: {before} {after}"
    );
    ensure!(
        after["sessions"][0]["announcements"] == 3,
        "not all was counted: {after}"
    );
    session.control.expect("QUIT", 221)?;
    Ok(())
}

#[test]
fn a_killed_program_is_run_again() -> Result<()> {
    survives(|session| session.ftp_nat.kill())
}

#[test]
fn a_program_that_was_ended_is_run_again() -> Result<()> {
    survives(|session| session.ftp_nat.terminate())
}

/// A data connection goes on while the program dies and comes back.
#[test]
fn a_transfer_survives() -> Result<()> {
    use std::io::Read as _;
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 15, 8_000_000)?;
    let listener = session.control.listen(0)?;
    session.control.announce(listener.local_addr()?.port())?;
    session.control.expect("RETR file.bin", 150)?;
    let (mut data, _) = ftp_nat_tests::lab::control::accept(&listener)?;
    let mut got = vec![0; 1_000_000];
    data.read_exact(&mut got)?;
    session.ftp_nat.kill()?;
    let mut more = vec![0; 1_000_000];
    data.read_exact(&mut more)?;
    got.extend(more);
    session.ftp_nat.run_again()?;
    data.read_to_end(&mut got)?;
    drop(data);
    session.control.expect_reply(226)?;
    file.verify(&got)
}

#[test]
fn a_second_instance_is_refused() -> Result<()> {
    let lab = Lab::masquerade()?;
    let _first = lab.ftp_nat().start()?;
    let second = lab.ftp_nat().refused()?;
    ensure!(
        !second.status.success(),
        "two instances run on one pin path"
    );
    ensure!(
        second.stderr.contains("running"),
        "it says: {}",
        second.stderr
    );
    Ok(())
}
