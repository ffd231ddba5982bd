//! `unload` breaks nothing that runs: it stops helping, waits, and then removes
//! all.

use std::io::Read as _;

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{control::accept, process::Process, wait};
use nix::sys::signal::Signal;

use crate::{
    busy::Busy,
    support::{SHIFTING_PORT, Session},
};

/// A session whose numbers are shifted, with its daemon.
fn shifted() -> Result<Session> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 31, 20_000)?;
    file.verify(&session.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    let sessions = session.ftp_nat.json("sessions")?;
    let shift = sessions["sessions"][0]["shift"]["client"].as_i64();
    ensure!(shift.unwrap_or(0) != 0, "nothing is shifted: {sessions}");
    Ok(session)
}

/// `unload` that has said what it waits for.
fn draining(session: &Session, words: &[&str], expected: &str) -> Result<Process> {
    let mut unload = session.ftp_nat.builder().staying(words)?;
    unload.until_ready(&format!("a line with `{expected}`"), |log| {
        Ok(log
            .split_inclusive('\n')
            .any(|line| line.starts_with("draining") && line.contains(expected)))
    })?;
    Ok(unload)
}

/// That `unload` ends well, and that nothing is left then.
fn ends(session: &Session, unload: Process) -> Result<String> {
    let done = unload.finish(wait::PATIENCE)?.success("unload")?;
    let pins = session.ftp_nat.pin_path();
    ensure!(!pins.exists(), "{} is still there", pins.display());
    session.nothing_is_attached()?;
    Ok(done.text())
}

/// That the session goes on, and nothing new is helped.
fn only_goes_on(session: &mut Session) -> Result<()> {
    session.control.expect("PWD", 257)?;
    let refused = session.control.announce(40_000)?;
    ensure!(refused.code == 500, "it still helps: {}", refused.text);
    session.control.expect("PWD", 257)?;
    ensure!(session.ftp_nat.counter("refused_draining")? == 1);
    ensure!(session.ftp_nat.counter("refused_untrusted")? == 0);
    let learned = session.ftp_nat.counter("sessions_learned")?;
    let target = session.lab.reach(&session.server);
    let mut new = session.lab.client.log_in(&target)?;
    let refused = new.announce(40_001)?;
    ensure!(refused.code == 500, "it helps others: {}", refused.text);
    ensure!(session.ftp_nat.counter("sessions_learned")? == learned);
    Ok(())
}

#[test]
fn a_shifted_session_is_waited_for() -> Result<()> {
    let mut session = shifted()?;
    session.ftp_nat.terminate()?;
    let mut unload = draining(&session, &["unload"], " 1 control connection ")?;
    only_goes_on(&mut session)?;
    ensure!(session.ftp_nat.json("stats")?["draining"] == true);
    ensure!(unload.is_running()?, "it didn't wait: {}", unload.log());
    session.control.expect("QUIT", 221)?;
    drop(session.control);
    // All that is checked after this has no control connection.
    let done = unload.finish(wait::PATIENCE)?.success("unload")?;
    ensure!(!done.stderr.contains("can't go on"), "{}", done.stderr);
    ensure!(!session.ftp_nat.pin_path().exists(), "pins are left");
    Ok(())
}

/// Two running transfers, each with a session whose numbers are shifted, and
/// another such session.
#[test]
fn all_that_runs_is_waited_for() -> Result<()> {
    let mut busy = Busy::new()?;
    busy.session.ftp_nat.terminate()?;
    let waits =
        " 3 control connections with shifted sequence numbers or held text, 2 data connections";
    let mut unload = draining(&busy.session, &["unload"], waits)?;
    busy.move_on()?;
    only_goes_on(&mut busy.session)?;
    ensure!(unload.is_running()?, "it didn't wait: {}", unload.log());
    let mut session = busy.finish()?;
    session.control.expect("QUIT", 221)?;
    drop(session.control);
    unload.finish(wait::PATIENCE)?.success("unload")?;
    Ok(())
}

/// A session without a shift needs nobody, its running transfer does.
#[test]
fn a_running_transfer_is_waited_for() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 32, 8_000_000)?;
    let listener = session.control.listen(0)?;
    session.control.announce(listener.local_addr()?.port())?;
    session.control.expect("RETR file.bin", 150)?;
    let (mut data, _) = accept(&listener)?;
    let mut got = vec![0; 1_000_000];
    data.read_exact(&mut got)?;
    session.ftp_nat.terminate()?;
    let unload = draining(&session, &["unload"], " 1 data connection")?;
    data.read_to_end(&mut got)?;
    drop(data);
    session.control.expect_reply(226)?;
    file.verify(&got)?;
    ends(&session, unload)?;
    session.control.expect("PWD", 257)?;
    Ok(())
}

