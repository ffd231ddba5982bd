//! A server on the gateway.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, Payload, Server,
    capture::Sides,
    ftp_nat::FtpNat,
    host::Host,
    topology::{ETH, GATEWAY_INSIDE, GATEWAY_OUTSIDE},
};

use super::{counted, shut, shut_for_all};

/// vsftpd on the gateway, and ftp-nat.
fn start(lab: &Lab, at: IpAddr) -> Result<(Server, FtpNat)> {
    shut(&lab.gateway)?;
    let server = lab.gateway.vsftpd().bind(at).start()?;
    Ok((server, lab.ftp_nat().start()?))
}

/// A download and an upload that pass an input chain which drops all else.
fn transfers(lab: &Lab, host: &Host, at: IpAddr, mode: Mode) -> Result<()> {
    let (server, ftp_nat) = start(lab, at)?;
    let captures = (host.capture(ETH)?, host.capture(ETH)?);
    let target = server.target(SocketAddr::new(at, 21));
    let big = server.publish_random("download.bin", 3, 300_007)?;
    let session = host.ftp(Client::Curl).mode(mode).to(&target);
    big.verify(&session.get("download.bin")?)?;
    let up = Payload::random(4, 200_009);
    session.put("upload.bin", up.bytes())?;
    up.verify(&server.uploaded("upload.bin")?)?;
    Sides::stop(captures)?.verify_checksums()?;
    ftp_nat.until_counter("expectations_used", 2)?;
    ensure!(
        ftp_nat.counter("rewrites")? == 0,
        "there is nothing to rewrite"
    );
    let let_in = counted(lab, "marked")?;
    let wanted = if mode.is_active() { 0 } else { 2 };
    ensure!(
        let_in == wanted,
        "{let_in} marked connections came in, not {wanted}"
    );
    Ok(())
}

#[test]
fn outside_client_pasv() -> Result<()> {
    let lab = Lab::masquerade()?;
    transfers(&lab, &lab.server, GATEWAY_OUTSIDE.into(), Mode::Pasv)
}

#[test]
fn outside_client_epsv() -> Result<()> {
    let lab = Lab::masquerade()?;
    transfers(&lab, &lab.server, GATEWAY_OUTSIDE.into(), Mode::Epsv)
}

#[test]
fn outside_client_port() -> Result<()> {
    let lab = Lab::masquerade()?;
    transfers(&lab, &lab.server, GATEWAY_OUTSIDE.into(), Mode::Port)
}

#[test]
fn inside_client_pasv() -> Result<()> {
    let lab = Lab::masquerade()?;
    transfers(&lab, &lab.client, GATEWAY_INSIDE.into(), Mode::Pasv)
}

#[test]
fn inside_client_eprt() -> Result<()> {
    let lab = Lab::masquerade()?;
    transfers(&lab, &lab.client, GATEWAY_INSIDE.into(), Mode::Eprt)
}

/// An inside client that dials the gateway's outside address.
#[test]
fn inside_client_of_the_outside_address() -> Result<()> {
    let lab = Lab::masquerade()?;
    transfers(&lab, &lab.client, GATEWAY_OUTSIDE.into(), Mode::Pasv)
}

/// It is the mark that lets data in, and nothing but what was announced has it.
#[test]
fn only_what_was_announced_is_marked() -> Result<()> {
    let lab = Lab::masquerade()?;
    let (server, ftp_nat) = start(&lab, GATEWAY_OUTSIDE.into())?;
    let client = &lab.server;
    let mut control = client.log_in(&server.target(SocketAddr::new(server.ip(), 21)))?;
    let announced = control.passive()?;
    ensure!(announced.ip() == server.ip(), "227 named {announced}");

    let other = SocketAddr::new(announced.ip(), announced.port() ^ 1);
    ensure!(client.connect(other).is_err(), "another port is open");
    // Another host than the session's client, and from another side.
    ensure!(
        lab.client.connect(announced).is_err(),
        "another host came in"
    );
    ensure!(ftp_nat.counter("refused_data_source")? >= 1);
    let _data = client.connect(announced)?;
    ensure!(client.connect(announced).is_err(), "it came in twice");
    ensure!(counted(&lab, "marked")? == 1);
    Ok(())
}

/// Without a rule for the mark the chain is as shut as it was: the tests above
/// show something.
#[test]
fn without_a_rule_nothing_comes_in() -> Result<()> {
    let lab = Lab::masquerade()?;
    shut_for_all(&lab.gateway)?;
    let server = lab.gateway.vsftpd().bind(GATEWAY_OUTSIDE.into()).start()?;
    let _ftp_nat = lab.ftp_nat().start()?;
    let client = &lab.server;
    let mut control = client.log_in(&server.target(SocketAddr::new(server.ip(), 21)))?;
    let announced = control.passive()?;
    ensure!(client.connect(announced).is_err(), "it came in unmarked");
    ensure!(counted(&lab, "dropped")? >= 1);
    Ok(())
}

/// The mark is the admin's to choose, and other bits of it are left alone.
#[test]
fn another_mark() -> Result<()> {
    let lab = Lab::masquerade()?;
    let rule = "meta mark & 0xff == 0x07 ct state new counter name marked accept";
    lab.gateway.nft(&super::INPUT.replace("MARKED", rule))?;
    let server = lab.gateway.vsftpd().bind(GATEWAY_OUTSIDE.into()).start()?;
    let _ftp_nat = lab.ftp_nat().arg("--mark").arg("0x07/0xff").start()?;
    let client = &lab.server;
    let mut control = client.log_in(&server.target(SocketAddr::new(server.ip(), 21)))?;
    let file = server.publish("file", "text")?;
    file.verify(&control.retrieve_passive("file")?)?;
    ensure!(counted(&lab, "marked")? == 1);
    Ok(())
}
