//! With offloads and without.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, Offloads, Payload, capture::Sides};

use super::{start, verify_path, verify_tracked};

const MTU: usize = 1500;

fn with(offloads: Offloads, mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    lab.offloads(offloads)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let captures = lab.captures()?;
    let down = server.publish_random("down.bin", 75, 2_000_000)?;
    let session = lab.ftp(Client::Curl, mode, &server);
    down.verify(&session.get("down.bin")?)?;
    let up = Payload::random(76, 2_000_000);
    session.put("up.bin", up.bytes())?;
    up.verify(&server.uploaded("up.bin")?)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for (at_client, at_server) in sides.data(21)? {
        at_client.complete()?;
        at_server.complete()?;
    }
    let all = || sides.client.packets.iter().chain(&sides.server.packets);
    match offloads {
        Offloads::On => ensure!(all().any(|p| p.gso_size != 0), "no offload was used"),
        Offloads::NoSegmentation => ensure!(all().any(|p| p.checksum_pending)),
        Offloads::Off => {
            sides.client.verify_like_a_wire(MTU)?;
            sides.server.verify_like_a_wire(MTU)?;
        }
    }
    verify_tracked(&lab.gateway, 2)?;
    verify_path(&ftp_nat, 2)
}

#[test]
fn offloads_active() -> Result<()> {
    Offloads::ALL
        .into_iter()
        .try_for_each(|o| with(o, Mode::Port))
}

#[test]
fn offloads_passive() -> Result<()> {
    Offloads::ALL
        .into_iter()
        .try_for_each(|o| with(o, Mode::Pasv))
}
