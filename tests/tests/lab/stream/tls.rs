//! TLS in a control connection (RFC 4217): while it lasts nothing can be read,
//! and the shift from before stays.

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    capture::Sides,
    ftp_nat::FtpNat,
    scripted::{Socket, polite},
    server::Target,
};

use super::{
    reference::{Count, Rule, until_over, verify_sides},
    wire::{PATIENCE, RULE, SERVER, Wire},
};

/// What the server says passes as it is.
const NO_RULE: Rule = Rule {
    start: "227 ",
    ..RULE
};
/// A TLS record of five bytes of application data. They are a line to the
/// scripted server, which so has an answer to it.
const RECORD: &[u8] = b"\x17\x03\x03\x00\x05plot\n";

fn both_rewritten() -> Count {
    Count {
        rewritten: 2,
        left: 0,
    }
}

/// The lines of a dialogue that log in.
fn log_in(target: &Target) -> [String; 2] {
    [
        format!("331 USER {}", target.user),
        format!("230 PASS {}", target.password),
    ]
}

fn counted(ftp_nat: &FtpNat, counters: &[(&str, u64)]) -> Result<()> {
    for (name, wanted) in counters {
        let count = ftp_nat.counter(name)?;
        ensure!(count == *wanted, "{name} is {count} and not {wanted}");
    }
    Ok(())
}

#[test]
fn behind_ccc_plain_text_is_read_again() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.pure_ftpd_with_tls()?.start()?;
    let file = server.publish("file.bin", "in plain text")?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let target = lab.reach(&server);
    let got = lab.client.dir().join("got");
    let [user, password] = log_in(&target);
    let receive = format!("receive {}", got.display());
    lab.client.dialogue(
        target.at,
        &[
            "220 ",
            // Pure-FTPd takes no AUTH once somebody has logged in.
            "530 PORT 10,10,0,1,4,0",
            "234 AUTH TLS",
            "wrap",
            &user,
            &password,
            "200 TYPE I",
            // The server gets it as it is, and finds it wrong.
            "500 PORT 10,10,0,1,4,1",
            "257 PWD",
            "200 CCC",
            "unwrap",
            // On the line that the last of TLS is on, to whoever checks.
            "200 NOOP",
            "listen 1026",
            "200 PORT 10,10,0,1,4,2",
            "150 RETR file.bin",
            &receive,
            "226 ",
            "221 QUIT",
        ],
    )?;
    file.verify(&std::fs::read(&got)?)?;
    until_over(&lab)?;
    let sides = Sides::stop(captures)?;
    let counts = verify_sides(&sides, 21, [RULE, NO_RULE])?;
    ensure!(counts[0] == both_rewritten(), "{counts:?}");
    counted(
        &ftp_nat,
        &[
            ("sessions_encrypted", 1),
            ("rewrites_shifted", 2),
            ("expectations_made", 2),
            ("expectations_withdrawn", 1),
            ("expectations_used", 1),
        ],
    )
}

/// `PROT P` and then `CCC` (RFC 4217 sections 7 and 12.3): only what is announced can
/// be read again, and its data is TLS.
#[test]
fn data_stays_in_tls_where_the_control_connection_has_left_it() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.pure_ftpd_with_tls()?.start()?;
    let file = server.publish_random("file.bin", 61, 100_000)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let target = lab.reach(&server);
    let got = lab.client.dir().join("got");
    let [user, password] = log_in(&target);
    let decrypt = format!("decrypt {}", got.display());
    lab.client.dialogue(
        target.at,
        &[
            "220 ",
            "234 AUTH TLS",
            "wrap",
            &user,
            &password,
            "200 PBSZ 0",
            "200 PROT P",
            "200 TYPE I",
            "200 CCC",
            "unwrap",
            // On the line that the last of TLS is on, to whoever checks.
            "200 NOOP",
            "listen 1024",
            "200 PORT 10,10,0,1,4,0",
            "150 RETR file.bin",
            &decrypt,
            "226 ",
            "221 QUIT",
        ],
    )?;
    file.verify(&std::fs::read(&got)?)?;
    until_over(&lab)?;
    let sides = Sides::stop(captures)?;
    let counts = verify_sides(&sides, 21, [RULE, NO_RULE])?;
    let once = Count {
        rewritten: 1,
        left: 0,
    };
    ensure!(counts[0] == once, "{counts:?}");
    // A record of a handshake is what the client began its data connection with.
    let hello = sides
        .client
        .tcp()
        .any(|(_, tcp)| tcp.src.port() == 1024 && tcp.payload.starts_with(&[22, 3]));
    ensure!(hello, "the data wasn't encrypted");
    counted(
        &ftp_nat,
        &[("sessions_encrypted", 1), ("expectations_used", 1)],
    )
}

