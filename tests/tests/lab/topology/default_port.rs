//! Transfers without PORT and PASV: the server connects from the port before its
//! control port to the one that the client's control connection comes from.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Lab, Payload,
    control::{Control, accept},
    firewall,
    scripted::polite,
    topology::GATEWAY_OUTSIDE,
    wait,
};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect, listen, setsockopt,
    socket, sockopt,
};

use crate::explain::until_told;

const SERVER_PORT: u16 = 21;
const DATA_PORT: u16 = 20;

/// A socket at `from` of a host, which others may be at too.
fn shared(host: &Host, from: SocketAddr) -> Result<OwnedFd> {
    host.enter(|| {
        let fd = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        setsockopt(&fd, sockopt::ReusePort, &true)?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(from))?;
        Ok(fd)
    })
}

/// A connection of a host from a port of its own.
fn dial(host: &Host, from: SocketAddr, to: SocketAddr) -> Result<TcpStream> {
    let fd = shared(host, from)?;
    connect(fd.as_raw_fd(), &SockaddrStorage::from(to))?;
    Ok(TcpStream::from(fd))
}

/// A control connection from `port`, and a listener there.
fn session(lab: &Lab, to: SocketAddr, port: u16) -> Result<(Control, TcpListener)> {
    let here = SocketAddr::new(lab.client_ip.into(), port);
    let stream = dial(&lab.client, here, to)?;
    stream.set_nodelay(true)?;
    let listener = shared(&lab.client, here)?;
    listen(&listener, Backlog::new(4)?)?;
    Ok((Control::over(&lab.client, stream)?, listener.into()))
}

fn at_server(lab: &Lab, port: u16) -> SocketAddr {
    SocketAddr::new(lab.server_ip.into(), port)
}

/// From that port of the server's only, once for each transfer, and not where a
/// port was agreed on. None of the lab's servers does it: this one is made by hand.
#[test]
fn for_a_transfer_without_port_and_pasv() -> Result<()> {
    let lab = Lab::masquerade()?;
    let _server = lab
        .server
        .scripted(at_server(&lab, SERVER_PORT), None, |line| {
            if line.starts_with(b"RETR") {
                return b"150 Here it comes.\r\n".to_vec();
            }
            polite(line)
        })?;
    let ftp_nat = lab.ftp_nat().start()?;
    let (mut control, listener) = session(&lab, at_server(&lab, SERVER_PORT), 40_200)?;
    control.expect("USER lab", 230)?;
    let outside = seen_port(&lab, SERVER_PORT)?;
    let there = SocketAddr::new(GATEWAY_OUTSIDE.into(), outside);
    let from = |port| dial(&lab.server, at_server(&lab, port), there);

    ensure!(from(DATA_PORT).is_err(), "nothing was asked for");
    control.expect("RETR x", 150)?;
    ensure!(from(DATA_PORT - 1).is_err(), "another port of the server's");
    let mut sender = from(DATA_PORT)?;
    let (mut data, peer) = accept(&listener)?;
    ensure!(peer == at_server(&lab, DATA_PORT), "it came from {peer}");
    let payload = Payload::random(76, 50_000);
    sender.write_all(payload.bytes())?;
    drop(sender);
    let mut got = Vec::new();
    data.read_to_end(&mut got)?;
    payload.verify(&got)?;
    drop(data);
    wait::until_true("the data connection to be over", wait::PATIENCE, || {
        Ok(!lab.server.is_connected(DATA_PORT)? && !lab.client.is_connected(DATA_PORT)?)
    })?;
    ensure!(ftp_nat.counter("flows_default_port")? == 1);
    ensure!(from(DATA_PORT).is_err(), "twice for one transfer");
    until_told(&ftp_nat, "works", &["default data port", "10.10.0.1:40200"])?;
    let events = ftp_nat.done(&["events", "--json"])?;
    let of_data = events.lines().filter(|line| line.contains("\"data_"));
    let forms = of_data.filter(|line| line.contains("\"form\":\"default port\""));
    ensure!(forms.count() == 2, "opened and ended: {events}");

    // A port that was agreed on takes its place.
    control.expect("PORT 10,10,0,1,200,1", 200)?;
    control.expect("RETR y", 150)?;
    ensure!(from(DATA_PORT).is_err(), "a port was agreed on");
    ensure!(ftp_nat.counter("flows_default_port")? == 1);
    ensure!(firewall::counted(&lab.gateway, "dropped_invalid")? == 0);
    Ok(())
}

/// The port by which the server knows the client's end of the session.
fn seen_port(lab: &Lab, port: u16) -> Result<u16> {
    let from = GATEWAY_OUTSIDE.to_string();
    let shown = lab.server.run(&["ss", "-Htn", "state", "established"])?;
    let mut words = shown.lines().filter(|l| l.contains(&format!(":{port} ")));
    let line = words.next().unwrap_or_default();
    let peer = line.split_whitespace().last().unwrap_or_default();
    ensure!(peer.starts_with(&from), "{shown}");
    Ok(peer.rsplit(':').next().unwrap_or_default().parse()?)
}
