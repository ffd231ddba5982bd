//! What is said in secret is nowhere to be found afterwards.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Host, Lab, ftp_nat::FtpNat};
use serde_json::Value;

const PASSWORD: &str = "correct-horse-battery-staple";
const ACCOUNT: &str = "Account-of-nobody-else";
const TOKEN: &str = "VG9rZW4tb2Ytbm9ib2R5LWVsc2U=";

/// Everything that any map of the programs holds, as bytes.
fn maps(host: &Host, ftp_nat: &mut FtpNat) -> Result<Vec<(String, Vec<u8>)>> {
    let mut programs = BTreeSet::new();
    let folder = format!("/proc/{}/fdinfo", ftp_nat.process().pid());
    for entry in fs::read_dir(folder)? {
        // A descriptor may be closed meanwhile.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let id = text.lines().find_map(|l| l.strip_prefix("prog_id:"));
        programs.extend(id.map(|id| id.trim().to_owned()));
    }
    ensure!(!programs.is_empty(), "ftp-nat holds no program");
    let mut ids = BTreeSet::new();
    for id in programs {
        let told = host.run(&["bpftool", "-j", "prog", "show", "id", &id])?;
        let told: Value = serde_json::from_str(&told)?;
        let of_program = told["map_ids"].as_array().into_iter().flatten();
        ids.extend(of_program.filter_map(Value::as_u64));
    }
    let mut maps = Vec::new();
    for id in ids {
        let id = id.to_string();
        let shown = host.run(&["bpftool", "-j", "map", "show", "id", &id])?;
        let shown: Value = serde_json::from_str(&shown)?;
        let name = shown["name"].as_str().unwrap_or("?").to_owned();
        let command = ["bpftool", "-j", "map", "dump", "id", &id];
        // A ring buffer can't be dumped; its content is the log.
        if shown["type"] == "ringbuf" {
            continue;
        }
        let mut bytes = Vec::new();
        collect(&serde_json::from_str(&host.run(&command)?)?, &mut bytes);
        maps.push((name, bytes));
    }
    Ok(maps)
}

/// Appends every list of `"0x.."`, which is how bpftool shows bytes.
fn collect(value: &Value, bytes: &mut Vec<u8>) {
    let byte = |v: &Value| u8::from_str_radix(v.as_str()?.strip_prefix("0x")?, 16).ok();
    match value {
        Value::Array(list) => match list.iter().map(byte).collect::<Option<Vec<_>>>() {
            Some(found) => bytes.extend(found),
            None => list.iter().for_each(|v| collect(v, bytes)),
        },
        Value::Object(fields) => fields.values().for_each(|v| collect(v, bytes)),
        _ => {}
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn credentials_are_in_no_map_and_in_no_log() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let mut ftp_nat = lab.ftp_nat().arg("-vv").start()?;
    let target = lab.reach(&server);
    let mut control = ftp_nat_tests::lab::control::Control::open(&lab.client, target.at)?;
    // What is refused was said all the same; and a command in the same packet
    // has the whole of it go through the hands that edit.
    control.say(&format!("USER {}", target.user))?;
    control.say(&format!("PASS {PASSWORD}"))?;
    control.say(&format!("ACCT {ACCOUNT}"))?;
    control.say(&format!("ADAT {TOKEN}"))?;
    let together = format!("ACCT {ACCOUNT}\r\nPORT 10,10,0,1,4,0\r\nPASS {PASSWORD}");
    control.send(&together)?;
    for _ in 0..3 {
        control.reply()?;
    }
    ensure!(ftp_nat.counter("rewrites")? == 1, "nothing was edited");

    let maps = maps(&lab.gateway, &mut ftp_nat)?;
    let names: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
    for wanted in ["SCRATCH", "SESSIONS", "EDITS", "HALVES"] {
        ensure!(names.contains(&wanted), "no map {wanted} among {names:?}");
    }
    let (_, sessions) = maps.iter().find(|(n, _)| n == "SESSIONS").context("none")?;
    ensure!(
        sessions.windows(4).any(|w| w == [10, 10, 0, 1]),
        "the dump isn't read as it should be"
    );
    let log = ftp_nat.process().log();
    ensure!(log.contains("is expected at"), "no debug log: {log}");
    for secret in [PASSWORD, ACCOUNT, TOKEN] {
        for (name, bytes) in &maps {
            ensure!(!holds(bytes, secret), "{secret} is in map {name}");
            // Nor a part of it.
            ensure!(
                !holds(bytes, &secret[4..12]),
                "a part of {secret} is in map {name}"
            );
        }
        ensure!(!log.contains(secret), "{secret} is in the log");
    }
    Ok(())
}
