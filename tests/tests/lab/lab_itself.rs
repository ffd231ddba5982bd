//! The lab is a fair one: without help FTP fails in it, and a helper that is
//! known to work (the kernel's own) makes it work.

use std::time::Duration;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, ServerKind, capture::Sides, firewall};

use crate::support::{Helper, cell};

fn fails_without_help(mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    // By default a server answers a foreign address with 500. Here it must try.
    let server = lab.server.pyftpdlib().with("--permit-foreign").start()?;
    server.publish("file", "text")?;
    let session = lab
        .ftp(Client::Curl, mode, &server)
        .limit(Duration::from_secs(4));
    let outcome = session.get("file");
    ensure!(
        outcome.is_err(),
        "{mode:?} works without help: this lab proves nothing"
    );
    ensure!(
        firewall::counted(&lab.gateway, "dropped_new")? > 0,
        "nothing was dropped"
    );
    Ok(())
}

#[test]
fn active_mode_fails_without_help() -> Result<()> {
    fails_without_help(Mode::Port)
}

#[test]
fn passive_mode_to_an_inside_server_fails_without_help() -> Result<()> {
    fails_without_help(Mode::Pasv)
}

#[test]
fn the_kernels_helper_makes_active_mode_work() -> Result<()> {
    cell(ServerKind::Vsftpd, Client::Curl, Mode::Port, Helper::Kernel)
}

#[test]
fn the_kernels_helper_makes_passive_mode_work() -> Result<()> {
    cell(ServerKind::Vsftpd, Client::Curl, Mode::Pasv, Helper::Kernel)
}

#[test]
fn known_neighbours_need_no_arp() -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.know_neighbours()?;
    let server = lab.server.vsftpd().start()?;
    let captures = lab.captures()?;
    drop(lab.client.log_in(&lab.reach(&server))?);
    let sides = Sides::stop(captures)?;
    for trace in [sides.client, sides.server] {
        ensure!(trace.tcp().count() > 0, "nothing was captured");
        let other = trace.packets.iter().find(|p| p.ip().is_none());
        ensure!(other.is_none(), "somebody asked: {other:?}");
    }
    Ok(())
}
