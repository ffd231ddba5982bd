//! Both ends of the control connections are made by hand, packet by packet:
//! `tests/raw_tcp`, which shares nothing with the engine nor with its model.
//!
//! ```text
//!  inside                        gateway              outside
//!  10.10.0.x                                          61.144.1.x
//!  fd00:10::x                                         2001:db8:1::x
//!   clients                 masquerade ->             servers at port 21
//!   a server      <- DNAT of ports 2121 and 2122      clients
//!                    (2122: these hide, too, behind the inside address)
//! ```
//! Typical lines are cut at every offset, and their pieces repeated, lost, moved
//! and turned round; then whole sessions are drawn by seed.

use std::{env, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Lab, Lab6, firewall,
    ftp_nat::Builder,
    host::Host,
    peers,
    topology::ETH,
    topology6::{Inside, Translation},
};

/// The ends of one family, and where they are.
struct Ends<'a> {
    inside: &'a Host,
    outside: &'a Host,
    gateway: &'a Host,
    /// Hosts that are made by hand. No kernel has their addresses, or it would
    /// reset their connections. Lengths differ, so that texts grow and shrink.
    clients: &'a [&'a str],
    server: &'a str,
    far: &'a [&'a str],
    /// The gateway's addresses outside and inside.
    addresses: [&'a str; 2],
}

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

/// Runs the ends, and asks that all they saw was right.
fn exchange(ends: &Ends<'_>, mut builder: Builder) -> Result<()> {
    let (inside, outside, gateway) = (ends.inside, ends.outside, ends.gateway);
    let family = if ends.server.contains(':') {
        "ip6"
    } else {
        "ip"
    };
    gateway.nft(&format!(
        "
table {family} hide {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname lan tcp dport {} masquerade;
    }}
}}",
        PORTS[2]
    ))?;
    know(
        gateway,
        ends.clients,
        &hardware_address(inside, ETH)?,
        "lan",
    )?;
    know(
        gateway,
        &[ends.server],
        &hardware_address(inside, ETH)?,
        "lan",
    )?;
    know(gateway, ends.far, &hardware_address(outside, ETH)?, "wan")?;
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
    let [at_outside, at_inside] = ends.addresses;
    command.args(["--gateway", at_outside, "--gateway-inside", at_inside]);
    command.arg("--clients").args(ends.clients);
    command.args(["--server-inside", ends.server]);
    command.arg("--far").args(ends.far);
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

#[test]
fn every_stream_and_every_acknowledgement_is_exact() -> Result<()> {
    let lab = Lab::dnat()?;
    let server = "10.10.0.6";
    for port in &PORTS[1..] {
        firewall::forward_port(&lab.gateway, *port, server.parse()?, *port)?;
    }
    let ends = Ends {
        inside: &lab.server,
        outside: &lab.client,
        gateway: &lab.gateway,
        clients: &["10.10.0.7", "10.10.0.77", "10.10.0.200", "10.10.0.8"],
        server,
        far: &["61.144.1.9", "61.144.1.77", "61.144.1.177"],
        addresses: ["61.144.1.2", "10.10.0.254"],
    };
    exchange(&ends, lab.ftp_nat())
}

#[test]
fn over_ipv6_they_are_exact_too() -> Result<()> {
    let lab = Lab6::new(Inside::Server, Translation::Nat66)?;
    let server = "fd00:10::6";
    for port in &PORTS[1..] {
        firewall::forward_port6(&lab.gateway, *port, server.parse()?)?;
    }
    let ends = Ends {
        inside: &lab.server,
        outside: &lab.client,
        gateway: &lab.gateway,
        clients: &[
            "fd00:10::7",
            "fd00:10::abc:77",
            "fd00:10::1234:5678:9abc:def0",
            "fd00:10::8:0:0:8",
        ],
        server,
        far: &["2001:db8:1::9", "2001:db8:1::abcd:77", "2001:db8:1::177"],
        addresses: ["2001:db8:1::2", "fd00:10::254"],
    };
    exchange(&ends, lab.ftp_nat())
}
