//! Redirected data packets meet no router's checks but ftp-nat's own.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, Offloads, Payload,
    capture::{Direction, Sides, Trace},
    control::accept,
    firewall::{LAN, WAN},
    topology::GATEWAY_INSIDE,
    wait,
};

use crate::support::Session;

/// ICMP: destination unreachable, fragmentation needed (RFC 792, RFC 1191).
const TOO_BIG: (u8, u8) = (3, 4);
/// ICMP: time to live exceeded in transit.
const TIME_EXCEEDED: (u8, u8) = (11, 0);

/// What the gateway told the capturing host by ICMP.
fn told(trace: &Trace, what: (u8, u8)) -> usize {
    let received = trace
        .packets
        .iter()
        .filter(|p| p.direction == Direction::Received);
    received
        .filter_map(|p| p.ip())
        .filter(|ip| ip.icmp() == Some(what) && ip.src == GATEWAY_INSIDE)
        .count()
}

fn longest_data(trace: &Trace) -> usize {
    let data = trace.tcp().filter(|(p, t)| {
        p.direction == Direction::Received && ![t.src.port(), t.dst.port()].contains(&21)
    });
    data.map(|(p, t)| match usize::from(p.gso_size) {
        0 => t.ip.total_len,
        gso => t.ip.total_len - t.payload.len() + gso,
    })
    .max()
    .unwrap_or(0)
}

#[test]
fn every_data_packet_is_one_hop_older() -> Result<()> {
    for mode in [Mode::Port, Mode::Pasv] {
        let lab = Lab::needing_help(mode)?;
        let server = lab.server.vsftpd().start()?;
        let _ftp_nat = lab.ftp_nat().start()?;
        let captures = lab.captures()?;
        let file = server.publish_random("file.bin", 30, 100_000)?;
        let session = lab.ftp(Client::Curl, mode, &server);
        file.verify(&session.get("file.bin")?)?;
        session.put("file.bin", file.bytes())?;
        let hops = Sides::stop(captures)?.hops(21)?;
        ensure!(hops == [1], "{mode:?}: TTLs went down by {hops:?}");
    }
    Ok(())
}

#[test]
fn a_packet_whose_ttl_ends_here_is_answered() -> Result<()> {
    let mut session = Session::behind_masquerade()?;
    let listener = session.control.listen(0)?;
    session.control.announce(listener.local_addr()?.port())?;
    session.control.expect("STOR upload/file", 150)?;
    let (mut data, _) = accept(&listener)?;
    data.write_all(b"begin ")?;
    let captures = session.lab.captures()?;
    data.set_ttl(1)?;
    data.write_all(b"middle ")?;
    session.ftp_nat.until_counter("data_ttl_exceeded", 1)?;
    data.set_ttl(64)?;
    data.write_all(b"end")?;
    drop(data);
    session.control.expect_reply(226)?;
    ensure!(session.server.uploaded("file")? == b"begin middle end");
    let sides = Sides::stop(captures)?;
    ensure!(
        told(&sides.client, TIME_EXCEEDED) >= 1,
        "the client was told nothing"
    );
    sides.verify_checksums()
}

/// The gateway's way out is narrower than both ends know.
fn narrow_way_out(offloads: Offloads) -> Result<()> {
    const NARROW: u32 = 1300;
    let lab = Lab::masquerade()?;
    lab.offloads(offloads)?;
    let server = lab.server.vsftpd().start()?;
    let _ftp_nat = lab.ftp_nat().start()?;
    lab.gateway.mtu(WAN, NARROW)?;
    let captures = lab.captures()?;
    let up = Payload::random(31, 1_000_000);
    let session = lab.ftp(Client::Curl, Mode::Port, &server);
    session.put("up.bin", up.bytes())?;
    up.verify(&server.uploaded("up.bin")?)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let longest = longest_data(&sides.server);
    ensure!(
        longest <= NARROW as usize,
        "a packet of {longest} bytes got through"
    );
    // The MSS in the data SYN said so in time.
    ensure!(
        told(&sides.client, TOO_BIG) == 0,
        "the client had to be told by ICMP"
    );
    Ok(())
}

#[test]
fn the_mss_of_a_data_connection_fits_the_way() -> Result<()> {
    narrow_way_out(Offloads::Off)
}

#[test]
fn the_mss_of_a_data_connection_fits_the_way_with_offloads() -> Result<()> {
    narrow_way_out(Offloads::On)
}

/// The way out becomes narrower while data flows: only ICMP can tell then.
fn narrowed_in_between(offloads: Offloads) -> Result<()> {
    const NARROW: u32 = 1000;
    let mut session = Session::behind_masquerade()?;
    session.lab.offloads(offloads)?;
    let listener = session.control.listen(0)?;
    session.control.announce(listener.local_addr()?.port())?;
    session.control.expect("STOR upload/up.bin", 150)?;
    let (mut data, _) = accept(&listener)?;
    let up = Payload::random(32, 1_000_000);
    let (first, rest) = up.bytes().split_at(200_000);
    data.write_all(first)?;
    let captures = session.lab.captures()?;
    session.lab.gateway.mtu(WAN, NARROW)?;
    // A way out is believed for half a second.
    let mut pieces = rest.chunks(10_000);
    wait::until_true("a packet that is too big", wait::PATIENCE, || {
        data.write_all(pieces.next().context("all passed")?)?;
        Ok(session.ftp_nat.counter("data_too_big")? > 0)
    })?;
    for piece in pieces {
        data.write_all(piece)?;
    }
    drop(data);
    session.control.expect_reply(226)?;
    up.verify(&session.server.uploaded("up.bin")?)?;
    let sides = Sides::stop(captures)?;
    ensure!(
        told(&sides.client, TOO_BIG) >= 1,
        "the client was told nothing"
    );
    sides.verify_checksums()
}

#[test]
fn a_packet_too_big_for_the_way_is_answered() -> Result<()> {
    narrowed_in_between(Offloads::Off)
}

#[test]
fn a_burst_too_big_for_the_way_is_answered() -> Result<()> {
    narrowed_in_between(Offloads::On)
}

#[test]
fn the_way_in_may_be_the_narrow_one() -> Result<()> {
    const NARROW: u32 = 1200;
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let _ftp_nat = lab.ftp_nat().start()?;
    lab.gateway.mtu(LAN, NARROW)?;
    let down = server.publish_random("down.bin", 33, 1_000_000)?;
    let captures = lab.captures()?;
    down.verify(&lab.ftp(Client::Curl, Mode::Port, &server).get("down.bin")?)?;
    let sides = Sides::stop(captures)?;
    let longest = longest_data(&sides.client);
    ensure!(
        longest <= NARROW as usize,
        "a packet of {longest} bytes got through"
    );
    sides.verify_checksums()
}
