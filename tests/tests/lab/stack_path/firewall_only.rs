//! The forward chain decides: it accepts what ftp-nat marked, and nothing else.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab, firewall,
    topology::{GATEWAY_OUTSIDE, SERVER_INSIDE},
};

use super::{ACCEPT, start, verify_clean, verify_path, verify_tracked};
use crate::support::{Session, port_of};

/// No translation at all: nothing but the mark is needed.
#[test]
fn active_without_translation() -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.gateway.nft("delete table ip nat")?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let file = server.publish_random("file.bin", 70, 1_000_000)?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    file.verify(&control.retrieve_active(0, "file.bin")?)?;
    ensure!(ftp_nat.counter("pinholes_only")? == 1);
    verify_tracked(&lab.gateway, 1)?;
    verify_path(&ftp_nat, 1)
}

#[test]
fn passive_without_translation() -> Result<()> {
    let lab = Lab::dnat()?;
    lab.gateway.nft("delete table ip nat")?;
    firewall::accept_port(&lab.gateway, 21)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let file = server.publish_random("file.bin", 71, 1_000_000)?;
    let at = SocketAddr::new(IpAddr::V4(SERVER_INSIDE), 21);
    let mut control = lab.client.log_in(&server.target(at))?;
    file.verify(&control.retrieve_passive("file.bin")?)?;
    ensure!(ftp_nat.counter("pinholes_only")? == 1);
    verify_tracked(&lab.gateway, 1)?;
    verify_path(&ftp_nat, 1)
}

/// Without the rule the chain drops the data connection, as it does everything
/// that is new; with it the next one passes.
#[test]
fn the_chain_has_the_last_word() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().arg("--data-path").arg("stack").start()?;
    let control = lab.client.log_in(&lab.reach(&server))?;
    let mut session = Session {
        control,
        ftp_nat,
        server,
        lab,
    };
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);
    ensure!(
        session.lab.server.connect(public).is_err(),
        "it came through"
    );
    let gateway = &session.lab.gateway;
    ensure!(firewall::counted(gateway, "dropped_new")? > 0);
    ensure!(firewall::counted(gateway, "dropped_invalid")? == 0);
    ensure!(session.ftp_nat.counter("stack_flows_made")? == 1);

    gateway.nft(ACCEPT)?;
    // A connection that was dropped may be tried again: the pinhole is its own.
    let _data = session.lab.server.connect(public);
    let file = session.server.publish("file", "text")?;
    file.verify(&session.control.retrieve_active(0, "file")?)?;
    ensure!(session.ftp_nat.counter("stack_flows_made")? == 2);
    Ok(())
}

/// Nothing but what was announced is marked.
#[test]
fn a_stranger_is_not_let_in() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let file = server.publish("file", "text")?;
    file.verify(&control.retrieve_active(0, "file")?)?;
    verify_clean(&lab.gateway)?;
    let _listener = control.listen(40_000)?;
    let direct = SocketAddr::new(lab.client_ip.into(), 40_000);
    ensure!(lab.server.connect(direct).is_err(), "the chain is open");
    ensure!(firewall::counted(&lab.gateway, "dropped_new")? > 0);
    verify_path(&ftp_nat, 1)
}
