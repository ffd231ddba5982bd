//! What a server or the gateway refuses.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, control::Control, scripted::polite};

use super::{explain, until_told, until_verdict};
use crate::support::Session;

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

/// LPRT, and an address of the other family.
#[test]
fn an_announcement_in_a_form_that_is_not_followed_is_told() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    session.control.say("EPRT |2|2001:db8::1|2313|")?;
    let wanted = ["EPRT of the client", "PORT for IPv4"];
    until_told(&session.ftp_nat, "announcement_not_followed", &wanted)?;
    session.control.say("LPRT 4,4,10,10,0,1,2,9,9")?;
    until_told(&session.ftp_nat, "announcement_not_followed", &["LPRT"])
}

#[test]
fn a_full_table_is_told() -> Result<()> {
    let lab = Lab::masquerade()?;
    let at: SocketAddr = "61.144.1.100:21".parse()?;
    let server = lab.server.vsftpd().start()?;
    let run = lab.ftp_nat().arg("--max-sessions").arg("2");
    let ftp_nat = run.arg("--max-expectations").arg("1").start()?;
    let mut first = lab.client.log_in(&lab.reach(&server))?;
    first.expect("PORT 10,10,0,1,9,9", 200)?;
    let mut second = lab.client.log_in(&lab.reach(&server))?;
    second.expect("PORT 10,10,0,1,9,10", 500)?;
    let wanted = ["table of announcements", "--max-expectations"];
    until_told(&ftp_nat, "table_full", &wanted)?;

    let _third = Control::open(&lab.client, at)?;
    let told = explain(&ftp_nat, &["--client", "10.10.0.1"])?;
    let verdict = &told["verdicts"][0];
    ensure!(verdict["name"] == "table_full", "{told}");
    ensure!(verdict.to_string().contains("--max-sessions"), "{told}");
    Ok(())
}
