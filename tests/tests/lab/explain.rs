//! What `explain` and `events` say of sessions that really happened.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    control::{Control, accept},
    ftp_nat::FtpNat,
    scripted::polite,
    topology::{ETH, GATEWAY_OUTSIDE},
    wait,
};
use serde_json::Value;

use crate::support::{Session, port_of};

/// What `explain --json` gives with more words.
fn explain(ftp_nat: &FtpNat, words: &[&str]) -> Result<Value> {
    let text = ftp_nat.done(&[&["explain", "--json"], words].concat())?;
    serde_json::from_str(&text).with_context(|| format!("explain --json gave {text}"))
}

/// Waits until the latest session's first verdict is this one, and gives its text.
fn until_verdict(ftp_nat: &FtpNat, name: &str) -> Result<String> {
    wait::until(&format!("the verdict {name}"), wait::PATIENCE, || {
        let told = explain(ftp_nat, &[])?;
        let verdict = &told["sessions"][0]["verdicts"][0];
        Ok((verdict["name"] == name).then(|| verdict.to_string()))
    })
    .with_context(|| format!("{:#}", explain(ftp_nat, &[]).unwrap_or_default()))
}

#[test]
fn a_transfer_that_works_is_told_in_full() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish("file", "some text")?;
    file.verify(&session.control.retrieve_active(0, "file")?)?;
    session.control.expect("QUIT", 221)?;
    session
        .control
        .socket()
        .shutdown(std::net::Shutdown::Both)?;
    let says = until_verdict(&session.ftp_nat, "works")?;
    ensure!(says.contains("61.144.1.2:"), "{says}");
    let told = wait::until("the end of it", wait::PATIENCE, || {
        let told = explain(&session.ftp_nat, &[])?;
        Ok((!told["sessions"][0]["ended"].is_null()).then_some(told))
    })?;
    let told = &told["sessions"][0];
    let entries = told["entries"].as_array().context("no entries")?;
    let names: Vec<_> = entries
        .iter()
        .filter_map(|e| e["event"].as_str())
        .filter(|name| *name != "replied" && *name != "withdrawn")
        .collect();
    let wanted = [
        "session_learned",
        "announced",
        "requested",
        "data_opened",
        "data_ended",
        "requested",
        "session_ended",
    ];
    ensure!(names == wanted, "{entries:#?}");
    let codes: Vec<_> = entries.iter().filter_map(|e| e["code"].as_u64()).collect();
    ensure!(codes == [220, 230, 200, 150, 226, 221], "{codes:?}");
    let ended = entries.iter().find(|e| e["event"] == "data_ended");
    let bytes = ended.and_then(|e| e["bytes_to_announcer"].as_u64());
    ensure!(bytes.is_some_and(|bytes| bytes > 100), "{ended:?}");

    let drawn = session.ftp_nat.done(&["explain", "--last", "1"])?;
    for wanted in [
        "PORT 10,10,0,1,",
        "--[*]->   PORT 61,144,1,2,",
        // What follows may be on the next line: ports have up to five digits.
        "<-[*]--   SYN 61.144.1.100:20 >",
        "OK: PORT worked",
    ] {
        ensure!(drawn.contains(wanted), "no `{wanted}` in\n{drawn}");
    }
    let name = told["session"].as_str().context("no name")?;
    let by_name = explain(&session.ftp_nat, &[&name[..6]])?;
    ensure!(by_name["sessions"][0]["session"] == *name);
    let by_client = explain(&session.ftp_nat, &["--client", "10.10.0.1"])?;
    ensure!(by_client["sessions"][0]["session"] == *name);

    let lines = session.ftp_nat.done(&["events", "--json"])?;
    let count = lines.lines().filter(|line| line.contains(name)).count();
    ensure!(count == entries.len(), "{lines}");
    Ok(())
}

