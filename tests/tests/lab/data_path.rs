//! Data connections: past the connection tracker, whole, in both directions.

use std::io::{Read as _, Write as _};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, Payload, capture::Sides, control::accept};

use crate::support::Session;

const LARGE: usize = 20_000_000;

fn large_files(mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let down = server.publish_random("down.bin", 20, LARGE)?;
    let session = lab.ftp(Client::Curl, mode, &server);
    down.verify(&session.get("down.bin")?)?;
    let up = Payload::random(21, LARGE);
    session.put("up.bin", up.bytes())?;
    up.verify(&server.uploaded("up.bin")?)?;
    ensure!(
        ftp_nat.counter("data_packets")? > 100,
        "the data went elsewhere"
    );
    Ok(())
}

#[test]
fn large_files_active() -> Result<()> {
    large_files(Mode::Port)
}

#[test]
fn large_files_passive() -> Result<()> {
    large_files(Mode::Pasv)
}

#[test]
fn the_connection_tracker_sees_the_control_connection_only() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let listener = session.control.listen(0)?;
    session.control.announce(listener.local_addr()?.port())?;
    session.control.expect("STOR upload/file", 150)?;
    let (mut data, _) = accept(&listener)?;
    data.write_all(&[7; 100_000])?;
    let tracked = session.lab.gateway.conntrack()?;
    ensure!(
        tracked.len() == 1 && tracked[0].contains("dport=21 "),
        "tracked: {tracked:#?}"
    );
    drop(data);
    session.control.expect_reply(226)?;
    ensure!(session.server.uploaded("file")? == [7; 100_000]);
    Ok(())
}

/// Both ends see the addresses they expect, and numbers nobody has touched.
#[test]
fn each_end_sees_the_peer_it_expects() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let _ftp_nat = lab.ftp_nat().start()?;
    let file = server.publish_random("file.bin", 22, 300_000)?;
    let captures = lab.captures()?;
    file.verify(
        &lab.client
            .curl()
            .active()
            .to(&lab.reach(&server))
            .get("file.bin")?,
    )?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let data = sides.data(21)?;
    ensure!(data.len() == 1, "{} data connections", data.len());
    let (at_client, at_server) = &data[0];
    ensure!(at_client.client.ip() == lab.server_ip && at_client.server.ip() == lab.client_ip);
    ensure!(at_server.client.ip() == lab.server_ip && at_server.server.ip() == lab.public_ip());
    ensure!(
        at_client.client.port() == at_server.client.port(),
        "the server's port was changed"
    );
    ensure!(at_client.to_server.bytes() == at_server.to_server.bytes());
    Ok(())
}

/// One direction is closed before the other one has begun.
#[test]
fn a_data_connection_that_one_end_has_closed() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let file = session.server.publish_random("file.bin", 23, 1_000_000)?;
    let listener = session.control.listen(0)?;
    session.control.announce(listener.local_addr()?.port())?;
    session.control.expect("RETR file.bin", 150)?;
    let (mut data, _) = accept(&listener)?;
    // The client says nothing more on it, and the server still sends.
    data.shutdown(std::net::Shutdown::Write)?;
    let mut got = Vec::new();
    data.read_to_end(&mut got)?;
    file.verify(&got)?;
    session.control.expect_reply(226)?;
    Ok(())
}
