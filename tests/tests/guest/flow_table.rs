//! A control connection that a software flow table forwards, past the forward
//! chain and the connection tracker. Its packets still meet both hooks: TC's
//! ingress is before netfilter's, and what a flow table sends leaves by TC's egress.

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{Host, firewall, wait};

use crate::site::{Mode, Site};

/// The text of a PORT with it gets longer: numbers are shifted.
const SHIFTING: u16 = 1024;

/// `slow` counts what goes through the forward chain all the same.
const RULES: &str = "
table inet fast {
    counter slow {}
    flowtable ft {
        hook ingress priority filter
        devices = { in-eth, out-eth }
    }
    chain forward {
        type filter hook forward priority filter - 1;
        tcp dport 21 counter name slow
        ct state established tcp dport 21 flow add @ft
        ct state established tcp sport 21 flow add @ft
    }
}";

fn is_offloaded(gateway: &Host) -> Result<bool> {
    let all = gateway.conntrack()?;
    let control = |line: &&String| line.contains("dport=21 ") && line.contains("[OFFLOAD]");
    Ok(all.iter().any(|line| control(&line)))
}

fn through(site: &Site, mode: Mode) -> Result<()> {
    let shifted = site.ftp_nat.counter("rewrites_shifted")?;
    let (mut control, file) = site.log_in(mode, "eth", "eth")?;
    ensure!(is_offloaded(&site.gateway)?, "it isn't in the flow table");
    let before = firewall::packets(&site.gateway, "fast", "slow")?;
    for n in 0..3 {
        let got = match mode {
            Mode::Active => control.retrieve_active(SHIFTING + n, "file.bin")?,
            Mode::Passive => control.retrieve_passive("file.bin")?,
        };
        file.verify(&got)?;
    }
    let after = firewall::packets(&site.gateway, "fast", "slow")?;
    ensure!(before == after, "{} went the slow way", after - before);
    if matches!(mode, Mode::Active) {
        let by = site.ftp_nat.counter("rewrites_shifted")? - shifted;
        ensure!(by == 3, "{by} of 3 were shifted");
        // Idle, it goes back to the tracker, which has not seen the numbers.
        site.gateway
            .sysctl("net.netfilter.nf_flowtable_tcp_timeout", "1")?;
        wait::until_true("the flow table to forget it", wait::PATIENCE, || {
            Ok(!is_offloaded(&site.gateway)?)
        })?;
        file.verify(&control.retrieve_active(SHIFTING + 3, "file.bin")?)?;
    }
    control.expect("QUIT", 221)?;
    Ok(())
}

#[test]
fn a_control_connection_in_it_works() -> Result<()> {
    let site = Site::get()?;
    site.gateway.nft(RULES)?;
    let done = through(&site, Mode::Active)
        .context("active")
        .and_then(|()| through(&site, Mode::Passive).context("passive"));
    site.gateway.nft("delete table inet fast")?;
    done
}
