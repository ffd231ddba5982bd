//! Unloading removes all that was loaded.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::Lab;

use crate::support::Session;

#[test]
fn nothing_is_left() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 16, 10_000)?;
    file.verify(&session.control.retrieve_active(0, "file.bin")?)?;
    let pins = session.ftp_nat.pin_path().clone();
    ensure!(pins.exists(), "nothing was pinned at {}", pins.display());
    ensure!(
        session.nothing_is_attached().is_err(),
        "the look-out sees nothing"
    );
    session.ftp_nat.terminate()?;
    ensure!(pins.exists(), "the pins went with the program");

    session.ftp_nat.unload()?;
    ensure!(!pins.exists(), "{} is still there", pins.display());
    session.nothing_is_attached()?;
    let rest = session.ftp_nat.verb(&["stats"])?;
    ensure!(
        !rest.status.success(),
        "stats found something: {}",
        rest.text()
    );

    let mut control = session
        .lab
        .client
        .log_in(&session.lab.reach(&session.server))?;
    let refused = control.announce(40_000)?;
    ensure!(
        refused.code == 500,
        "somebody still helps: {}",
        refused.text
    );
    Ok(())
}

#[test]
fn at_exit_if_asked_for() -> Result<()> {
    let lab = Lab::masquerade()?;
    let mut ftp_nat = lab.ftp_nat().arg("--unload-on-exit").start()?;
    let pins = ftp_nat.pin_path().clone();
    ensure!(pins.exists(), "nothing was pinned at {}", pins.display());
    ftp_nat.terminate()?;
    ensure!(!pins.exists(), "{} is still there", pins.display());
    Ok(())
}
