//! Data connections that don't come about, or fail.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
};

use anyhow::{Result, ensure};
use ftp_nat::maps::Maps;
use ftp_nat_common::translation::SECOND;
use ftp_nat_tests::lab::{
    Lab,
    control::{Control, accept},
    ftp_nat::FtpNat,
    scripted::{Scripted, Socket, polite},
    topology::GATEWAY_OUTSIDE,
    wait,
};
use serde_json::Value;

use super::{explain, until_told, until_verdict};
use crate::support::{STRANGER, Session, port_of};

#[test]
fn a_connection_from_another_address_is_told() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let server = session.lab.server.clone();
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);
    session.stranger_is_refused(public)?;
    let says = until_verdict(&session.ftp_nat, "data_from_other_address")?;
    ensure!(says.contains(STRANGER), "{says}");

    // Who may connect does, and hangs up.
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

/// A session whose server is made by hand, with a port announced.
struct ByHand {
    control: Control,
    listener: TcpListener,
    /// Where the server was told to connect to.
    told: SocketAddr,
    server: Scripted,
    ftp_nat: FtpNat,
    lab: Lab,
}

/// Replies to `RETR NNN`: 150, and then the code.
fn retr(line: &[u8]) -> Vec<u8> {
    match line.strip_prefix(b"RETR ") {
        Some(code) => [
            b"150 Here it comes.\r\n",
            code.trim_ascii(),
            b" So it ends.\r\n",
        ]
        .concat(),
        None => polite(line),
    }
}

impl ByHand {
    fn new() -> Result<Self> {
        Self::with(&[])
    }

    /// With these options of `run`.
    fn with(options: &[&str]) -> Result<Self> {
        let lab = Lab::masquerade()?;
        let at: SocketAddr = "61.144.1.100:21".parse()?;
        let server = lab.server.scripted(at, None, retr)?;
        let builder = lab.ftp_nat();
        let ftp_nat = options
            .iter()
            .fold(builder, |builder, option| builder.arg(option))
            .start()?;
        let mut control = Control::open(&lab.client, at)?;
        control.expect("USER somebody", 230)?;
        let listener = control.listen(0)?;
        let reply = control.announce(listener.local_addr()?.port())?;
        ensure!(reply.code == 200, "{}", reply.text);
        let received = server.until_received(b"\r\n", wait::PATIENCE)?;
        let received = String::from_utf8_lossy(&received).into_owned();
        let line = received.lines().last().unwrap_or_default();
        let told = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(line)?);
        Ok(Self {
            control,
            listener,
            told,
            server,
            ftp_nat,
            lab,
        })
    }

    /// Asks for a transfer that is replied 150 and this code.
    fn ask(&mut self, code: u16) -> Result<()> {
        self.control.expect(&format!("RETR {code}"), 150)?;
        self.control.expect_reply(code).map(drop)
    }

    /// The server's data connection.
    fn connect(&self) -> Result<(TcpStream, TcpStream)> {
        let from_server = Socket::default().connect(&self.lab.server, self.told)?;
        let (at_client, _) = accept(&self.listener)?;
        Ok((from_server, at_client))
    }
}

/// Until the session goes on nobody knows that it won't come.
#[test]
fn a_connection_that_never_comes_is_told() -> Result<()> {
    let mut session = ByHand::new()?;
    let wanted = ["no transfer was asked for"];
    until_told(&session.ftp_nat, "waiting", &wanted)?;
    session.ask(150)?;
    session
        .control
        .socket()
        .shutdown(std::net::Shutdown::Both)?;
    let told = session.told.to_string();
    let wanted = [
        told.as_str(),
        "PORT",
        "second FTP helper",
        "tcpdump -ni wan",
    ];
    until_told(&session.ftp_nat, "no_data_connection", &wanted)?;
    session.server.stop().map(drop)
}

/// The session goes on, and nothing more is said in it. The time-out is half a
/// minute at least: what waits is made older by that.
#[test]
fn a_connection_that_does_not_come_in_time_is_told() -> Result<()> {
    let mut session = ByHand::with(&["--expect-timeout", "30"])?;
    session.ask(150)?;
    let told = session.told.to_string();
    let ftp_nat = &session.ftp_nat;
    let waiting = Maps::open(ftp_nat.pin_path())?.expectations;
    for (key, mut expectation) in waiting.all()? {
        expectation.made_ns -= 30 * SECOND;
        waiting.set(&key, &expectation)?;
    }
    let shown = ftp_nat.json("translations")?;
    ensure!(
        shown["translations"].as_array().is_some_and(Vec::is_empty),
        "{shown}"
    );
    // A sweep tells it.
    let expired = wait::until("the event of it", wait::PATIENCE, || {
        let events = ftp_nat.done(&["events", "--json"])?;
        let mut events = events.lines().map(serde_json::from_str::<Value>);
        Ok(events.find_map(|event| event.ok().filter(|event| event["event"] == "expired")))
    })?;
    ensure!(expired["expected"] == told, "{expired}");
    ensure!(expired["after_seconds"] == 30, "{expired}");
    let wanted = [told.as_str(), "within 30 s", "tcpdump -ni wan"];
    until_told(ftp_nat, "no_data_connection", &wanted)?;
    let control = explain(ftp_nat, &[])?;
    ensure!(control["sessions"][0]["ended"].is_null(), "{control}");
    session.server.stop().map(drop)
}

#[test]
fn a_client_whose_firewall_drops_the_connection_is_told_so() -> Result<()> {
    let mut session = ByHand::new()?;
    let port = session.listener.local_addr()?.port();
    session.lab.client.nft(&format!(
        "table ip own {{ chain input {{ type filter hook input priority 0; tcp dport {port} drop; }}; }}"
    ))?;
    let syn = Socket::default().begin(&session.lab.server, session.told)?;
    session.ask(425)?;
    let here = format!("10.10.0.1:{port}");
    let wanted = [here.as_str(), "client's own firewall", "425"];
    until_told(&session.ftp_nat, "data_not_answered", &wanted)?;
    drop(syn);
    Ok(())
}

#[test]
fn a_transfer_that_fails_is_told() -> Result<()> {
    let mut session = ByHand::new()?;
    let (mut sender, mut data) = session.connect()?;
    sender.write_all(&[7; 5000])?;
    drop(sender);
    data.read_to_end(&mut Vec::new())?;
    session.ask(426)?;
    until_told(&session.ftp_nat, "transfer_failed", &["426", "cut"])?;

    // No file, and so no connection.
    let mut real = Session::behind_masquerade()?;
    real.announce(40_000)?;
    real.control.expect("RETR nothing", 550)?;
    let wanted = ["550", "before any data connection"];
    until_told(&real.ftp_nat, "transfer_failed", &wanted)
}

/// The data connection is open, and what should come by it is lost on the way.
#[test]
fn a_transfer_that_stands_still_is_told() -> Result<()> {
    let mut by_hand = ByHand::new()?;
    by_hand.control.expect("RETR 150", 150)?;
    let _data = by_hand.connect()?;
    until_told(
        &by_hand.ftp_nat,
        "data_stalled",
        &["nothing came by it", "smaller MTU", "ping -M do"],
    )
}

/// Nothing listens at the port that the client announced.
#[test]
fn a_connection_that_is_refused_is_told() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    drop(listener);
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);
    ensure!(session.lab.server.connect(public).is_err(), "it came about");
    until_told(
        &session.ftp_nat,
        "data_without_bytes",
        &["nothing listened"],
    )
}