#[test]
fn what_waits_for_its_connection_is_withdrawn_at_once() -> Result<()> {
    let mut session = shifted()?;
    let listener = session.control.listen(0)?;
    let port = listener.local_addr()?.port();
    ensure!(session.control.announce(port)?.code == 200);
    session.ftp_nat.terminate()?;
    let _unload = draining(&session, &["unload"], " 1 control connection ")?;
    let waiting = session.ftp_nat.json("translations")?;
    let pending = waiting["translations"].as_array().map(Vec::len);
    let listed = session.ftp_nat.done(&["translations", "--pending"])?;
    ensure!(pending.is_some(), "no list: {waiting}");
    ensure!(!listed.contains("pending"), "still there: {listed}");
    let refused = session.control.say("RETR file.bin")?;
    ensure!(refused.code == 425, "it was let in: {}", refused.text);
    Ok(())
}

#[test]
fn interrupted_it_says_what_it_leaves_and_run_resumes() -> Result<()> {
    let mut session = shifted()?;
    session.ftp_nat.terminate()?;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let unload = draining(&session, &["unload"], " 1 control connection ")?;
        unload.signal(signal)?;
        let done = unload.finish(wait::PATIENCE)?;
        ensure!(!done.status.success(), "it says that all is well");
        for word in ["still being drained", "unload --now", "ftp-nat run"] {
            ensure!(done.stderr.contains(word), "no `{word}`: {}", done.stderr);
        }
    }
    only_goes_on(&mut session)?;
    session.ftp_nat.run_again()?;
    let file = session.server.publish_random("again.bin", 33, 20_000)?;
    let got = session
        .control
        .retrieve_active(SHIFTING_PORT + 1, "again.bin")?;
    file.verify(&got)?;
    ensure!(session.ftp_nat.json("stats")?["draining"] == false);
    Ok(())
}

#[test]
fn now_means_now() -> Result<()> {
    let mut session = shifted()?;
    session.ftp_nat.terminate()?;
    let done = session
        .ftp_nat
        .verb(&["unload", "--now"])?
        .success("unload --now")?;
    ensure!(
        done.stderr.contains("1 control connections can't go on"),
        "{}",
        done.stderr
    );
    ensure!(!session.ftp_nat.pin_path().exists(), "pins are left");
    Ok(())
}

fn stopped(unload_on_exit: bool) -> Result<()> {
    let mut session = shifted()?;
    if unload_on_exit {
        session.ftp_nat.terminate()?;
        session
            .ftp_nat
            .run_again_with(|run| run.arg("--unload-on-exit"))?;
    }
    let words = ["unload", "--stop"];
    let unload = draining(&session, &words, " 1 control connection ")?;
    session.ftp_nat.until_ended()?;
    only_goes_on(&mut session)?;
    session.control.expect("QUIT", 221)?;
    session
        .control
        .socket()
        .shutdown(std::net::Shutdown::Both)?;
    let said = ends(&session, unload)?;
    ensure!(
        said.contains("ended the running instance"),
        "it says: {said}"
    );
    Ok(())
}

#[test]
fn a_running_instance_is_ended_first() -> Result<()> {
    stopped(false)
}

#[test]
fn an_instance_that_unloads_on_exit_leaves_it_to_the_drain() -> Result<()> {
    stopped(true)
}

#[test]
fn a_running_instance_is_not_drained_behind_its_back() -> Result<()> {
    let mut session = shifted()?;
    let refused = session.ftp_nat.verb(&["unload"])?;
    ensure!(
        !refused.status.success(),
        "it unloaded under a running instance"
    );
    ensure!(
        refused.stderr.contains("--stop"),
        "it says: {}",
        refused.stderr
    );
    let draining = session.ftp_nat.json("stats")?["draining"].as_bool();
    ensure!(!draining.context("no field")?, "it is being drained");
    let file = session.server.publish_random("more.bin", 34, 20_000)?;
    file.verify(&session.control.retrieve_active(0, "more.bin")?)
}
