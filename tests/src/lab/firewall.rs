//! nftables rules of the gateways, and faults put on links on purpose.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::host::Host;

/// Interface of the gateway that faces the inside.
pub const LAN: &str = "lan";
/// Interface of the gateway that faces the outside.
pub const WAN: &str = "wan";

/// A forward chain as on any home gateway: what comes from outside and is new
/// is dropped (unless a DNAT rule asked for it), what is invalid is dropped.
///
/// It has counters, so that a test can see that nothing was let through by it.
const FORWARD: &str = "
table inet filter {
    counter dropped_new {}
    counter dropped_invalid {}
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid counter name dropped_invalid drop
        ct state established,related accept
        iifname lan oifname wan accept
        ct status dnat accept
        counter name dropped_new
    }
}";

/// The inside hides behind the gateway's own outside address.
pub fn masquerade(gateway: &Host) -> Result<()> {
    gateway.nft(&format!(
        "{FORWARD}
table ip nat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname {WAN} masquerade
    }}
}}"
    ))
}

/// The same forward chain, and no translation.
pub fn forward_only(gateway: &Host) -> Result<()> {
    gateway.nft(FORWARD)
}

/// The inside hides behind the gateway's outside IPv6 address.
pub fn masquerade6(gateway: &Host) -> Result<()> {
    gateway.nft(&format!(
        "{FORWARD}
table ip6 nat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname {WAN} masquerade
    }}
}}"
    ))
}

/// New connections from outside to a port of any host inside are let in.
pub fn accept_port(gateway: &Host, port: u16) -> Result<()> {
    gateway.nft(&format!(
        "insert rule inet filter forward iifname {WAN} tcp dport {port} accept"
    ))
}

/// IPv6 connections from outside to a port of the gateway go to a host inside.
pub fn forward_port6(gateway: &Host, port: u16, to: Ipv6Addr) -> Result<()> {
    gateway.nft(&format!(
        "
table ip6 nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname {WAN} tcp dport {port} dnat to [{to}]:{port}
    }}
}}"
    ))
}

/// Connections from outside to a port of the gateway go to a host inside.
pub fn forward_port(gateway: &Host, port: u16, to: Ipv4Addr, to_port: u16) -> Result<()> {
    gateway.nft(&format!(
        "
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname {WAN} tcp dport {port} dnat to {to}:{to_port}
    }}
}}"
    ))
}

/// The kernel's own FTP helper on a control port: what ftp-nat is compared with.
pub fn kernel_helper(gateway: &Host, port: u16) -> Result<()> {
    gateway.nft(&format!(
        "
table ip helper {{
    ct helper ftp {{ type \"ftp\" protocol tcp; }}
    chain prerouting {{
        type filter hook prerouting priority filter;
        tcp dport {port} ct helper set ftp
    }}
}}"
    ))
}

/// Packets counted by one of the named counters of the forward chain.
pub fn counted(gateway: &Host, counter: &str) -> Result<u64> {
    packets(gateway, "filter", counter)
}

/// Packets counted by a named counter of an `inet` table.
pub fn packets(gateway: &Host, table: &str, counter: &str) -> Result<u64> {
    let text = gateway.run(&["nft", "-j", "list", "counter", "inet", table, counter])?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    let packets = json["nftables"].as_array().and_then(|list| {
        list.iter()
            .find_map(|item| item["counter"]["packets"].as_u64())
    });
    packets.ok_or_else(|| anyhow::anyhow!("no counter {counter} in {text}"))
}

/// Which packets of a forwarded control connection a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// Loses forwarded packets of a control port that carry data, in a fixed
/// pattern: of every `period` packets those whose number is in `lost`.
///
/// In the forward chain, so between the two hooks of ftp-nat.
pub fn lose(gateway: &Host, port: u16, way: Way, period: u32, lost: &[u32]) -> Result<()> {
    let side = match way {
        Way::ToServer => "dport",
        Way::ToClient => "sport",
    };
    let lost = lost
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    // Every write of an FTP program ends in a segment with PSH; the handshake
    // and bare acknowledgements have none.
    gateway.nft(&format!(
        "
table inet faults {{
    counter lost {{}}
    chain forward {{
        type filter hook forward priority filter - 10;
        tcp {side} {port} tcp flags & (syn | psh) == psh numgen inc mod {period} {{ {lost} }} \
        counter name lost drop
    }}
}}"
    ))
}

/// How many packets [`lose`] has lost.
pub fn lost(gateway: &Host) -> Result<u64> {
    packets(gateway, "faults", "lost")
}

/// Ends the loss.
pub fn stop_losing(gateway: &Host) -> Result<()> {
    gateway.nft("delete table inet faults")
}
