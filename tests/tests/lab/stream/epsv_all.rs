//! `EPSV ALL` (RFC 2428 section 4): the client promises to ask for nothing but
//! EPSV any more.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Lab, Mode};

/// The port in `229 text (|||port|)`.
fn port(text: &str) -> Result<u16> {
    let port = text.split('|').nth(3);
    let port = port.with_context(|| format!("no port in `{text}`"))?;
    Ok(port.parse()?)
}

/// vsftpd behind DNAT knows it, and refuses all else from then on.
#[test]
fn epsv_all_leaves_epsv_alone() -> Result<()> {
    let lab = Lab::needing_help(Mode::Epsv)?;
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random("file.bin", 61, 100_000)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let target = lab.reach(&server);
    let mut control = lab.client.log_in(&target)?;
    control.expect("EPSV ALL", 200)?;
    let sessions = ftp_nat.json("sessions")?;
    let text = sessions.to_string();
    ensure!(text.contains("epsv_all"), "it was not noticed: {text}");
    ensure!(control.announce(40_000)?.code >= 500, "PORT was allowed");
    ensure!(control.say("PASV")?.code >= 500, "PASV was allowed");
    ensure!(ftp_nat.counter("refused_unsolicited")? == 1);
    ensure!(ftp_nat.counter("expectations_made")? == 0);
    for n in 1..=3 {
        let reply = control.expect("EPSV", 229)?;
        let at = SocketAddr::new(target.at.ip(), port(&reply.text)?);
        file.verify(&control.retrieve_at(at, "file.bin")?)?;
        ensure!(ftp_nat.counter("expectations_used")? == n);
    }
    control.expect("QUIT", 221)?;
    Ok(())
}
