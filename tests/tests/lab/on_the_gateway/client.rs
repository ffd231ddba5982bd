//! A client on the gateway.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, Payload, capture::Sides, topology::ETH};

use super::{counted, shut};

fn transfers(client: Client, mode: Mode) -> Result<()> {
    let lab = Lab::masquerade()?;
    shut(&lab.gateway)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = (lab.server.capture(ETH)?, lab.server.capture(ETH)?);
    let target = server.target(SocketAddr::new(server.ip(), 21));
    let big = server.publish_random("download.bin", 5, 300_011)?;
    let session = lab.gateway.ftp(client).mode(mode).to(&target);
    big.verify(&session.get("download.bin")?)?;
    let up = Payload::random(6, 200_011);
    session.put("upload.bin", up.bytes())?;
    up.verify(&server.uploaded("upload.bin")?)?;
    Sides::stop(captures)?.verify_checksums()?;
    ftp_nat.until_counter("expectations_used", 2)?;
    ensure!(
        ftp_nat.counter("rewrites")? == 0,
        "there is nothing to rewrite"
    );
    let let_in = counted(&lab, "marked")?;
    let wanted = if mode.is_active() { 2 } else { 0 };
    ensure!(
        let_in >= wanted,
        "{let_in} marked connections came in, not {wanted}"
    );
    Ok(())
}

#[test]
fn port() -> Result<()> {
    transfers(Client::Curl, Mode::Port)
}

#[test]
fn eprt() -> Result<()> {
    transfers(Client::Curl, Mode::Eprt)
}

#[test]
fn pasv() -> Result<()> {
    transfers(Client::Curl, Mode::Pasv)
}

/// A hundred transfers in one session, each with its own announcement.
#[test]
fn many_transfers_in_a_session() -> Result<()> {
    let lab = Lab::masquerade()?;
    shut(&lab.gateway)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab
        .gateway
        .log_in(&server.target(SocketAddr::new(server.ip(), 21)))?;
    let file = server.publish_random("file", 7, 5_000)?;
    for _ in 0..100 {
        file.verify(&control.retrieve_active(0, "file")?)?;
    }
    ensure!(ftp_nat.counter("expectations_used")? == 100);
    ensure!(
        counted(&lab, "dropped")? == 0,
        "the input chain dropped something"
    );
    Ok(())
}
