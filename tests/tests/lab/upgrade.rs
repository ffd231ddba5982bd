//! Another version takes over: its programs replace the others without a gap,
//! or it refuses what it can't read.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    interrupt::{LINK_UPDATE, kill_at},
    peers,
};

use crate::{
    busy::Busy,
    support::{SHIFTING_PORT, Session, change_settings},
};

/// A copy of the program with another build id.
fn another_build(session: &Session) -> Result<PathBuf> {
    let mut bytes = fs::read(peers::ftp_nat()?)?;
    // The note of a build id: name and description lengths, type 3, "GNU".
    let note = [4u32, 20, 3].map(u32::to_le_bytes).concat();
    let note = [note.as_slice(), b"GNU\0"].concat();
    let at = bytes.windows(note.len()).position(|w| w == note);
    let at = at.context("the program has no build id")? + note.len();
    for byte in &mut bytes[at..at + 20] {
        *byte ^= 0xff;
    }
    let path = session.lab.net().dir().join("ftp-nat-next");
    fs::write(&path, bytes)?;
    fs::set_permissions(&path, fs::metadata(peers::ftp_nat()?)?.permissions())?;
    Ok(path)
}

/// The links by id, each with its program's.
fn links(session: &Session) -> Result<Vec<(u64, u64)>> {
    let text = session
        .lab
        .gateway
        .run(&["bpftool", "-j", "link", "list"])?;
    let all: serde_json::Value = serde_json::from_str(&text)?;
    let mut found = Vec::new();
    for file in fs::read_dir(session.ftp_nat.pin_path().join("links"))? {
        let path = file?.path();
        let path = path.to_string_lossy();
        let shown = session
            .lab
            .gateway
            .run(&["bpftool", "-j", "link", "show", "pinned", &path])?;
        let link: serde_json::Value = serde_json::from_str(&shown)?;
        let ids = link["id"].as_u64().zip(link["prog_id"].as_u64());
        found.push(ids.with_context(|| format!("no ids in {shown} of {all}"))?);
    }
    found.sort_unstable();
    Ok(found)
}

#[test]
fn programs_are_replaced_under_a_session_and_a_transfer() -> Result<()> {
    let mut busy = Busy::new()?;
    let session = &mut busy.session;
    let before = links(session)?;
    let next = another_build(session)?;
    session.ftp_nat.terminate()?;
    session.ftp_nat.run_again_with(|run| run.program(next))?;
    let after = links(session)?;
    let ids = |links: &[(u64, u64)]| links.iter().map(|l| l.0).collect::<Vec<_>>();
    ensure!(
        ids(&before) == ids(&after),
        "other links: {before:?} {after:?}"
    );
    let kept = before.iter().zip(&after).filter(|(b, a)| b.1 == a.1);
    ensure!(
        kept.count() == 0 && before.len() == 4,
        "old programs: {before:?} {after:?}"
    );

    busy.goes_on()
}

/// The program arrays that are pinned.
fn arrays(session: &Session) -> Result<usize> {
    Ok(fs::read_dir(session.ftp_nat.pin_path().join("stages"))?.count())
}

/// A start is killed before it has put its programs on the first link, and then
/// when old ones run beside new ones: the old ones go on calling each other, and
/// so do the new ones. The next start clears up.
#[test]
fn an_upgrade_may_be_killed_at_any_link() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 73, 50_000)?;
    let get = |session: &mut Session, nth: u16| {
        let got = session
            .control
            .retrieve_active(SHIFTING_PORT + nth, "file.bin")?;
        file.verify(&got)
    };
    get(&mut session, 0)?;
    session.ftp_nat.terminate()?;
    let first = links(&session)?;
    for replaced in 0..4 {
        let mut process = session.ftp_nat.builder().begin()?;
        kill_at(process.pid(), LINK_UPDATE, replaced + 1)?;
        process.kill()?;
        let now = links(&session)?;
        let kept = now.iter().filter(|link| first.contains(link)).count();
        ensure!(
            kept == 4 - replaced,
            "{kept} links are as they were: {now:?}"
        );
        ensure!(arrays(&session)? == replaced + 2, "arrays are missing");
        get(&mut session, 1 + replaced as u16)?;
        let mut other = session
            .lab
            .client
            .log_in(&session.lab.reach(&session.server))?;
        file.verify(&other.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
        other.expect("QUIT", 221)?;
    }
    session.ftp_nat.run_again()?;
    ensure!(arrays(&session)? == 1, "arrays of former starts are left");
    get(&mut session, 5)?;
    ensure!(session.ftp_nat.counter("stage_missing")? == 0);
    session.control.expect("QUIT", 221)?;
    Ok(())
}

#[test]
fn maps_of_another_layout_are_refused_and_stay_as_they_are() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    session.ftp_nat.terminate()?;
    let gateway = session.lab.gateway.clone();
    change_settings(&gateway, &session.ftp_nat, |bytes| bytes[0] = 99)?;
    let pin = session.ftp_nat.pin_path().join("SETTINGS");
    let path = pin.to_string_lossy().into_owned();
    let dump = || gateway.run(&["bpftool", "-j", "map", "dump", "pinned", &path]);
    let before = dump()?;

    let refused = session.ftp_nat.builder().refused()?;
    ensure!(
        !refused.status.success(),
        "maps of another layout were adopted"
    );
    for word in ["SETTINGS", "layout 99", "another version", "unload"] {
        ensure!(
            refused.stderr.contains(word),
            "no `{word}`: {}",
            refused.stderr
        );
    }
    for verb in ["stats", "sessions", "translations"] {
        let done = session.ftp_nat.verb(&[verb])?;
        ensure!(
            !done.status.success() && done.stderr.contains("layout 99"),
            "{verb}: {}",
            done.stderr
        );
    }
    ensure!(dump()? == before, "somebody wrote to it");
    // The way out that the message names.
    session.ftp_nat.unload()?;
    ensure!(!session.ftp_nat.pin_path().exists(), "pins are left");
    Ok(())
}