/// A server's answers: the code in the `PORT` is what a `PORT` is answered.
fn obedient(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line).to_ascii_uppercase();
    let text = text.trim_end();
    let reply = match text {
        "AUTH TLS" => "234 Go ahead.",
        "LIST" => "425 Can't build data connection.",
        _ => match text.strip_prefix("SITE ") {
            Some(_) => "200 Noted.",
            None => return polite(line),
        },
    };
    format!("{reply}\r\n").into_bytes()
}

/// Each verdict that a session ends with, one session after the other at one
/// gateway.
#[test]
fn what_does_not_work_is_told_with_its_reason() -> Result<()> {
    let lab = Lab::masquerade()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let at: SocketAddr = "61.144.1.100:21".parse()?;
    type Answer = fn(&[u8]) -> Vec<u8>;
    let refusing: [Answer; 3] = [
        |line| refuse(line, "500 Illegal PORT command."),
        |line| refuse(line, "501 No such address."),
        |line| refuse(line, "522 Use another family."),
    ];
    let cases: [(Answer, &[&str], &str, &str); 9] = [
        (
            obedient,
            &["PORT 10,10,0,77,9,9"],
            "foreign_address",
            "10.10.0.77:2313",
        ),
        (
            obedient,
            &["PORT 10,10,0,1,3,255"],
            "port_refused",
            "below 1024",
        ),
        (
            obedient,
            &["PORT 10,10,0,1,9,9", "LIST"],
            "server_could_not_connect",
            "425",
        ),
        (obedient, &["AUTH TLS"], "encrypted", "TLS"),
        (
            refusing[0],
            &["PORT 10,10,0,1,9,9"],
            "server_refused",
            "--advertise 61.144.1.2=",
        ),
        (
            refusing[1],
            &["PORT 10,10,0,1,9,9"],
            "server_refused",
            "501",
        ),
        (
            refusing[2],
            &["PORT 10,10,0,1,9,9"],
            "server_refused",
            "EPRT or EPSV",
        ),
        (obedient, &["GET / HTTP/1.1"], "not_ftp", "not FTP"),
        (
            obedient,
            &["LIST"],
            "default_data_port",
            "default data port",
        ),
    ];
    for (answer, lines, name, wanted) in cases {
        let server = lab.server.scripted(at, None, answer)?;
        let mut control = Control::open(&lab.client, at)?;
        for line in ["USER somebody"].iter().chain(lines) {
            control.say(line)?;
        }
        let says = until_verdict(&ftp_nat, name)?;
        ensure!(says.contains(wanted), "{name}: no {wanted} in {says}");
        drop(control);
        server.stop()?;
    }
    Ok(())
}

fn refuse(line: &[u8], reply: &str) -> Vec<u8> {
    if line.starts_with(b"PORT") {
        format!("{reply}\r\n").into_bytes()
    } else {
        polite(line)
    }
}

#[test]
fn a_connection_from_another_address_is_told() -> Result<()> {
    const STRANGER: &str = "61.144.1.101";
    let mut session = Session::behind_masquerade()?;
    let server = session.lab.server.clone();
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);
    server.address(ETH, &format!("{STRANGER}/24"))?;
    let gateway = GATEWAY_OUTSIDE.to_string();
    server.run(&[
        "ip", "route", "replace", &gateway, "dev", ETH, "src", STRANGER,
    ])?;
    ensure!(server.connect(public).is_err(), "a stranger came through");
    let says = until_verdict(&session.ftp_nat, "data_from_other_address")?;
    ensure!(says.contains(STRANGER), "{says}");

    // Who may connect does, and hangs up.
    server.run(&["ip", "route", "delete", &gateway])?;
    let data = server.connect(public)?;
    let (mine, _) = accept(&listener)?;
    nix::sys::socket::setsockopt(
        &mine,
        nix::sys::socket::sockopt::Linger,
        &libc::linger {
            l_onoff: 1,
            l_linger: 0,
        },
    )?;
    drop(mine);
    until_verdict(&session.ftp_nat, "data_without_bytes")?;
    drop(data);
    Ok(())
}

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
