//! `ftp-nat doctor`: it finds what is wrong, and what mends it does.

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Lab, firewall::LAN, ftp_nat::FtpNat, process::Finished};
use serde_json::Value;

/// What it says, and that its exit code is that of the worst.
fn examined(done: Finished) -> Result<Value> {
    let report: Value = serde_json::from_str(&done.text())
        .with_context(|| format!("no JSON: {}{}", done.text(), done.stderr))?;
    let worst = ["ok", "warning", "error"]
        .iter()
        .position(|s| report["state"] == *s);
    let code = done
        .status
        .code()
        .and_then(|code| usize::try_from(code).ok());
    ensure!(worst.is_some() && worst == code, "{code:?}: {report}");
    Ok(report)
}

fn examine(ftp_nat: &FtpNat) -> Result<Value> {
    examined(ftp_nat.verb(&["doctor", "--config", "/dev/null", "--json"])?)
}

/// The checks of a kind that are in a state.
fn found<'a>(report: &'a Value, kind: &str, state: &str) -> Vec<&'a Value> {
    let all = report["checks"].as_array();
    let all = all.into_iter().flatten();
    all.filter(|check| check["check"] == kind && check["state"] == state)
        .collect()
}

fn has(report: &Value, kind: &str, state: &str, word: &str) -> Result<()> {
    let found = found(report, kind, state);
    let mut texts = found.iter().filter_map(|check| check["reason"].as_str());
    ensure!(
        texts.any(|text| text.contains(word)),
        "no {state} `{word}` of {kind} in {report:#}"
    );
    Ok(())
}

#[test]
fn a_gateway_that_works_has_no_errors() -> Result<()> {
    let lab = Lab::masquerade()?;
    let mut ftp_nat = lab.ftp_nat().start()?;
    let report = examine(&ftp_nat)?;
    let all = report["checks"].as_array().context("no checks")?;
    let errors: Vec<_> = all
        .iter()
        .filter(|check| check["state"] == "error")
        .collect();
    ensure!(errors.is_empty(), "{errors:#?}");
    for (kind, word) in [
        ("data_path", "watching port 21"),
        ("daemon", "tends the data path"),
        ("programs", "on every interface"),
        ("interfaces", "(outside)"),
        ("forwarding", "on for every"),
        ("kernel", "Linux"),
    ] {
        has(&report, kind, "ok", word)?;
    }
    ftp_nat.kill()?;
    has(&examine(&ftp_nat)?, "daemon", "warning", "nobody tends it")
}

#[test]
fn what_is_missing_is_found() -> Result<()> {
    let lab = Lab::masquerade()?;
    let nothing = lab
        .ftp_nat()
        .verb(&["doctor", "--config", "/dev/null", "--json"])?;
    has(
        &examined(nothing)?,
        "data_path",
        "error",
        "nothing is loaded",
    )?;
    let ftp_nat = lab.ftp_nat().start()?;
    ftp_nat.remove_port(21)?;
    has(&examine(&ftp_nat)?, "data_path", "error", "no control port")?;
    ftp_nat.add_port(21)?;
    lab.gateway.sysctl("net/ipv4/conf/lan/forwarding", "0")?;
    let report = examine(&ftp_nat)?;
    has(&report, "forwarding", "error", LAN)?;
    // What mends it does.
    let mend = found(&report, "forwarding", "error")[0]["mend"].as_str();
    lab.gateway.run(&["sh", "-c", mend.context("no remedy")?])?;
    has(&examine(&ftp_nat)?, "forwarding", "ok", "on for every")
}

#[test]
fn a_firewall_that_lets_no_control_connection_by_is_found() -> Result<()> {
    let lab = Lab::masquerade()?;
    let ftp_nat = lab.ftp_nat().arg("--data-path").arg("stack").start()?;
    lab.gateway
        .run(&["nft", "add", "table", "inet", "strict"])?;
    let chain = "{ type filter hook forward priority 0; policy drop; }";
    lab.gateway
        .run(&["nft", "add", "chain", "inet", "strict", "fw", chain])?;
    for wanted in ["new connection", "mark"] {
        let report = examine(&ftp_nat)?;
        has(&report, "firewall", "error", wanted)?;
        let errors = found(&report, "firewall", "error");
        let of_it = errors.iter().find(|check| {
            let place = check["reason"].as_str().unwrap_or_default();
            place.contains("inet strict fw") && place.contains(wanted)
        });
        let mend = of_it.and_then(|check| check["mend"].as_str());
        let mend = mend.with_context(|| format!("no remedy in {report:#}"))?;
        lab.gateway
            .run(&["sh", "-c", &mend.replace(['{', '}'], "")])?;
    }
    let report = examine(&ftp_nat)?;
    let left = found(&report, "firewall", "error");
    let strict = left
        .iter()
        .filter(|check| check["reason"].to_string().contains("strict"));
    ensure!(strict.count() == 0, "{left:#?}");
    Ok(())
}
