//! ICMP errors about what the stack forwards: those of routers beyond the
//! gateway, and those that the gateway's own stack makes. The sender must know
//! the quoted packet, or it won't believe them.

use std::io::{Read as _, Write as _};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, Offloads, Payload, RoutedLab,
    capture::Sides,
    control::accept,
    firewall::{LAN, WAN},
    routed::{Family, Plan, Side},
    topology::{GATEWAY_INSIDE, GATEWAY_OUTSIDE},
};

use super::{start, verify_path, verify_tracked};

const NARROW: u32 = 1300;

/// Upload and download through a link that only a router knows to be narrow.
fn path_mtu(family: Family, client: Side, routers: Side) -> Result<()> {
    let plan = Plan {
        family,
        client,
        routers,
    };
    let lab = RoutedLab::new(plan)?;
    lab.narrow(NARROW)?;
    let server = lab.server.vsftpd().bind(lab.server_ip()).start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let captures = lab.captures()?;
    let mode = match (client, family) {
        (Side::Inside, Family::V4) => Mode::Port,
        (Side::Inside, Family::V6) => Mode::Eprt,
        (Side::Outside, Family::V4) => Mode::Pasv,
        (Side::Outside, Family::V6) => Mode::Epsv,
    };
    let session = lab
        .client
        .ftp(Client::Curl)
        .mode(mode)
        .to(&lab.reach(&server));
    let down = server.publish_random("down.bin", 77, 300_000)?;
    let up = Payload::random(78, 300_000);
    // The end that isn't told itself of the narrow link goes first.
    let client_is_told = client != routers;
    for upload in [client_is_told, !client_is_told] {
        if upload {
            session.put("up.bin", up.bytes())?;
            up.verify(&server.uploaded("up.bin")?)?;
        } else {
            down.verify(&session.get("down.bin")?)?;
        }
    }
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let sender = if client_is_told {
        &sides.client
    } else {
        &sides.server
    };
    let kind = match family {
        Family::V4 => (3, 4),
        Family::V6 => (2, 0),
    };
    let mut told = sender.icmp_errors()?;
    told.retain(|e| e.kind == kind && e.ports.0 != 21 && e.ports.1 != 21);
    let shown = match routers {
        Side::Outside => lab.router_ip(),
        // Nobody outside can reach a router inside.
        Side::Inside => lab.gateway_ip(Side::Outside),
    };
    ensure!(!told.is_empty(), "the sender was told nothing");
    for error in &told {
        ensure!((error.from, error.rest) == (shown, NARROW), "{error:?}");
    }
    ensure!(ftp_nat.counter("icmp_dropped")? == 0);
    verify_tracked(&lab.gateway, 2)?;
    verify_path(&ftp_nat, 2)
}

#[test]
fn a_narrow_link_outside() -> Result<()> {
    for family in [Family::V4, Family::V6] {
        path_mtu(family, Side::Inside, Side::Outside)?;
        path_mtu(family, Side::Outside, Side::Outside)?;
    }
    Ok(())
}

#[test]
fn a_narrow_link_inside() -> Result<()> {
    for family in [Family::V4, Family::V6] {
        path_mtu(family, Side::Inside, Side::Inside)?;
        path_mtu(family, Side::Outside, Side::Inside)?;
    }
    Ok(())
}

/// The gateway's own way out becomes narrow in the middle of a connection: its
/// stack says so to the sender.
fn narrowed_midway(upload: bool) -> Result<()> {
    let lab = Lab::masquerade()?;
    // A merged packet is quoted as the gateway merged it, and a checksum that is
    // left to the hardware as it stands.
    lab.offloads(Offloads::Off)?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let file = server.publish_random("file.bin", 79, 3_000_000)?;
    let captures = lab.captures()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let listener = control.listen(0)?;
    control.announce(listener.local_addr()?.port())?;
    let narrow = |interface| lab.gateway.mtu(interface, NARROW).map(drop);
    if upload {
        control.expect("STOR upload/file.bin", 150)?;
        let (mut data, _) = accept(&listener)?;
        data.write_all(&file.bytes()[..100_000])?;
        narrow(WAN)?;
        data.write_all(&file.bytes()[100_000..])?;
        drop(data);
        control.expect_reply(226)?;
        file.verify(&server.uploaded("file.bin")?)?;
    } else {
        control.expect("RETR file.bin", 150)?;
        let (mut data, _) = accept(&listener)?;
        let mut got = vec![0; 100_000];
        data.read_exact(&mut got)?;
        narrow(LAN)?;
        data.read_to_end(&mut got)?;
        drop(data);
        control.expect_reply(226)?;
        file.verify(&got)?;
    }
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let (sender, gateway) = if upload {
        (&sides.client, GATEWAY_INSIDE)
    } else {
        (&sides.server, GATEWAY_OUTSIDE)
    };
    let mut told = sender.icmp_errors()?;
    told.retain(|e| e.kind == (3, 4) && e.ports.0 != 21 && e.ports.1 != 21);
    ensure!(!told.is_empty(), "the sender was told nothing");
    for error in &told {
        ensure!(error.from == gateway, "{error:?}");
    }
    verify_tracked(&lab.gateway, 1)?;
    verify_path(&ftp_nat, 1)
}

#[test]
fn the_gateways_own_way_out_is_narrow_in_an_upload() -> Result<()> {
    narrowed_midway(true)
}

#[test]
fn the_gateways_own_way_out_is_narrow_in_a_download() -> Result<()> {
    narrowed_midway(false)
}
