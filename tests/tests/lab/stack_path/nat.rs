//! Behind masquerade, behind a forwarded port, and from inside a masqueraded
//! network.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Lab6, Mode, Payload,
    capture::Sides,
    topology::GATEWAY_OUTSIDE,
    topology6::{self, Inside, Translation},
};

use super::{start, verify_path, verify_tracked};
use crate::support::public_text;

const LARGE: usize = 20_000_000;
const CLIENTS: [Client; 2] = [Client::Curl, Client::Lftp];

fn large_files(mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let down = server.publish_random("down.bin", 60, LARGE)?;
    let up = Payload::random(61, LARGE);
    for client in CLIENTS {
        let session = lab.ftp(client, mode, &server);
        down.verify(&session.get("down.bin")?)?;
        let name = client.name();
        session.put(name, up.bytes())?;
        up.verify(&server.uploaded(name)?)?;
    }
    verify_tracked(&lab.gateway, 4)?;
    verify_path(&ftp_nat, 4)
}

#[test]
fn large_files_active() -> Result<()> {
    large_files(Mode::Port)
}

#[test]
fn large_files_passive() -> Result<()> {
    large_files(Mode::Pasv)
}

/// Checksums, the text, and the peer that each end sees.
fn each_end_sees_the_peer_it_expects(mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let file = server.publish_random("file.bin", 62, 300_000)?;
    let captures = lab.captures()?;
    let session = lab.ftp(Client::Curl, mode, &server);
    file.verify(&session.get("file.bin")?)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    sides.verify_edits(21, mode.announcement(), &public_text(mode))?;
    let data = sides.data(21)?;
    ensure!(data.len() == 1, "{} data connections", data.len());
    let (at_client, at_server) = &data[0];
    at_client.complete()?;
    at_server.complete()?;
    // The inside end is at the gateway for the outside one, which is itself for both.
    let (inside, outside) = if mode.is_active() {
        (at_client, at_server)
    } else {
        (at_server, at_client)
    };
    ensure!(
        inside.client == outside.client,
        "the peer {} became {}",
        outside.client,
        inside.client
    );
    ensure!(outside.server.ip() == GATEWAY_OUTSIDE);
    let announcer = if mode.is_active() {
        lab.client_ip
    } else {
        lab.server_ip
    };
    ensure!(inside.server.ip() == announcer);
    verify_path(&ftp_nat, 1)
}

#[test]
fn each_end_sees_the_peer_it_expects_active() -> Result<()> {
    each_end_sees_the_peer_it_expects(Mode::Port)
}

#[test]
fn each_end_sees_the_peer_it_expects_passive() -> Result<()> {
    each_end_sees_the_peer_it_expects(Mode::Pasv)
}

/// The client's passive connection meets the masquerade rule: netfilter gives it
/// an address and another port, and both are kept.
#[test]
fn passive_from_a_masqueraded_client() -> Result<()> {
    let lab = Lab::masquerade()?;
    // Not a port that netfilter may choose too.
    lab.client
        .sysctl("net.ipv4.ip_local_port_range", "40000 49999")?;
    lab.gateway.nft(
        "insert rule ip nat postrouting oifname wan tcp dport != 21 masquerade to :50000-50999",
    )?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let file = server.publish_random("file.bin", 63, 2_000_000)?;
    let captures = lab.captures()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    file.verify(&control.retrieve_passive("file.bin")?)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let data = sides.data(21)?;
    let (at_client, at_server) = data.first().context("no data connection")?;
    ensure!(at_client.server == at_server.server);
    ensure!(at_server.client.ip() == GATEWAY_OUTSIDE);
    ensure!((50_000..51_000).contains(&at_server.client.port()));
    ensure!(at_client.client.port() != at_server.client.port());
    let seen = &ftp_nat.json("translations")?["translations"][0]["peer_seen"];
    ensure!(*seen == at_server.client.to_string(), "{seen}");
    verify_tracked(&lab.gateway, 1)?;
    verify_path(&ftp_nat, 1)
}

fn over_ipv6(inside: Inside, translation: Translation, mode: Mode) -> Result<()> {
    let lab = Lab6::new(inside, translation)?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let server = lab
        .server
        .vsftpd()
        .bind(IpAddr::V6(lab.server_ip()))
        .start()?;
    let down = server.publish_random("down.bin", 64, 2_000_000)?;
    let up = Payload::random(65, 2_000_000);
    let captures = lab.captures()?;
    let session = lab
        .client
        .ftp(Client::Curl)
        .mode(mode)
        .to(&lab.reach(&server));
    down.verify(&session.get("down.bin")?)?;
    session.put("up.bin", up.bytes())?;
    up.verify(&server.uploaded("up.bin")?)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for (at_client, at_server) in sides.data(21)? {
        at_client.complete()?;
        at_server.complete()?;
        let (inside, outside) = if mode.is_active() {
            (at_client, at_server)
        } else {
            (at_server, at_client)
        };
        ensure!(inside.client == outside.client);
        ensure!(inside.server.ip() == topology6::HOST_INSIDE);
        ensure!(
            outside.server.ip()
                == match translation {
                    Translation::None => topology6::HOST_INSIDE,
                    Translation::Nat66 => topology6::GATEWAY_OUTSIDE,
                }
        );
    }
    verify_tracked(&lab.gateway, 2)?;
    verify_path(&ftp_nat, 2)
}

#[test]
fn active_behind_ipv6_masquerade() -> Result<()> {
    over_ipv6(Inside::Client, Translation::Nat66, Mode::Eprt)
}

#[test]
fn passive_behind_a_forwarded_ipv6_port() -> Result<()> {
    over_ipv6(Inside::Server, Translation::Nat66, Mode::Epsv)
}

#[test]
fn active_over_ipv6_with_a_firewall_only() -> Result<()> {
    over_ipv6(Inside::Client, Translation::None, Mode::Eprt)
}

#[test]
fn passive_over_ipv6_with_a_firewall_only() -> Result<()> {
    over_ipv6(Inside::Server, Translation::None, Mode::Epsv)
}
