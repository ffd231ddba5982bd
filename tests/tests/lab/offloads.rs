//! With checksums and segmentation left to the hardware or not, on all links.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, Offloads, Payload, capture::Sides, wait};

use crate::support::public_text;

const MTU: usize = 1500;

fn with(offloads: Offloads, mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    lab.offloads(offloads)?;
    let server = lab.server.vsftpd().start()?;
    let _ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let down = server.publish_random("down.bin", 3, 2_000_000)?;
    let session = lab.ftp(Client::Curl, mode, &server);
    down.verify(&session.get("down.bin")?)?;
    let up = Payload::random(4, 2_000_000);
    session.put("up.bin", up.bytes())?;
    up.verify(&server.uploaded("up.bin")?)?;
    // The ends of the connections come after the files.
    wait::until_true("all connections to be over", wait::PATIENCE, || {
        Ok(!lab.client.has_connections()? && !lab.server.has_connections()?)
    })?;

    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let edits = sides.verify_edits(21, mode.announcement(), &public_text(mode))?;
    ensure!(edits == 2, "{edits} edits");
    let data = sides.data(21)?;
    ensure!(data.len() == 2, "{} data connections", data.len());
    for (client, server) in &data {
        client.complete()?;
        server.complete()?;
    }
    // What was asked for is what was tested.
    let all = || sides.client.packets.iter().chain(&sides.server.packets);
    let pending = all().any(|p| p.checksum_pending);
    let long = all().any(|p| p.gso_size != 0);
    match offloads {
        Offloads::On => ensure!(pending && long, "no offload was used"),
        Offloads::NoSegmentation => ensure!(pending && !long, "segmentation was offloaded"),
        Offloads::Off => {
            sides.client.verify_like_a_wire(MTU)?;
            sides.server.verify_like_a_wire(MTU)?;
        }
    }
    Ok(())
}

#[test]
fn on_active() -> Result<()> {
    with(Offloads::On, Mode::Port)
}

#[test]
fn on_passive() -> Result<()> {
    with(Offloads::On, Mode::Pasv)
}

#[test]
fn without_segmentation_active() -> Result<()> {
    with(Offloads::NoSegmentation, Mode::Port)
}

#[test]
fn without_segmentation_passive() -> Result<()> {
    with(Offloads::NoSegmentation, Mode::Pasv)
}

#[test]
fn off_active() -> Result<()> {
    with(Offloads::Off, Mode::Port)
}

#[test]
fn off_passive() -> Result<()> {
    with(Offloads::Off, Mode::Pasv)
}
