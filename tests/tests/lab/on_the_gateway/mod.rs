//! Clients and servers on the gateway itself: there is nothing to translate for
//! them, but the input chain would drop their data connections.

mod advertise;
mod client;
mod midway;
mod server;

use anyhow::Result;
use ftp_nat_tests::lab::{Lab, firewall, host::Host};

/// An input chain that is shut but for the control port, and for data
/// connections that ftp-nat marked.
const INPUT: &str = "
table inet input {
    counter dropped {}
    counter marked {}
    chain input {
        type filter hook input priority filter; policy drop;
        iifname lo accept
        ct state established,related accept
        tcp dport 21 accept
        MARKED
        counter name dropped
    }
}";

/// As the README says it.
const MARKED: &str = "meta mark & 0x100000 == 0x100000 ct state new counter name marked accept";

/// The gateway's input chain, which lets marked connections in.
fn shut(gateway: &Host) -> Result<()> {
    gateway.nft(&INPUT.replace("MARKED", MARKED))
}

/// The same without the rule for marked connections.
fn shut_for_all(gateway: &Host) -> Result<()> {
    gateway.nft(&INPUT.replace("MARKED", ""))
}

fn counted(lab: &Lab, counter: &str) -> Result<u64> {
    firewall::packets(&lab.gateway, "input", counter)
}
