//! Both ends of the control connections are made by hand, packet by packet:
//! `tests/raw_tcp`, which shares nothing with the engine nor with its model.
//!
//! ```text
//!  inside 10.10.0.x              gateway              outside 61.144.1.x
//!   clients                 masquerade ->             servers at port 21
//!   a server      <- DNAT of ports 2121 and 2122      clients
//!                    (2122: these hide, too, as 10.10.0.254)
//! ```
//! Typical lines are cut at every offset, and their pieces repeated, lost, moved
//! and turned round; then whole sessions are drawn by seed.

use std::{env, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{Lab, firewall, host::Host, peers, topology::ETH};

/// The hosts that are made by hand. No kernel has their addresses, or it would
/// reset their connections. Lengths differ, so that texts grow and shrink.
const CLIENTS: [&str; 4] = ["10.10.0.7", "10.10.0.77", "10.10.0.200", "10.10.0.8"];
const SERVER: &str = "10.10.0.6";
const FAR: [&str; 3] = ["61.144.1.9", "61.144.1.77", "61.144.1.177"];
const PORTS: [u16; 3] = [21, 2121, 2122];

/// Random sessions, where nothing else is asked for.
const SESSIONS: &str = "30";

fn hardware_address(host: &Host, interface: &str) -> Result<String> {
    let shown = host.run(&["ip", "-o", "link", "show", "dev", interface])?;
    let mut words = shown.split_whitespace().skip_while(|w| *w != "link/ether");
    let address = words.nth(1).context("an interface without an address")?;
    Ok(address.to_owned())
}

fn know(gateway: &Host, addresses: &[&str], at: &str, interface: &str) -> Result<()> {
    for address in addresses {
        gateway.run(&[
            "ip",
            "neighbour",
            "replace",
            address,
            "lladdr",
            at,
            "dev",
            interface,
            "nud",
            "permanent",
        ])?;
    }
    Ok(())
}

/// A number that a run is to have instead of the usual one.
fn asked(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

#[test]
fn every_stream_and_every_acknowledgement_is_exact() -> Result<()> {
    let lab = Lab::dnat()?;
    let (inside, outside, gateway) = (&lab.server, &lab.client, &lab.gateway);
    let server = SERVER.parse()?;
    for port in &PORTS[1..] {
        firewall::forward_port(gateway, *port, server, *port)?;
    }
    gateway.nft(&format!(
        "
table ip hide {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname lan tcp dport {} masquerade;
    }}
}}",
        PORTS[2]
    ))?;
    know(gateway, &CLIENTS, &hardware_address(inside, ETH)?, "lan")?;
    know(gateway, &[SERVER], &hardware_address(inside, ETH)?, "lan")?;
    know(gateway, &FAR, &hardware_address(outside, ETH)?, "wan")?;
    let mut builder = lab.ftp_nat();
    for port in PORTS {
        builder = builder.port(port);
    }
    let ftp_nat = builder
        .arg("--max-sessions-per-source=65536")
        .arg("--max-pending-per-source=65536")
        .start()?;

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("raw_tcp/main.py");
    let namespace = |host: &Host| format!("/run/netns/{}", host.netns());
    let mut command = gateway.command(peers::python("ctypes")?);
    command.arg("-B").arg(script);
    command.args(["--inside", &namespace(inside)]);
    command.arg(hardware_address(gateway, "lan")?);
    command.args(["--outside", &namespace(outside)]);
    command.arg(hardware_address(gateway, "wan")?);
    command.arg("--clients").args(CLIENTS);
    command
        .args(["--server-inside", SERVER])
        .arg("--far")
        .args(FAR);
    let mut limit = Duration::from_secs(240);
    if let Some(seed) = asked("FTP_NAT_SEED") {
        command.args(["--seed", &seed]);
    } else if let Some(seconds) = asked("FTP_NAT_SECONDS") {
        limit += Duration::from_secs(seconds.parse()?);
        command.args(["--exhaustive", "--seconds", &seconds]);
        let first = std::process::id().to_string();
        command.args(["--first", &asked("FTP_NAT_FIRST").unwrap_or(first)]);
    } else {
        let sessions = asked("FTP_NAT_CASES").unwrap_or_else(|| SESSIONS.into());
        command.args(["--exhaustive", "--sessions", &sessions]);
    }
    let done = gateway.finish(command, "by-hand", "", limit)?;
    let told = done.success("the ends by hand")?.text();
    println!("{told}");
    ensure!(
        ftp_nat.counter("dropped_edit_failed")? == 0,
        "packets were lost to failing edits"
    );
    Ok(())
}
