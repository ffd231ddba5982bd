//! `top`, on a real terminal, of sessions that really happen.

use std::io::Read as _;

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Lab, control::accept, ftp_nat::FtpNat, pty::Terminal, wait};
use nix::sys::signal::Signal;

use crate::support::Session;

/// A program that has drawn its first screen.
fn top(ftp_nat: &FtpNat) -> Result<Terminal> {
    let terminal = ftp_nat.on_terminal(&["top"], 80, 24)?;
    terminal.until(&["ftp-nat top", "1 Sessions ("])?;
    ensure!(terminal.screen().alternate_screen(), "on the usual screen");
    ensure!(terminal.screen().hide_cursor(), "with a cursor");
    Ok(terminal)
}

#[test]
fn a_session_and_its_transfer_are_seen_and_looked_at() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let size = 8_000_000;
    let file = session.server.publish_random("file", 1, size)?;
    let small = session.server.publish("small", "some text")?;
    small.verify(&session.control.retrieve_active(0, "small")?)?;
    let mut top = top(&session.ftp_nat)?;
    top.until(&["10.10.0.1:", "61.144.1.100:21", "PORT open", "works"])?;

    // A transfer stands still as long as nobody reads it.
    let listener = session.control.listen(0)?;
    let port = listener.local_addr()?.port();
    session.control.announce(port)?;
    session.control.send("RETR file")?;
    let (mut data, _) = accept(&listener)?;
    session.control.expect_reply(150)?;
    top.keys("2")?;
    let own = format!("10.10.0.1:{port}");
    top.until(&[&own, "61.144.1.100:20", "PORT established"])?;
    let mut got = Vec::new();
    data.read_to_end(&mut got)?;
    file.verify(&got)?;
    drop(data);
    session.control.expect_reply(226)?;
    // What it had in all, and at some time how fast that was.
    top.until(&[" MB", "closing"])?;
    top.keys("1")?;
    top.until(&["works x2"])?;

    top.keys("/nobody")?;
    top.until(&["filter: nobody", "1 Sessions (0/1)"])?;
    top.keys("\x1b")?;
    top.until(&["1 Sessions (1)"])?;
    top.keys("\r")?;
    let ladder = top.until(&["--[*]->   PORT 61,144,1,2,", "OK: PORT worked:"])?;
    same_as_explain(&session, &ladder)?;
    top.keys("q")?;
    top.until(&["1 Sessions (1)"])?;
    top.keys("q")?;
    ensure!(top.until_ended()?.success());
    Ok(())
}

/// The ladder is that of `explain`, on a terminal of the same width.
fn same_as_explain(session: &Session, ladder: &str) -> Result<()> {
    let mut explain = session.ftp_nat.on_terminal(&["explain"], 80, 200)?;
    explain.until(&["OK: PORT worked:"])?;
    ensure!(explain.until_ended()?.success());
    let text = explain.text();
    let name = ladder
        .lines()
        .find_map(|line| line.split_once("ftp-nat explain ")?.1.split(' ').next())
        .context("no name")?;
    ensure!(text.contains(&format!("session {name}")), "of another one");
    let (head, foot) = (5, 1);
    let lines: Vec<_> = ladder.lines().skip(head).collect();
    for line in &lines[..lines.len() - foot] {
        // How long it has been open differs.
        let of_time = line.contains("open for");
        let is_same = text.contains(line.trim_end());
        ensure!(of_time || is_same, "no `{line}` in\n{text}");
    }
    ensure!(lines.len() > 10, "{ladder}");
    Ok(())
}

#[test]
fn the_terminal_is_given_back_however_it_ends() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    for signal in [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
    ] {
        let mut top = top(&session.ftp_nat)?;
        top.signal(signal)?;
        let status = top.until_ended().with_context(|| signal.to_string())?;
        ensure!(status.success(), "{signal}: {status}");
    }
    let mut top = top(&session.ftp_nat)?;
    // Stopped, it gives the terminal back, and takes it again.
    top.keys("\x1a")?;
    top.until_restored().context("stopped")?;
    top.signal(Signal::SIGCONT)?;
    top.until(&["1 Sessions (1)"])?;

    top.resize(60, 16)?;
    top.until(&["80 columns and 24 lines", "Here are 60 and 16"])?;
    top.resize(120, 40)?;
    top.until(&["1 Sessions (1)", "2 Transfers (", "3 Refusals ("])?;

    session.ftp_nat.terminate()?;
    top.until(&["`ftp-nat run` is not running, waiting", "10.10.0.1:"])?;
    session.ftp_nat.run_again()?;
    top.until_gone("is not running")?;
    session.ftp_nat.terminate()?;
    session.ftp_nat.unload()?;
    top.until(&["Waiting: nothing is loaded at", "1 Sessions (0)"])?;
    session.ftp_nat.run_again()?;
    top.until_gone("nothing is loaded")?;
    top.keys("\x03")?;
    ensure!(top.until_ended()?.success());
    Ok(())
}

#[test]
fn without_a_terminal_or_a_daemon_it_says_so() -> Result<()> {
    let lab = Lab::masquerade()?;
    let refused = |words: &[&str], ftp_nat: &ftp_nat_tests::lab::ftp_nat::Builder| {
        let mut terminal = ftp_nat.on_terminal(&["top"], 80, 24)?;
        let status = terminal.until_ended()?;
        ensure!(!status.success(), "it did something");
        terminal.until(words)?;
        anyhow::Ok(())
    };
    refused(&["ftp-nat: top: nothing is loaded at"], &lab.ftp_nat())?;
    let mut ftp_nat = lab.ftp_nat().start()?;
    let done = ftp_nat.verb(&["top"])?;
    ensure!(!done.status.success());
    ensure!(done.stderr.contains("needs a terminal"), "{}", done.stderr);
    ensure!(done.stdout.is_empty(), "{}", done.text());
    ftp_nat.kill()?;
    wait::until_true("its end", wait::PATIENCE, || {
        Ok(!ftp_nat.process().is_running()?)
    })?;
    refused(
        &["ftp-nat: top: no `ftp-nat run` serves"],
        ftp_nat.builder(),
    )
}

#[test]
fn stats_are_watched_in_one_place() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish("file", "some text")?;
    let ftp_nat = &session.ftp_nat;
    let terminal = ftp_nat.on_terminal(&["stats", "--watch"], 100, 60)?;
    terminal.until(&["every second", "COUNTER", "SINCE"])?;
    file.verify(&session.control.retrieve_active(0, "file")?)?;
    let row = |text: &str| {
        let is_it = |line: &&str| line.starts_with("rewrites ");
        text.lines().filter(is_it).map(str::to_owned).next()
    };
    let grown = wait::until("a rewrite", wait::PATIENCE, || Ok(row(&terminal.text())))?;
    let words: Vec<_> = grown.split_whitespace().take(3).collect();
    ensure!(words == ["rewrites", "1", "+1"], "{grown}");
    // And it stands still from the next time on.
    wait::until_true("no other", wait::PATIENCE, || {
        Ok(row(&terminal.text()).is_some_and(|row| !row.contains('+')))
    })?;
    let text = terminal.text();
    let heads = text.matches("COUNTER").count();
    ensure!(heads == 1, "{heads} pages:\n{text}");

    let mut few = ftp_nat.on_terminal(&["stats", "--watch", "9", "--all"], 60, 10)?;
    few.until(&["every 9 seconds", "more lines than fit here)"])?;
    few.keys("\x03")?;
    Ok(())
}
