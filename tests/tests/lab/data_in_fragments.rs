//! Data connections whose packets a router before the gateway has cut into fragments.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Mode, Payload, RoutedLab,
    routed::{Family, Plan, Side},
};

use crate::stack_path;

/// What fits through the link between the routers.
const NARROW: u32 = 600;
const LEN: usize = 200_000;

/// A file from the end behind the narrow link to the other one, over both paths.
fn transfer(client: Side, routers: Side) -> Result<()> {
    for by_stack in [false, true] {
        let lab = RoutedLab::new(Plan {
            family: Family::V4,
            client,
            routers,
        })?;
        lab.narrow(NARROW)?;
        // No DF: the router cuts, where it would else complain.
        for end in [&lab.client, &lab.server] {
            end.sysctl("net.ipv4.ip_no_pmtu_disc", "1")?;
        }
        let server = lab.server.vsftpd().bind(lab.server_ip()).start()?;
        let ftp_nat = if by_stack {
            stack_path::start(&lab.gateway, lab.ftp_nat())?
        } else {
            lab.ftp_nat().start()?
        };
        let mode = match client {
            Side::Inside => Mode::Port,
            Side::Outside => Mode::Pasv,
        };
        let how = lab.client.ftp(Client::Curl).mode(mode);
        let session = how.to(&lab.reach(&server));
        if client == routers {
            let up = Payload::random(81, LEN);
            session.put("up.bin", up.bytes())?;
            up.verify(&server.uploaded("up.bin")?)?;
        } else {
            let down = server.publish_random("down.bin", 82, LEN)?;
            down.verify(&session.get("down.bin")?)?;
        }
        // Three of each whole segment; but not all are whole.
        let cut = ftp_nat.counter("fragments")?;
        let whole = LEN as u64 / 1448;
        ensure!(cut > 2 * whole, "only {cut} fragments");
        ensure!(ftp_nat.counter("icmp_translated")? == 0);
        ensure!(ftp_nat.counter("stack_flows_made")? == u64::from(by_stack));
        if by_stack {
            stack_path::verify_tracked(&lab.gateway, 1)?;
        } else {
            let packets = ftp_nat.counter("data_packets")?;
            ensure!(packets >= cut, "{packets} data packets, {cut} fragments");
        }
    }
    Ok(())
}

#[test]
fn upload_active_in_fragments() -> Result<()> {
    transfer(Side::Inside, Side::Inside)
}

#[test]
fn download_active_in_fragments() -> Result<()> {
    transfer(Side::Inside, Side::Outside)
}

#[test]
fn upload_passive_in_fragments() -> Result<()> {
    transfer(Side::Outside, Side::Outside)
}

#[test]
fn download_passive_in_fragments() -> Result<()> {
    transfer(Side::Outside, Side::Inside)
}
