//! What can go wrong on the command line is said in words that help.

use std::fs;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, firewall::WAN, ftp_nat::Builder, peers, wait};

/// That `ftp-nat run` is refused, and that all `words` are in what it says.
fn refused(run: &Builder, words: &[&str]) -> Result<()> {
    let done = run.refused()?;
    ensure!(!done.status.success(), "it was not refused");
    for word in words {
        ensure!(
            done.stderr.contains(word),
            "no `{word}` in: {}",
            done.stderr
        );
    }
    ensure!(
        !done.stderr.contains("panicked"),
        "it panicked: {}",
        done.stderr
    );
    Ok(())
}

#[test]
fn no_such_interface() -> Result<()> {
    let lab = Lab::masquerade()?;
    refused(&lab.ftp_nat().wan("nowhere7"), &["nowhere7"])
}

#[test]
fn an_interface_named_twice() -> Result<()> {
    let lab = Lab::masquerade()?;
    refused(&lab.ftp_nat().wan(WAN), &[WAN, "twice"])
}

#[test]
fn an_interface_of_both_kinds() -> Result<()> {
    let lab = Lab::masquerade()?;
    refused(&lab.ftp_nat().lan(WAN), &[WAN, "--wan", "--lan"])
}

#[test]
fn ports_that_are_none() -> Result<()> {
    let lab = Lab::masquerade()?;
    for port in ["0", "65536", "ftp"] {
        refused(&lab.ftp_nat().arg("--port").arg(port), &[port])?;
    }
    Ok(())
}

#[test]
fn nothing_is_loaded() -> Result<()> {
    let lab = Lab::masquerade()?;
    let verbs: [&[&str]; 6] = [
        &["stats"],
        &["sessions"],
        &["translations"],
        &["ports", "list"],
        &["ports", "add", "2121"],
        &["ports", "remove", "21"],
    ];
    for words in verbs {
        let done = lab.ftp_nat().verb(words)?;
        ensure!(
            !done.status.success(),
            "{words:?} found something: {}",
            done.text()
        );
        let pins = lab.net().pin_path();
        ensure!(
            done.stderr.contains(&*pins.to_string_lossy()),
            "{words:?} doesn't say where it looked: {}",
            done.stderr
        );
    }
    Ok(())
}

#[test]
fn somebody_without_rights() -> Result<()> {
    let lab = Lab::masquerade()?;
    // Where anybody may run it.
    let program = lab.net().dir().join("ftp-nat");
    fs::copy(peers::ftp_nat()?, &program)?;
    let mut command = lab.gateway.command("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&program)
        .args(["run", "--wan", "wan", "--lan", "lan", "--pin-path"])
        .arg(lab.net().pin_path());
    let done = lab
        .gateway
        .finish(command, "unprivileged", "", wait::PATIENCE)?;
    ensure!(!done.status.success(), "it runs without any right");
    ensure!(
        done.stderr.contains("CAP_"),
        "it names no capability: {}",
        done.stderr
    );
    Ok(())
}
