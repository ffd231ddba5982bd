//! Routers beyond the gateway, on either side: what they complain of reaches
//! the host that sent the packet, and it does what the error asks for.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Mode, Payload, RoutedLab, Server,
    capture::{IcmpError, Sides, Trace},
    control::{Control, accept},
    firewall::WAN,
    ftp_nat::FtpNat,
    routed::{Family, Plan, Side},
};
use nix::sys::socket::{setsockopt, sockopt};

/// What fits through the narrow link; IPv6 has to have 1280.
const NARROW: u32 = 1300;

const fn too_big(family: Family) -> (u8, u8) {
    match family {
        Family::V4 => (3, 4),
        Family::V6 => (2, 0),
    }
}

const fn time_exceeded(family: Family) -> (u8, u8) {
    match family {
        Family::V4 => (11, 0),
        Family::V6 => (3, 0),
    }
}

const fn mode(plan: Plan) -> Mode {
    match (plan.client, plan.family) {
        (Side::Inside, Family::V4) => Mode::Port,
        (Side::Inside, Family::V6) => Mode::Eprt,
        (Side::Outside, Family::V4) => Mode::Pasv,
        (Side::Outside, Family::V6) => Mode::Epsv,
    }
}

fn routed(family: Family, client: Side, routers: Side) -> Result<RoutedLab> {
    RoutedLab::new(Plan {
        family,
        client,
        routers,
    })
}

/// Errors about data packets that a host was sent.
fn about_data(trace: &Trace, kind: (u8, u8)) -> Result<Vec<IcmpError>> {
    let mut errors = trace.icmp_errors()?;
    errors.retain(|e| e.kind == kind && e.ports.0 != 21 && e.ports.1 != 21);
    Ok(errors)
}

/// Upload and download through a link that only a router knows to be narrow.
fn path_mtu(family: Family, client: Side, routers: Side) -> Result<()> {
    let lab = routed(family, client, routers)?;
    lab.narrow(NARROW)?;
    let server = lab.server.vsftpd().bind(lab.server_ip()).start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let captures = lab.captures()?;
    let down = server.publish_random("down.bin", 51, 300_000)?;
    let how = lab.client.ftp(Client::Curl).mode(mode(lab.plan()));
    let session = how.to(&lab.reach(&server));
    let up = Payload::random(52, 300_000);
    // The end on the other side sends what the router can't pass on. It goes
    // first: who was told itself of the narrow link announces a smaller MSS.
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
    let told = about_data(sender, too_big(family))?;
    let shown = match routers {
        Side::Outside => lab.router_ip(),
        // Nobody outside can reach a router inside.
        Side::Inside => lab.gateway_ip(Side::Outside),
    };
    ensure!(!told.is_empty(), "the sender was told nothing");
    for error in &told {
        ensure!((error.from, error.rest) == (shown, NARROW), "{error:?}");
    }
    let translated = ftp_nat.counter("icmp_translated")?;
    ensure!(translated >= told.len() as u64, "{translated} translated");
    ensure!(ftp_nat.counter("icmp_dropped")? == 0);
    Ok(())
}

#[test]
fn upload_active_through_a_narrow_link_outside() -> Result<()> {
    path_mtu(Family::V4, Side::Inside, Side::Outside)
}

#[test]
fn download_active_through_a_narrow_link_inside() -> Result<()> {
    path_mtu(Family::V4, Side::Inside, Side::Inside)
}

#[test]
fn download_passive_through_a_narrow_link_outside() -> Result<()> {
    path_mtu(Family::V4, Side::Outside, Side::Outside)
}

#[test]
fn upload_passive_through_a_narrow_link_inside() -> Result<()> {
    path_mtu(Family::V4, Side::Outside, Side::Inside)
}

#[test]
fn upload_active_through_a_narrow_link_outside_over_ipv6() -> Result<()> {
    path_mtu(Family::V6, Side::Inside, Side::Outside)
}

#[test]
fn download_active_through_a_narrow_link_inside_over_ipv6() -> Result<()> {
    path_mtu(Family::V6, Side::Inside, Side::Inside)
}

