//! Control segments that a router has cut into fragments, which can't be read: the
//! session goes on, and it is told why an announcement in them wasn't followed.

use std::io::Write as _;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    RoutedLab,
    control::port_command,
    routed::{Family, Plan, Side},
};

use crate::explain::until_told;

/// What fits through the link between the routers.
const NARROW: u32 = 600;

#[test]
fn a_session_goes_on_behind_segments_in_fragments() -> Result<()> {
    let lab = RoutedLab::new(Plan {
        family: Family::V4,
        client: Side::Inside,
        routers: Side::Inside,
    })?;
    lab.narrow(NARROW)?;
    // No DF: the router cuts, where it would else complain.
    lab.client.sysctl("net.ipv4.ip_no_pmtu_disc", "1")?;
    let server = lab.server.vsftpd().bind(lab.server_ip()).start()?;
    let file = server.publish_random("file.bin", 60, 10_000)?;
    let ftp_nat = lab.ftp_nat().start()?;
    let mut control = lab.client.log_in(&lab.reach(&server))?;
    // Every announcement shifts: the outside address is shorter.
    file.verify(&control.retrieve_active(40_001, "file.bin")?)?;
    ensure!(ftp_nat.counter("rewrites_shifted")? == 1);

    let long = format!("NOOP {}\r\n", "x".repeat(1000));
    for n in 1..=3 {
        control.socket().write_all(long.as_bytes())?;
        control.expect_reply(200)?;
        let cut = ftp_nat.counter("fragments")?;
        ensure!(cut >= 2 * n, "only {cut} fragments of {n} segments");
    }
    // What can't be read passes as it is: that isn't the address that the server sees.
    let port = port_command("192.168.103.105".parse()?, 40_002);
    let both = format!("{long}{port}\r\n");
    control.socket().write_all(both.as_bytes())?;
    control.expect_reply(200)?;
    control.expect_reply(500)?;
    let wanted = [
        "the client's control connection came in IP fragments",
        "MTU",
    ];
    until_told(&ftp_nat, "announcement_not_followed", &wanted)?;

    // Whether a line began behind them isn't known; behind the next one's end it is.
    control.expect("NOOP", 200)?;
    for port in 40_003..40_006 {
        file.verify(&control.retrieve_active(port, "file.bin")?)?;
    }
    ensure!(ftp_nat.counter("rewrites_shifted")? == 4);
    control.expect("QUIT", 221).map(drop)
}
