//! Kinds of links, and how each is made.

use std::{fs, net::Ipv4Addr, process::Stdio};

use anyhow::{Context as _, Result, bail};
use ftp_nat_tests::lab::{Host, link, process::Process, topology::ETH};

/// All of them; the first is plain Ethernet.
pub const KINDS: [&str; 5] = ["eth", "vlan", "qinq", "wg", "ppp"];

/// Joins the gateway and a host by a link of a kind, with addresses and the
/// host's default route. What is given keeps the link up.
pub fn join(
    kind: &str,
    gateway: &Host,
    name: &str,
    gateway_ip: Ipv4Addr,
    host: &Host,
    host_ip: Ipv4Addr,
) -> Result<Option<Process>> {
    let below = format!("u-{name}");
    let mut stays = None;
    match kind {
        "eth" => link::join(gateway, name, host, ETH)?,
        "vlan" => {
            link::join(gateway, &below, host, "under")?;
            tag(gateway, &below, name, "802.1Q", "5")?;
            tag(host, "under", ETH, "802.1Q", "5")?;
        }
        "qinq" => {
            link::join(gateway, &below, host, "under")?;
            for (at, lowest, top) in [(gateway, below.as_str(), name), (host, "under", ETH)] {
                let outer = format!("o-{top}");
                tag(at, lowest, &outer, "802.1ad", "100")?;
                tag(at, &outer, top, "802.1Q", "7")?;
            }
        }
        "wg" => {
            link::join(gateway, &below, host, "under")?;
            wireguard(gateway, &below, name, host, gateway_ip)?;
        }
        "ppp" => {
            stays = Some(ppp(gateway, name, gateway_ip, host, host_ip)?);
        }
        _ => bail!("no such kind"),
    }
    if kind != "ppp" {
        gateway.address(name, &format!("{gateway_ip}/24"))?;
        host.address(ETH, &format!("{host_ip}/24"))?;
    }
    host.default_route(gateway_ip.into())?;
    Ok(stays)
}

fn tag(host: &Host, below: &str, name: &str, protocol: &str, id: &str) -> Result<()> {
    host.run(&[
        "ip", "link", "add", "link", below, "name", name, "type", "vlan", "protocol", protocol,
        "id", id,
    ])?;
    host.run(&["ip", "link", "set", name, "up"])?;
    Ok(())
}

/// A tunnel over the link whose gateway end is `below`. Its two ends' addresses
/// there, and its port, have the number of the gateway's network, so that a
/// gateway can have several.
fn wireguard(
    gateway: &Host,
    below: &str,
    name: &str,
    host: &Host,
    gateway_ip: Ipv4Addr,
) -> Result<()> {
    let net = gateway_ip.octets()[0];
    let port = format!("518{net}");
    let ends = [
        (gateway, below, name, format!("192.168.{net}.1")),
        (host, "under", ETH, format!("192.168.{net}.2")),
    ];
    let mut keys = Vec::new();
    for (at, under, top, address) in &ends {
        at.address(under, &format!("{address}/24"))?;
        at.run(&["ip", "link", "add", top, "type", "wireguard"])?;
        let secret = at.run(&["wg", "genkey"])?;
        let file = at.dir().join(format!("{}-{top}.key", at.name()));
        fs::write(&file, &secret)?;
        let file = file.to_str().context("a folder's name is no text")?;
        at.run(&["wg", "set", top, "listen-port", &port, "private-key", file])?;
        keys.push(
            at.run(&["wg", "show", top, "public-key"])?
                .trim()
                .to_owned(),
        );
        at.run(&["ip", "link", "set", top, "up"])?;
    }
    for (n, (at, _, top, _)) in ends.iter().enumerate() {
        let endpoint = format!("{}:{port}", ends[1 - n].3);
        at.run(&[
            "wg",
            "set",
            top,
            "peer",
            &keys[1 - n],
            "allowed-ips",
            "0.0.0.0/0",
            "endpoint",
            &endpoint,
        ])?;
    }
    Ok(())
}

/// Two pppd, joined by a pseudo-terminal.
fn ppp(
    gateway: &Host,
    name: &str,
    gateway_ip: Ipv4Addr,
    host: &Host,
    host_ip: Ipv4Addr,
) -> Result<Process> {
    const COMMON: &str = "nodetach noauth local nocrtscts noipv6 noccp";
    let peer = format!(
        "nsenter --net=/run/netns/{} pppd notty ifname {ETH} {host_ip}:{gateway_ip} {COMMON}",
        host.netns()
    );
    let mut command = gateway.command("pppd");
    command
        .args(["pty", &peer, "ifname", name])
        .arg(format!("{gateway_ip}:{host_ip}"))
        .args(COMMON.split(' '))
        .stdin(Stdio::null());
    let mut process = gateway.spawn(command, name)?;
    process.until_ready("both ends up", |_| {
        Ok(has_address(gateway, name, gateway_ip)? && has_address(host, ETH, host_ip)?)
    })?;
    Ok(process)
}

fn has_address(host: &Host, interface: &str, address: Ipv4Addr) -> Result<bool> {
    let list = host.run(&["ip", "-4", "-o", "address", "show", "up"])?;
    let address = address.to_string();
    Ok(list
        .lines()
        .any(|line| line.contains(&format!(" {interface} ")) && line.contains(&address)))
}
