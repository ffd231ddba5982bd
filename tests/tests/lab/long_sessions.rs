//! Many transfers in one session: shifts add up, and must stay exact.

use std::time::Duration;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, Payload, ServerKind, capture::Sides};

use crate::support::{SHIFTING_PORT, SHIFTING_PORTS, Session, public_text};

fn hundred(mode: Mode) -> Result<()> {
    const TIMES: u32 = 100;
    let lab = Lab::needing_help(mode)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let file = server.publish_random("file.bin", 7, 5_000)?;
    let captures = lab.captures()?;
    let session = lab
        .ftp(Client::Ftplib, mode, &server)
        .limit(Duration::from_secs(100));
    let got = session.get_many("file.bin", TIMES)?;
    Payload::from_bytes(file.bytes().repeat(TIMES as usize)).verify(&got)?;

    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let edits = sides.verify_edits(21, mode.announcement(), &public_text(mode))?;
    ensure!(
        edits == TIMES as usize,
        "{edits} of {TIMES} announcements were edited"
    );
    ensure!(ftp_nat.counter("rewrites")? == u64::from(TIMES));
    ensure!(ftp_nat.counter("flows_made")? >= u64::from(TIMES));
    Ok(())
}

#[test]
fn hundred_active_transfers_with_pwd_between() -> Result<()> {
    hundred(Mode::Port)
}

#[test]
fn hundred_passive_transfers_with_pwd_between() -> Result<()> {
    hundred(Mode::Pasv)
}

/// The gateway's address is longer than the server's, and no port's text is
/// shorter than theirs: the free text of 227 has to give way.
#[test]
fn passive_transfers_never_shift() -> Result<()> {
    for kind in ServerKind::ALL {
        let lab = Lab::dnat()?;
        let ports = (SHIFTING_PORT, SHIFTING_PORT + SHIFTING_PORTS - 1);
        let server = lab.server.serve(kind).passive_ports(ports.0, ports.1);
        let server = server.start()?;
        let ftp_nat = lab.ftp_nat().start()?;
        let file = server.publish_random("file.bin", 9, 3_000)?;
        let session = lab.ftp(Client::Ftplib, Mode::Pasv, &server);
        let got = session.get_many("file.bin", 8)?;
        Payload::from_bytes(file.bytes().repeat(8)).verify(&got)?;
        ensure!(ftp_nat.counter("rewrites")? == 8, "{}", kind.name());
        let shifted = ftp_nat.counter("rewrites_shifted")?;
        ensure!(shifted == 0, "{shifted} shifts with {}", kind.name());
    }
    Ok(())
}

/// Every PORT is one byte longer when it arrives.
#[test]
fn a_shift_that_grows_with_every_transfer() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 8, 3_000)?;
    for n in 0..3 * SHIFTING_PORTS {
        let port = SHIFTING_PORT + n % SHIFTING_PORTS;
        file.verify(&session.control.retrieve_active(port, "file.bin")?)?;
        session.control.expect("PWD", 257)?;
    }
    let shifted = session.ftp_nat.counter("rewrites_shifted")?;
    ensure!(
        shifted == u64::from(3 * SHIFTING_PORTS),
        "{shifted} rewrites were shifted"
    );
    session.control.expect("QUIT", 221)?;
    Ok(())
}
