//! Control connections that don't come about: what `explain` says in one command.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{Lab, control::Control, ftp_nat::FtpNat, host::Host, wait};

use super::{explain, until_verdict};

const SERVER: &str = "61.144.1.100:21";

/// A try that fails at once.
fn is_refused(client: &Host) -> Result<()> {
    let at: SocketAddr = SERVER.parse()?;
    ensure!(Control::open(client, at).is_err(), "it came about");
    Ok(())
}

/// Waits for what is said where no session tells it.
fn until_told(ftp_nat: &FtpNat, name: &str, wanted: &[&str]) -> Result<()> {
    let says = wait::until(&format!("the verdict {name}"), wait::PATIENCE, || {
        let told = explain(ftp_nat, &[])?;
        let verdict = &told["verdicts"][0];
        Ok((verdict["name"] == name).then(|| verdict.to_string()))
    })?;
    for wanted in wanted {
        ensure!(says.contains(wanted), "{name}: no `{wanted}` in {says}");
    }
    Ok(())
}

/// Nothing listens; then the firewall is in the way; then all is well, and what was
/// before is not told any more.
#[test]
fn a_connection_that_does_not_come_about() -> Result<()> {
    let lab = Lab::masquerade()?;
    let ftp_nat = lab.ftp_nat().start()?;
    is_refused(&lab.client)?;
    let wanted = ["left by wan", "nothing listens on 61.144.1.100:21"];
    until_told(&ftp_nat, "control_not_answered", &wanted)?;

    let server = lab.server.vsftpd().start()?;
    let chain = "type filter hook forward priority 0; policy drop";
    lab.gateway.nft(&format!(
        "add table inet shut; add chain inet shut forward {{ {chain}; }};
         add rule inet shut forward ct state established accept;
         add rule inet shut forward tcp flags syn reject with tcp reset"
    ))?;
    is_refused(&lab.client)?;
    let wanted = [
        "should have left by wan",
        "firewall dropped it",
        "chain inet shut forward drops",
        "nft add rule inet shut forward tcp dport { 21 } accept",
    ];
    until_told(&ftp_nat, "control_not_forwarded", &wanted)?;

    // As it is told to be mended.
    lab.gateway
        .nft("insert rule inet shut forward tcp dport { 21 } accept")?;
    let _control = lab.client.log_in(&lab.reach(&server))?;
    until_verdict(&ftp_nat, "nothing_asked")?;
    let told = explain(&ftp_nat, &[])?;
    ensure!(
        told["verdicts"].as_array().is_some_and(Vec::is_empty),
        "{told}"
    );
    Ok(())
}

/// What the kernel's routing would do is told.
#[test]
fn a_connection_that_has_no_way_on() -> Result<()> {
    let lab = Lab::masquerade()?;
    let ftp_nat = lab.ftp_nat().start()?;
    let setting = |text: &str| lab.gateway.run(&["sysctl", "-qw", text]).map(drop);
    let dial = || {
        let mut command = lab.client.command("curl");
        command.args(["--silent", "--max-time", "600", &format!("ftp://{SERVER}/")]);
        lab.client.spawn(command, "dial")
    };
    setting("net.ipv4.ip_forward=0")?;
    let first = dial()?;
    until_told(
        &ftp_nat,
        "control_not_forwarded",
        &["doesn't forward", "echo 1 >"],
    )?;
    drop(first);
    setting("net.ipv4.ip_forward=1")?;
    lab.gateway
        .run(&["ip", "route", "add", "unreachable", "61.144.1.100"])?;
    let _second = dial()?;
    until_told(
        &ftp_nat,
        "control_not_forwarded",
        &["no route to 61.144.1.100"],
    )
}
