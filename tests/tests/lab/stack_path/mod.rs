//! `--data-path stack`: data connections are translated, and the kernel's stack
//! forwards them. Its firewall decides, and its connection tracker sees each of
//! them whole: one entry, ASSURED, and no packet that it calls invalid.
//!
//! All with strict reverse-path filters.

mod errors;
mod firewall_only;
mod hairpin;
mod nat;
mod restart;
mod sizes;

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    firewall::{self, LAN, WAN},
    ftp_nat::{Builder, FtpNat},
    host::Host,
    wait,
};

/// The rule of the README.
pub const ACCEPT: &str =
    "insert rule inet filter forward meta mark & 0x100000 == 0x100000 ct state new accept";

/// Starts the helper on this path, with the firewall's consent.
pub fn start(gateway: &Host, ftp_nat: Builder) -> Result<FtpNat> {
    for interface in ["all", LAN, WAN] {
        gateway.sysctl(&format!("net.ipv4.conf.{interface}.rp_filter"), "1")?;
    }
    gateway.nft(ACCEPT)?;
    ftp_nat.arg("--data-path").arg("stack").start()
}

/// The tracker's entries of data connections.
pub fn tracked(gateway: &Host) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for family in ["ipv4", "ipv6"] {
        let list = gateway.run(&["conntrack", "-L", "-f", family, "-p", "tcp"])?;
        all.extend(list.lines().map(str::to_owned));
    }
    all.retain(|entry| !entry.contains("dport=21 "));
    Ok(all)
}

/// That the tracker has one entry for each of `n` data connections, and that it
/// saw both directions of each.
pub fn verify_tracked(gateway: &Host, n: usize) -> Result<()> {
    // The entry is assured by the third packet, which may be on its way.
    let mut found = Vec::new();
    let whole = wait::until_true("the tracker's entries", wait::PATIENCE, || {
        found = tracked(gateway)?;
        Ok(found.len() == n && found.iter().all(|entry| entry.contains("[ASSURED]")))
    });
    whole.with_context(|| format!("{n} are wanted, it has {found:#?}"))?;
    verify_clean(gateway)
}

/// That nothing was called invalid, and nothing was dropped.
pub fn verify_clean(gateway: &Host) -> Result<()> {
    for counter in ["dropped_invalid", "dropped_new"] {
        let n = firewall::counted(gateway, counter)?;
        ensure!(n == 0, "{counter} is {n}");
    }
    Ok(())
}

/// That all data connections went this way, `n` of them.
pub fn verify_path(ftp_nat: &FtpNat, n: u64) -> Result<()> {
    let (made, stack) = (
        ftp_nat.counter("flows_made")?,
        ftp_nat.counter("stack_flows_made")?,
    );
    ensure!(
        (made, stack) == (n, n),
        "of {made} data connections {stack} went through the stack, {n} are wanted"
    );
    ensure!(ftp_nat.counter("stack_syn_lost")? == 0);
    let shown = ftp_nat.json("translations")?;
    let active = shown["translations"].as_array().context("no list")?;
    for translation in active.iter().filter(|t| t["state"] != "pending") {
        ensure!(translation["path"] == "stack", "{translation}");
        ensure!(
            translation["packets_from_announcer"].as_u64() > Some(1)
                && translation["packets_to_announcer"].as_u64() > Some(1),
            "{translation}"
        );
    }
    Ok(())
}