#[test]
fn a_refused_auth_changes_nothing() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let file = server.publish("file.bin", "in plain text")?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let listener = control.listen(1024)?;
    ensure!(control.announce(1024)?.code == 200);
    let refusal = control.say("AUTH TLS")?;
    ensure!(refusal.code >= 500, "AUTH was answered `{}`", refusal.text);
    // What was announced before is still good.
    file.verify(&control.retrieve_from(&listener, "file.bin")?)?;
    file.verify(&control.retrieve_active(1025, "file.bin")?)?;
    ensure!(ftp_nat.counter("sessions_encrypted")? == 0);
    ensure!(ftp_nat.counter("expectations_withdrawn")? == 0);
    ensure!(ftp_nat.counter("expectations_used")? == 2);
    Ok(())
}

/// A server that answers REIN within TLS goes back to plain text.
#[test]
fn behind_rein_within_tls_plain_text_is_read_again() -> Result<()> {
    let lab = Lab::masquerade()?;
    let captures = lab.captures()?;
    let server = lab.server.scripted(SERVER, None, |line| match line {
        b"AUTH TLS\r\n" => b"234 Go on.\r\n".to_vec(),
        line if line.ends_with(RECORD) => RECORD.to_vec(),
        line => polite(line),
    })?;
    let mut wire = Wire::between(lab, Socket::default(), server)?;
    wire.say(b"PORT 10,10,0,1,4,0\r\n")?;
    wire.say(b"AUTH TLS\r\n")?;
    ensure!(wire.ftp_nat.counter("expectations_withdrawn")? == 1);
    for _ in 0..3 {
        wire.write(RECORD)?;
        let answer = wire.reply()?;
        ensure!(answer.as_bytes() == RECORD.trim_ascii_end(), "{answer:?}");
    }
    // The last of them was REIN.
    wire.say(b"USER lab\r\n")?;
    wire.say(b"PORT 10,10,0,1,4,1\r\n")?;
    wire.say(b"NOOP\r\n")?;
    wire.finish(2)?;
    let sides = Sides::stop(captures)?;
    let counts = verify_sides(&sides, 21, [RULE, NO_RULE])?;
    ensure!(counts[0] == both_rewritten(), "{counts:?}");
    Ok(())
}

/// Records cut anywhere, and a line in one of them that is none.
#[test]
fn what_is_within_tls_is_not_read() -> Result<()> {
    const FAKE: &[u8] = b"PORT 10,10,0,1,4,0\r\n";
    let lab = Lab::masquerade()?;
    let server = lab.server.scripted(SERVER, None, |line| match line {
        b"AUTH TLS\r\n" => b"234 Go on.\r\n".to_vec(),
        line => polite(line),
    })?;
    let mut wire = Wire::between(lab, Socket::default(), server)?;
    wire.say(b"AUTH TLS\r\n")?;
    let mut record = b"\x17\x03\x03\x00".to_vec();
    record.push(2 + FAKE.len() as u8);
    record.extend(b"\r\n");
    record.extend(FAKE);
    for at in 0..record.len() {
        wire.write(&record[..at])?;
        wire.until_acknowledged(PATIENCE)?;
        wire.write(&record[at..])?;
        // Two lines to the script: the record's head, and what is none to us.
        wire.expect("200")?;
        wire.expect("200").with_context(|| format!("cut at {at}"))?;
    }
    let received = wire.server.received();
    ensure!(received == wire.sent(), "what is within TLS was changed");
    ensure!(wire.ftp_nat.counter("rewrites")? == 0);
    ensure!(wire.ftp_nat.counter("expectations_made")? == 0);
    Ok(())
}
