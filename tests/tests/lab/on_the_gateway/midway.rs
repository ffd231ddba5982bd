//! Clients and servers on the gateway whose connections began before ftp-nat
//! ran, or with data in the SYN.

use std::{io::Write as _, net::SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Lab,
    control::Control,
    host::Host,
    scripted::{Socket, polite},
    topology::GATEWAY_OUTSIDE,
};

use super::{counted, shut};

#[test]
fn a_server_that_had_a_client_before() -> Result<()> {
    let lab = Lab::masquerade()?;
    shut(&lab.gateway)?;
    let server = lab.gateway.vsftpd().bind(GATEWAY_OUTSIDE.into()).start()?;
    let file = server.publish_random("file", 81, 50_000)?;
    let target = server.target(SocketAddr::new(server.ip(), 21));
    let mut control = lab.server.log_in(&target)?;
    let ftp_nat = lab.ftp_nat().start()?;
    control.expect("NOOP", 200)?;
    control.expect("NOOP", 200)?;
    file.verify(&control.retrieve_passive("file")?)?;
    ensure!(ftp_nat.counter("sessions_learned")? == 1);
    ensure!(counted(&lab, "marked")? == 1);
    Ok(())
}

#[test]
fn a_client_that_had_a_server_before() -> Result<()> {
    let lab = Lab::masquerade()?;
    shut(&lab.gateway)?;
    let server = lab.server.vsftpd().start()?;
    let file = server.publish_random("file", 82, 50_000)?;
    let target = server.target(SocketAddr::new(server.ip(), 21));
    let mut control = lab.gateway.log_in(&target)?;
    let ftp_nat = lab.ftp_nat().start()?;
    control.expect("NOOP", 200)?;
    control.expect("NOOP", 200)?;
    file.verify(&control.retrieve_active(0, "file")?)?;
    ensure!(ftp_nat.counter("sessions_learned")? == 1);
    ensure!(counted(&lab, "marked")? == 1);
    Ok(())
}

/// A connection through the gateway is none of the gateway's own: it is learned
/// with both of its views.
#[test]
fn a_connection_that_is_forwarded_is_not_taken_for_one() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    // A listener at the same address and port as the far server's would confuse.
    let _own = lab.gateway.vsftpd().bind(GATEWAY_OUTSIDE.into()).start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let ftp_nat = lab.ftp_nat().start()?;
    control.expect("NOOP", 200)?;
    control.expect("NOOP", 200)?;
    let file = server.publish("file", "text")?;
    file.verify(&control.retrieve_active(0, "file")?)?;
    ensure!(ftp_nat.counter("rewrites")? == 1);
    Ok(())
}

/// Fast Open for clients and listeners, without a cookie.
const WITHOUT_COOKIE: &str = "1543";

/// USER in the SYN, then an announcement; what was learned of it.
fn fast_open(lab: &Lab, client: &Host, server: &Host, at: SocketAddr) -> Result<()> {
    for host in [client, server] {
        host.sysctl("net.ipv4.tcp_fastopen", WITHOUT_COOKIE)?;
    }
    let _server = server.scripted(at, None, polite)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let socket = Socket {
        fast_open: true,
        ..Socket::default()
    };
    let mut stream = socket.connect(client, at)?;
    stream.write_all(b"USER lab\r\n")?;
    let mut control = Control::over(client, stream)?;
    control.expect_reply(230)?;
    ensure!(control.announce(40_000)?.code == 200);
    ensure!(ftp_nat.counter("sessions_learned")? == 1);
    ensure!(ftp_nat.counter("pinholes_only")? == 1, "it was not read");
    Ok(())
}

#[test]
fn a_server_whose_client_opens_with_data() -> Result<()> {
    let lab = Lab::masquerade()?;
    let at = SocketAddr::new(GATEWAY_OUTSIDE.into(), 21);
    fast_open(&lab, &lab.server, &lab.gateway, at)
}

#[test]
fn a_client_that_opens_with_data() -> Result<()> {
    let lab = Lab::masquerade()?;
    let at = SocketAddr::new(lab.server_ip.into(), 21);
    fast_open(&lab, &lab.gateway, &lab.server, at)
}