#[test]
fn download_passive_through_a_narrow_link_outside_over_ipv6() -> Result<()> {
    path_mtu(Family::V6, Side::Outside, Side::Outside)
}

#[test]
fn upload_passive_through_a_narrow_link_inside_over_ipv6() -> Result<()> {
    path_mtu(Family::V6, Side::Outside, Side::Inside)
}

/// EPRT for a listener of the client's, in either family.
fn announce(control: &mut Control, port: u16) -> Result<()> {
    let ip = control.local()?.ip();
    let family = if ip.is_ipv4() { 1 } else { 2 };
    let command = format!("EPRT |{family}|{ip}|{port}|");
    control.expect(&command, 200).map(drop)
}

/// A data connection that the client is going to send on.
fn uploading(lab: &RoutedLab, control: &mut Control) -> Result<TcpStream> {
    const STORE: &str = "STOR upload/file";
    if lab.plan().client == Side::Inside {
        let listener = control.listen(0)?;
        announce(control, listener.local_addr()?.port())?;
        control.expect(STORE, 150)?;
        return Ok(accept(&listener)?.0);
    }
    let reply = control.expect("EPSV", 229)?;
    let port = reply.text.split('|').nth(3).context("no port in 229")?;
    let at = SocketAddr::new(lab.server_at().ip(), port.parse()?);
    let data = lab.client.connect(at)?;
    control.expect(STORE, 150)?;
    Ok(data)
}

fn set_hops(stream: &TcpStream, family: Family, hops: i32) -> Result<()> {
    match family {
        Family::V4 => setsockopt(stream, sockopt::Ipv4Ttl, &hops)?,
        Family::V6 => setsockopt(stream, sockopt::Ipv6Ttl, &hops)?,
    }
    Ok(())
}

/// Each hop of a data connection shows itself as it would without ftp-nat.
fn trace_route(family: Family, client: Side, routers: Side) -> Result<()> {
    let lab = routed(family, client, routers)?;
    let server = lab.server.vsftpd().bind(lab.server_ip()).start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let mut data = uploading(&lab, &mut control)?;
    data.set_nodelay(true)?;
    let captures = lab.captures()?;
    // TCP sends again with the hops that are set then. Of what it sent before an
    // error may be on its way still, and be counted with those of the next hop.
    for (hops, counter, errors) in [
        (1, "data_ttl_exceeded", 1),
        (2, "icmp_translated", 1),
        (3, "icmp_translated", 2),
    ] {
        set_hops(&data, family, hops)?;
        let before = ftp_nat.counter(counter)?;
        data.write_all(format!("hop {hops} ").as_bytes())?;
        ftp_nat.until_counter(counter, before + errors)?;
    }
    set_hops(&data, family, 64)?;
    data.write_all(b"end")?;
    drop(data);
    control.expect_reply(226)?;
    ensure!(server.uploaded("file")? == b"hop 1 hop 2 hop 3 end");
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let mut path: Vec<_> = about_data(&sides.client, time_exceeded(family))?
        .iter()
        .map(|e| e.from)
        .collect();
    path.dedup();
    let gateway = lab.gateway_ip(client);
    let expected = match routers {
        Side::Outside => vec![gateway, lab.router_ip(), lab.edge_ip()],
        // What is behind the translation stays hidden.
        Side::Inside => vec![gateway],
    };
    ensure!(path == expected, "{path:?} instead of {expected:?}");
    Ok(())
}

#[test]
fn a_data_connection_shows_its_path() -> Result<()> {
    trace_route(Family::V4, Side::Inside, Side::Outside)
}

#[test]
fn a_data_connection_shows_its_path_over_ipv6() -> Result<()> {
    trace_route(Family::V6, Side::Inside, Side::Outside)
}

#[test]
fn the_path_inside_stays_hidden() -> Result<()> {
    trace_route(Family::V4, Side::Outside, Side::Inside)
}

#[test]
fn the_path_inside_stays_hidden_over_ipv6() -> Result<()> {
    trace_route(Family::V6, Side::Outside, Side::Inside)
}

