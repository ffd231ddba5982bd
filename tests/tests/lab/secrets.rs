//! What is said in secret is nowhere to be found afterwards.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    num::NonZeroUsize,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use aya::maps::MapData;
use ftp_nat::{
    control_socket::{Request, place},
    history::Which,
};
use ftp_nat_tests::lab::{Host, Lab, control::Control, ftp_nat::FtpNat, scripted, wait};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
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
        // A ring buffer can't be dumped so: see `ring`.
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

/// What a pinned ring buffer holds, read or not yet, as bytes.
fn ring(pin: &Path) -> Result<Vec<u8>> {
    let map = MapData::from_pin(pin)?;
    let len = map.info()?.max_entries() as usize;
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.context("no page size")?;
    // The consumer's page, the producer's, and then the data.
    let (before, len_all) = (usize::try_from(page)?, usize::try_from(page)? + len);
    let size = NonZeroUsize::new(len_all).context("an empty ring")?;
    let (read, shared) = (ProtFlags::PROT_READ, MapFlags::MAP_SHARED);
    let fd = map.fd().as_fd();
    // SAFETY: a new mapping, of pages that the kernel gives to be read.
    let at = unsafe { mmap(None, size, read, shared, fd, page)? };
    // SAFETY: as long as was mapped; the kernel may write to it meanwhile, so it is
    // copied as bytes.
    let bytes = unsafe {
        let data = at.cast::<u8>().as_ptr().add(before);
        let bytes = (0..len).map(|n| data.add(n).read_volatile()).collect();
        munmap(at, len_all)?;
        bytes
    };
    Ok(bytes)
}

/// What the control socket answers, as it is: `top` and all others ask it.
fn answers(ftp_nat: &FtpNat, request: &Request) -> Result<String> {
    let mut socket = UnixStream::connect(place::of(ftp_nat.pin_path()))?;
    writeln!(socket, "{}", serde_json::to_string(request)?)?;
    let mut all = String::new();
    socket.read_to_string(&mut all)?;
    Ok(all)
}

/// What `top` shows of the one session: its row, what is said of it below, and its
/// ladder.
fn screens(ftp_nat: &FtpNat) -> Result<[(String, Vec<u8>); 2]> {
    let mut top = ftp_nat.on_terminal(&["top"], 200, 100)?;
    let list = top.until(&["1 Sessions (1)", "10.10.0.1:", "PORT"])?;
    top.keys("\r")?;
    let ladder = top.until(&["ftp-nat explain ", "PORT 61,144,1,2,"])?;
    top.keys("qq")?;
    ensure!(top.until_ended()?.success());
    let screens = [("top", list), ("the ladder of top", ladder)];
    Ok(screens.map(|(name, text)| (name.to_owned(), text.into_bytes())))
}

/// Everything that ftp-nat says to anybody, and all that it keeps.
fn everything(lab: &Lab, ftp_nat: &mut FtpNat) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = maps(&lab.gateway, ftp_nat)?;
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    for wanted in ["SCRATCH", "SESSIONS", "EDITS", "HALVES"] {
        ensure!(names.contains(&wanted), "no map {wanted} among {names:?}");
    }
    let (_, sessions) = all.iter().find(|(n, _)| n == "SESSIONS").context("none")?;
    ensure!(
        sessions.windows(4).any(|w| w == [10, 10, 0, 1]),
        "the dump isn't read as it should be"
    );
    let events = ring(&ftp_nat.pin_path().join("EVENTS"))?;
    ensure!(
        events.windows(4).any(|w| w == [10, 10, 0, 1]),
        "the ring buffer isn't read as it should be"
    );
    all.push(("ring buffer EVENTS".to_owned(), events));
    for words in [
        &["explain", "--last", "9"][..],
        &["explain", "--last", "9", "--json"],
        &["events"],
        &["events", "--json"],
        &["sessions"],
        &["sessions", "--json"],
        &["translations", "--json"],
        &["stats", "--json"],
        &["doctor", "--json"],
    ] {
        let said = ftp_nat.verb(words)?;
        ensure!(!said.stdout.is_empty(), "{words:?} said nothing");
        all.push((
            words.join(" "),
            [said.stdout, said.stderr.into_bytes()].concat(),
        ));
    }
    let which = Which::Last { last: 9 };
    for request in [
        Request::History { which },
        Request::Events { follow: false },
    ] {
        let told = answers(ftp_nat, &request)?;
        ensure!(told.contains("session_learned"), "{request:?}: {told}");
        all.push((format!("{request:?}"), told.into_bytes()));
    }
    all.extend(screens(ftp_nat)?);
    let url = "http://127.0.0.1:9121/metrics";
    let metrics = lab.gateway.run(&["curl", "--silent", "--fail", url])?;
    ensure!(metrics.ends_with("# EOF\n"), "{metrics}");
    all.push(("metrics".to_owned(), metrics.into_bytes()));
    let log = ftp_nat.process().log();
    ensure!(log.contains("is expected at"), "no debug log: {log}");
    all.push(("log".to_owned(), log.into_bytes()));
    Ok(all)
}

fn nowhere(all: &[(String, Vec<u8>)]) -> Result<()> {
    for secret in [PASSWORD, ACCOUNT, TOKEN] {
        for (name, bytes) in all {
            ensure!(!holds(bytes, secret), "{secret} is in {name}");
            // Nor a part of it.
            ensure!(
                !holds(bytes, &secret[4..12]),
                "a part of {secret} is in {name}"
            );
        }
    }
    Ok(())
}

/// Each on its own line, together with others, and cut anywhere.
#[test]
fn credentials_are_nowhere_to_be_found() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let run = lab.ftp_nat().arg("-vv").arg("--metrics").arg("9121");
    let mut ftp_nat = run.start()?;
    let target = lab.reach(&server);
    let mut control = Control::open(&lab.client, target.at)?;
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
    nowhere(&everything(&lab, &mut ftp_nat)?)?;

    // Cut into segments, each of which is followed by its acknowledgement; the last
    // ones end within a secret, which stays unfinished.
    let lines = format!(
        "PASS {PASSWORD}\r\nPORT 10,10,0,1,4,1\r\nACCT {ACCOUNT}\r\nADAT {TOKEN}\r\nPORT 10,10,0,1,4,2\r\n"
    );
    for size in [1, 7, 64] {
        for piece in lines.as_bytes().chunks(size) {
            control.socket().write_all(piece)?;
            if size > 1 {
                scripted::client::until_acknowledged(control.socket(), wait::PATIENCE)?;
            }
        }
        for _ in 0..5 {
            control.reply()?;
        }
        nowhere(&everything(&lab, &mut ftp_nat)?)?;
    }
    for (unfinished, rest) in [(PASSWORD, "PASS "), (TOKEN, "ADAT ")] {
        let text = format!("{rest}{}", &unfinished[..14]);
        control.socket().write_all(text.as_bytes())?;
        scripted::client::until_acknowledged(control.socket(), wait::PATIENCE)?;
        nowhere(&everything(&lab, &mut ftp_nat)?)?;
        control.socket().write_all(b"\r\n")?;
        control.reply()?;
    }
    Ok(())
}
