//! The death of the program changes nothing for traffic, and a restarted one
//! adopts what it finds.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::Lab;

use crate::{busy::Busy, support::Session};

fn survives(end: impl FnOnce(&mut Session) -> Result<()>) -> Result<()> {
    let mut busy = Busy::new()?;
    end(&mut busy.session)?;
    // Nobody is there, and FTP goes on, with new announcements too.
    busy.step()?;
    busy.session.ftp_nat.run_again()?;
    busy.goes_on()
}

#[test]
fn a_killed_program_is_run_again() -> Result<()> {
    survives(|session| session.ftp_nat.kill())
}

#[test]
fn a_program_that_was_ended_is_run_again() -> Result<()> {
    survives(|session| session.ftp_nat.terminate())
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
