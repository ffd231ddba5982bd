//! What gets into the way is said at the start, and does no harm where it can't.

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode,
    capture::Sides,
    firewall::{self, LAN, WAN},
    ftp_nat::FtpNat,
};

use crate::support::{public_text, transfers};

fn warns(ftp_nat: &mut FtpNat, words: &[&str]) -> Result<()> {
    let what = format!("a warning with {words:?}");
    ftp_nat.process().until_ready(&what, |log| {
        let mut lines = log.lines().filter(|line| line.contains("WARN"));
        Ok(lines.any(|line| words.iter().all(|word| line.contains(word))))
    })
}

/// The kernel's own helper on the same port finds nothing left to do.
fn beside_the_kernels_helper(mode: Mode) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    let server = lab.server.vsftpd().start()?;
    lab.kernel_helper()?;
    let mut ftp_nat = lab.ftp_nat().start()?;
    let place = "table ip helper, chain prerouting";
    warns(&mut ftp_nat, &["own FTP helper", "port 21 ", place])?;
    let captures = lab.captures()?;
    transfers(&lab, &server, Client::Curl, mode)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    // Each announcement was rewritten, and nothing else was changed.
    let edits = sides.verify_edits(server.port(), mode.announcement(), &public_text(mode))?;
    ensure!(edits >= 3, "three transfers had only {edits} announcements");
    ensure!(ftp_nat.counter("rewrites")? == edits as u64);
    ensure!(ftp_nat.counter("expectations_used")? >= 3);
    ensure!(
        firewall::counted(&lab.gateway, "dropped_invalid")? == 0,
        "the connection tracker called a packet invalid"
    );
    Ok(())
}

#[test]
fn the_kernels_helper_in_active_mode_behind_masquerade() -> Result<()> {
    beside_the_kernels_helper(Mode::Port)
}

#[test]
fn the_kernels_helper_in_passive_mode_behind_dnat() -> Result<()> {
    beside_the_kernels_helper(Mode::Pasv)
}

#[test]
fn forwarding_that_is_off_and_others_on_the_hooks() -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.gateway.sysctl("net/ipv4/conf/lan/forwarding", "0")?;
    let tc = |words: &[&str]| lab.gateway.run(&[&["tc"], words].concat());
    tc(&["qdisc", "add", "dev", WAN, "clsact"])?;
    let program = "1,6 0 0 0,";
    tc(&[
        "filter", "add", "dev", WAN, "egress", "bpf", "bytecode", program, "flowid", "1:1",
    ])?;
    let mut ftp_nat = lab.ftp_nat().start()?;
    warns(&mut ftp_nat, &[LAN, "doesn't forward IPv4"])?;
    let order = "ftp_nat_egress, bpf; what runs behind ftp-nat";
    warns(&mut ftp_nat, &["wan has other programs at egress", order])?;
    let said = ftp_nat.process().log();
    for not in [
        "FTP helper",
        "at ingress, in this order",
        "wan doesn't forward",
    ] {
        ensure!(!said.contains(not), "there is no `{not}`: {said}");
    }
    Ok(())
}