/// Nobody threw an error away because of its sequence number.
fn believed(trace: &Trace, family: Family, ftp_nat: &FtpNat) -> Result<Vec<IcmpError>> {
    let mut told = trace.icmp_errors()?;
    told.retain(|e| e.kind == too_big(family) && (e.ports.0 == 21 || e.ports.1 == 21));
    ensure!(!told.is_empty(), "the sender was told nothing");
    let shifted = ftp_nat.counter("rewrites_shifted")?;
    ensure!(shifted >= 1, "the numbers are not shifted");
    let renumbered = ftp_nat.counter("icmp_renumbered")?;
    ensure!(renumbered >= 1, "{renumbered} renumbered");
    Ok(told)
}

/// A client whose stream is shifted by a PORT or EPRT.
fn shifted_client(lab: &RoutedLab) -> Result<(Server, FtpNat, Control)> {
    let server = lab.server.vsftpd().bind(lab.server_ip()).start()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    let listener = control.listen(0)?;
    announce(&mut control, listener.local_addr()?.port())?;
    // An acknowledgement of all that was shifted lies behind it.
    control.expect("NOOP", 200)?;
    Ok((server, ftp_nat, control))
}

/// A command that fills a packet.
fn long_command() -> String {
    format!("NOOP {}", "x".repeat(1380))
}

fn long_command_through_a_narrow_link(family: Family) -> Result<()> {
    let lab = routed(family, Side::Inside, Side::Outside)?;
    lab.narrow(NARROW)?;
    let (_server, ftp_nat, mut control) = shifted_client(&lab)?;
    let captures = lab.captures()?;
    control.expect(&long_command(), 200)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for error in believed(&sides.client, family, &ftp_nat)? {
        ensure!(error.from == lab.router_ip(), "{error:?}");
    }
    Ok(())
}

#[test]
fn a_long_command_behind_a_shift_gets_through() -> Result<()> {
    long_command_through_a_narrow_link(Family::V4)
}

#[test]
fn a_long_command_behind_a_shift_gets_through_over_ipv6() -> Result<()> {
    long_command_through_a_narrow_link(Family::V6)
}

/// The gateway's own stack complains, of a packet that ftp-nat has renumbered.
#[test]
fn the_gateways_own_error_is_believed_too() -> Result<()> {
    for family in [Family::V4, Family::V6] {
        let lab = routed(family, Side::Inside, Side::Outside)?;
        let (_server, ftp_nat, mut control) = shifted_client(&lab)?;
        lab.gateway.mtu(WAN, NARROW)?;
        let captures = lab.captures()?;
        control.expect(&long_command(), 200)?;
        let sides = Sides::stop(captures)?;
        sides.verify_checksums()?;
        for error in believed(&sides.client, family, &ftp_nat)? {
            ensure!(error.from == lab.gateway_ip(Side::Inside), "{error:?}");
        }
    }
    Ok(())
}

#[test]
fn a_long_reply_behind_a_shift_gets_through() -> Result<()> {
    let lab = routed(Family::V4, Side::Outside, Side::Outside)?;
    lab.narrow(NARROW)?;
    // So much text before the address that nothing can make up for its length.
    let text = "Entering the mode in which a server waits for its client";
    let long = format!("200-{}\r\n200 End.\r\n", "y".repeat(1380));
    let expected = long.clone();
    let at = SocketAddr::new(lab.server_ip(), 21);
    let _server = lab
        .server
        .scripted(at, None, move |line| match line.get(..4) {
            Some(b"PASV") => format!("227 {text} (192,168,103,105,200,15)\r\n").into_bytes(),
            Some(b"HELP") => long.clone().into_bytes(),
            _ => b"200 Fine.\r\n".to_vec(),
        })?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = Control::open(&lab.client, lab.server_at())?;
    control.expect("PASV", 227)?;
    control.expect("NOOP", 200)?;
    let captures = lab.captures()?;
    control.send("HELP")?;
    let mut got = vec![0; expected.len()];
    control.socket().read_exact(&mut got).context("the reply")?;
    ensure!(got == expected.as_bytes());
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    for error in believed(&sides.server, Family::V4, &ftp_nat)? {
        ensure!(error.from == lab.router_ip(), "{error:?}");
    }
    Ok(())
}
