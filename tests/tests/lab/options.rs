//! Options of `run`, at the start and when a data path is adopted.

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::Lab;

use crate::{busy::Busy, support::Session};

/// A port of the default list of those that are never opened.
const REDIS: u16 = 6379;

#[test]
fn a_denied_port_stays_closed_until_it_is_allowed() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 51, 20_000)?;
    let refused = session.control.announce(REDIS)?;
    ensure!(refused.code == 500, "it was opened: {}", refused.text);
    ensure!(session.ftp_nat.counter("refused_port")? == 1);
    // The next one is not on the list.
    file.verify(&session.control.retrieve_active(REDIS + 1, "file.bin")?)?;
    session.ftp_nat.terminate()?;
    session
        .ftp_nat
        .run_again_with(|run| run.arg("--deny-ports").arg(""))?;
    file.verify(&session.control.retrieve_active(REDIS, "file.bin")?)
}

#[test]
fn other_options_hold_when_run_adopts() -> Result<()> {
    let mut busy = Busy::new()?;
    let left = |session: &mut Session, port| -> Result<u64> {
        ensure!(session.control.announce(port)?.code == 200);
        let found = session.ftp_nat.json("translations")?;
        let all = found["translations"].as_array().map_or(&[][..], |l| l);
        let pending = all.iter().find(|t| t["state"] == "pending");
        let left = pending.and_then(|t| t["expires_in_ms"].as_u64());
        left.with_context(|| format!("nothing is pending: {found}"))
    };
    let before = left(&mut busy.session, 40_000)?;
    ensure!(
        (30_001..=60_000).contains(&before),
        "the default: {before} ms"
    );
    busy.session.ftp_nat.terminate()?;
    busy.session
        .ftp_nat
        .run_again_with(|run| run.arg("--expect-timeout").arg("30"))?;
    let after = left(&mut busy.session, 40_001)?;
    ensure!(
        (1..=30_000).contains(&after),
        "it was to be shorter: {after} ms"
    );
    busy.announced_too(2);
    busy.goes_on()
}

#[test]
fn sizes_are_fixed_while_the_tables_exist() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    session.ftp_nat.terminate()?;
    let other = session
        .ftp_nat
        .builder()
        .clone()
        .arg("--max-sessions")
        .arg("9");
    let refused = other.refused()?;
    ensure!(!refused.status.success(), "the tables have another size");
    for word in ["--max-sessions 9", "65536", "unload"] {
        ensure!(
            refused.stderr.contains(word),
            "no `{word}`: {}",
            refused.stderr
        );
    }
    // It left all as it was, and the old size, or none, is no error.
    let file = session.server.publish_random("file.bin", 52, 20_000)?;
    file.verify(&session.control.retrieve_active(0, "file.bin")?)?;
    let words = ["--max-sessions", "65536"];
    session
        .ftp_nat
        .run_again_with(|run| words.iter().fold(run, |run, word| run.arg(word)))?;
    file.verify(&session.control.retrieve_active(0, "file.bin")?)
}

#[test]
fn what_can_not_be_is_refused_and_nothing_is_loaded() -> Result<()> {
    let lab = Lab::masquerade()?;
    for (option, value, word) in [
        ("--expect-timeout", "29", "RFC 6384"),
        ("--deny-ports", "6000-5000", "6000-5000"),
        ("--mark", "3/1", "mask"),
        ("--max-transfers", "0", "0"),
    ] {
        let refused = lab.ftp_nat().arg(option).arg(value).refused()?;
        ensure!(!refused.status.success(), "{option} {value} was taken");
        ensure!(
            refused.stderr.contains(word),
            "{option}: {}",
            refused.stderr
        );
        ensure!(
            !lab.net().pin_path().exists(),
            "{option}: something is pinned"
        );
    }
    Ok(())
}
