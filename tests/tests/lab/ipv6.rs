//! Control connections over IPv6 (RFC 2428): EPRT with family 2, and EPSV.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab6, Mode, Payload, ServerKind,
    capture::Sides,
    firewall,
    topology6::{GATEWAY_OUTSIDE, HOST_INSIDE, Inside, Translation},
};

const SERVERS: [ServerKind; 2] = [ServerKind::Vsftpd, ServerKind::Pyftpdlib];
const CLIENTS: [Client; 3] = [Client::Curl, Client::Lftp, Client::Ftplib];

/// Transfers with each client and server, which need a pinhole each.
fn transfers(inside: Inside, translation: Translation, mode: Mode) -> Result<()> {
    let lab = Lab6::new(inside, translation)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut used = 0;
    for kind in SERVERS {
        let at = IpAddr::V6(lab.server_ip());
        let server = lab.server.serve(kind).bind(at).start()?;
        let file = server.publish_random("down.bin", 41, 200_001)?;
        for client in CLIENTS {
            let captures = lab.captures()?;
            let session = lab.client.ftp(client).mode(mode).to(&lab.reach(&server));
            file.verify(&session.get("down.bin")?)?;
            let name = format!("{}.bin", client.name());
            let up = Payload::random(42, 100_003);
            session.put(&name, up.bytes())?;
            up.verify(&server.uploaded(&name)?)?;
            let sides = Sides::stop(captures)?;
            announced(&sides, mode, translation)?;
            let now = ftp_nat.counter("expectations_used")?;
            ensure!(
                now == used + 2,
                "{} with {}: {} data connections by announcements",
                client.name(),
                kind.name(),
                now - used
            );
            used = now;
        }
    }
    ensure!(firewall::counted(&lab.gateway, "dropped_invalid")? == 0);
    ensure!(firewall::counted(&lab.gateway, "dropped_new")? == 0);
    let rewrites = ftp_nat.counter("rewrites")?;
    let pinholes = ftp_nat.counter("pinholes_only")?;
    // A server's 229 names only a port, which may stay what it is.
    match (translation, mode) {
        (Translation::None, _) => ensure!((rewrites, pinholes) == (0, used)),
        (Translation::Nat66, _) => ensure!(rewrites + pinholes >= used),
    }
    Ok(())
}

fn announced(sides: &Sides, mode: Mode, translation: Translation) -> Result<()> {
    sides.verify_checksums()?;
    match (mode, translation) {
        (Mode::Eprt, Translation::Nat66) => {
            let edits = sides.verify_edits(21, "EPRT |2|", &GATEWAY_OUTSIDE.to_string())?;
            ensure!(edits == 2, "{edits} edits");
        }
        // The port in a 229 may change, and nothing else.
        (_, Translation::Nat66) => {
            for edit in sides.edits(21)? {
                let said = |s: &str| s.starts_with("229 ") && s.contains("(|||");
                ensure!(said(&edit.sent) && said(&edit.received), "{edit:?}");
            }
        }
        (_, Translation::None) => {
            let edits = sides.edits(21)?;
            ensure!(edits.is_empty(), "{edits:?}");
        }
    }
    Ok(())
}

#[test]
fn active_with_a_pinhole_only() -> Result<()> {
    transfers(Inside::Client, Translation::None, Mode::Eprt)
}

#[test]
fn active_behind_masquerade() -> Result<()> {
    transfers(Inside::Client, Translation::Nat66, Mode::Eprt)
}

#[test]
fn passive_with_a_pinhole_only() -> Result<()> {
    transfers(Inside::Server, Translation::None, Mode::Epsv)
}

#[test]
fn passive_behind_a_forwarded_port() -> Result<()> {
    transfers(Inside::Server, Translation::Nat66, Mode::Epsv)
}

/// Passive mode out of the inside needs no help, and must not be harmed.
#[test]
fn passive_from_inside() -> Result<()> {
    for translation in [Translation::None, Translation::Nat66] {
        let lab = Lab6::new(Inside::Client, translation)?;
        let _ftp_nat = lab.ftp_nat().start()?;
        let at = IpAddr::V6(lab.server_ip());
        let server = lab.server.vsftpd().bind(at).start()?;
        let file = server.publish_random("down.bin", 43, 100_000)?;
        for client in CLIENTS {
            let session = lab.client.ftp(client).mode(Mode::Epsv);
            file.verify(&session.to(&lab.reach(&server)).get("down.bin")?)?;
        }
    }
    Ok(())
}

/// An EPRT in other words for the same address, and with other delimiters.
#[test]
fn other_spellings_of_the_address() -> Result<()> {
    let lab = Lab6::new(Inside::Client, Translation::Nat66)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let at = IpAddr::V6(lab.server_ip());
    // vsftpd connects only when a transfer is asked for.
    let server = lab.server.vsftpd().bind(at).start()?;
    let captures = lab.captures()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let long = HOST_INSIDE.segments().map(|s| format!("{s:04X}")).join(":");
    let spellings = [
        format!("EPRT |2|{HOST_INSIDE}|40001|"),
        format!("EPRT |2|{long}|40002|"),
        format!("EPRT |2|{}|40003|", long.to_lowercase()),
        "eprt |2|fd00:10:0:0:0:0:0:1|40004|".to_owned(),
    ];
    for spelling in &spellings {
        control.expect(spelling, 200)?;
    }
    let other = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x77);
    control.say(&format!("EPRT |2|{other}|40005|"))?;
    let sides = Sides::stop(captures)?;
    let edits = sides.edits(21)?;
    ensure!(edits.len() == spellings.len(), "{edits:?}");
    for edit in edits {
        ensure!(
            edit.received.contains(&GATEWAY_OUTSIDE.to_string()),
            "{edit:?}"
        );
    }
    ensure!(ftp_nat.counter("refused_foreign_address")? == 1);
    Ok(())
}
