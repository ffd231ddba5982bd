//! Sessions as a whole, and those that aren't followed.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, control::Control, scripted::polite, wait};

use super::{explain, until_told, until_verdict};
use crate::support::Session;

#[test]
fn a_client_that_is_not_followed_is_told_why() -> Result<()> {
    let lab = Lab::masquerade()?;
    let ftp_nat = lab
        .ftp_nat()
        .arg("--max-sessions-per-source")
        .arg("1")
        .arg("--expect-timeout")
        .arg("30")
        .start()?;
    let client = ["--client", "10.10.0.1"];
    let told = explain(&ftp_nat, &client)?;
    ensure!(told["verdicts"][0]["name"] == "no_session", "{told}");

    let other: SocketAddr = "61.144.1.100:2121".parse()?;
    let elsewhere = lab.server.scripted(other, None, polite)?;
    let mut control = Control::open(&lab.client, other)?;
    control.say("USER somebody")?;
    let told = explain(&ftp_nat, &client)?;
    ensure!(told["verdicts"][0]["name"] == "port_not_watched", "{told}");
    ensure!(
        told.to_string().contains("ftp-nat ports add 2121"),
        "{told}"
    );
    drop(control);
    elsewhere.stop()?;

    let at: SocketAddr = "61.144.1.100:21".parse()?;
    let server = lab.server.vsftpd().start()?;
    let _first = lab.client.log_in(&lab.reach(&server))?;
    let _second = Control::open(&lab.client, at)?;
    let told = wait::until("what is told of the second", wait::PATIENCE, || {
        let told = explain(&ftp_nat, &client)?;
        Ok((told["verdicts"][0]["name"] == "source_limit").then_some(told))
    })?;
    ensure!(told.to_string().contains("--max-sessions-per-source"));
    Ok(())
}

/// What happened while nobody read it is read afterwards; what was in the memory
/// of the one that died isn't, and that is said.
#[test]
fn a_session_outlives_the_memory_of_it() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish("file", "some text")?;
    // What it hasn't read yet waits for the next one, which then sees all.
    until_verdict(&session.ftp_nat, "nothing_asked")?;
    session.ftp_nat.kill()?;
    let refused = session.ftp_nat.verb(&["explain"])?;
    ensure!(!refused.status.success(), "explain without run did well");
    let text = refused.stderr;
    ensure!(text.contains("no `ftp-nat run` serves"), "{text}");
    file.verify(&session.control.retrieve_active(0, "file")?)?;
    session.ftp_nat.run_again()?;
    until_verdict(&session.ftp_nat, "works")?;
    let told = explain(&session.ftp_nat, &[])?;
    ensure!(told["sessions"][0]["beginning_seen"] == false, "{told}");
    Ok(())
}

#[test]
fn a_log_in_that_fails_is_told_and_one_that_does_nothing() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let target = lab.reach(&server);
    let mut control = Control::open(&lab.client, target.at)?;
    // This server knows anonymous users alone.
    control.expect("USER somebody", 530)?;
    until_told(
        &ftp_nat,
        "login_refused",
        &["530", "User name and password"],
    )?;
    control.expect(&format!("USER {}", target.user), 230)?;
    until_told(
        &ftp_nat,
        "nothing_asked",
        &["nothing that needs a data connection"],
    )
}
