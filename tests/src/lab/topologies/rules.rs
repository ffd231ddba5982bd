//! Forward chains for gateways with any number of interfaces. Those that face
//! the inside are named `lan...`, the others `wan...`.
//!
//! The counters are those of [`firewall`](crate::lab::firewall).

use anyhow::Result;

use crate::lab::host::Host;

/// As on any gateway: what comes from outside and is new is dropped, unless a
/// DNAT rule asked for it; what is invalid is dropped.
pub const ORDINARY: &str = "
    iifname \"lan*\" oifname \"wan*\" accept
    ct status dnat accept";

/// Nothing new passes in either direction, but to the control port.
pub const STRICT: &str = "
    tcp dport 21 accept";

/// Loads a forward chain that drops by default, with the given rules in it.
pub fn forward(gateway: &Host, accepted: &str) -> Result<()> {
    gateway.nft(&format!(
        "
table inet filter {{
    counter dropped_new {{}}
    counter dropped_invalid {{}}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        meta l4proto ipv6-icmp accept
        ct state invalid counter name dropped_invalid drop
        ct state established accept{accepted}
        counter name dropped_new
    }}
}}"
    ))
}

/// Source NAT: rules of a postrouting chain.
pub fn source_nat(gateway: &Host, rules: &str) -> Result<()> {
    nat(gateway, "postrouting", "srcnat", rules)
}

/// Destination NAT: rules of a prerouting chain.
pub fn destination_nat(gateway: &Host, rules: &str) -> Result<()> {
    nat(gateway, "prerouting", "dstnat", rules)
}

fn nat(gateway: &Host, hook: &str, priority: &str, rules: &str) -> Result<()> {
    gateway.nft(&format!(
        "
table inet nat {{
    chain {hook} {{
        type nat hook {hook} priority {priority};
        {rules}
    }}
}}"
    ))
}
