//! Veth links between hosts, and their offloads.

use std::process::Command;

use anyhow::Result;

use super::{cleanup, host::Host, process::checked};

/// Joins two hosts by a veth link; each end is named by its own host.
pub fn join(a: &Host, a_name: &str, b: &Host, b_name: &str) -> Result<()> {
    {
        let _making = cleanup::making();
        // Made inside the namespaces: nothing ever shows up outside of them.
        let end = ["link", "add", "name", a_name, "netns", a.netns()];
        let peer = ["type", "veth", "peer", "name", b_name, "netns", b.netns()];
        checked(Command::new("ip").args(end).args(peer))?;
    }
    a.run(&["ip", "link", "set", a_name, "up"])?;
    b.run(&["ip", "link", "set", b_name, "up"])?;
    Ok(())
}

/// Gives both ends of a link permanent neighbour entries for each other's
/// addresses, so that no packet of a test waits for ARP.
pub fn know_each_other(a: &Host, a_name: &str, b: &Host, b_name: &str) -> Result<()> {
    for (host, name, other, other_name) in [(a, a_name, b, b_name), (b, b_name, a, a_name)] {
        let shown = other.run(&["ip", "-o", "address", "show", "dev", other_name])?;
        let mac = other.run(&["ip", "-o", "link", "show", "dev", other_name])?;
        let mac = word_after(&mac, "link/ether").unwrap_or_default();
        for line in shown.lines() {
            let address = word_after(line, "inet").or_else(|| word_after(line, "inet6"));
            let Some((address, _)) = address.and_then(|a| a.split_once('/')) else {
                continue;
            };
            host.run(&[
                "ip",
                "neighbour",
                "replace",
                address,
                "lladdr",
                mac,
                "dev",
                name,
                "nud",
                "permanent",
            ])?;
        }
    }
    Ok(())
}

fn word_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.split_whitespace().skip_while(|w| *w != word).nth(1)
}

/// What the ends of a link leave to each other (a veth link does no work in
/// hardware, so an offload means that the work is never done).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offloads {
    /// As veth comes: partial checksums, packets of up to 64 KiB.
    On,
    /// Partial checksums, but no packet longer than the MTU.
    NoSegmentation,
    /// Full checksums, no packet longer than the MTU: as on a real wire.
    Off,
}

impl Offloads {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::On, Self::NoSegmentation, Self::Off];

    /// Sets one end of a link.
    pub fn set(self, host: &Host, interface: &str) -> Result<()> {
        let (checksum, segmentation) = match self {
            Self::On => ("on", "on"),
            Self::NoSegmentation => ("on", "off"),
            Self::Off => ("off", "off"),
        };
        let mut words = vec!["ethtool", "-K", interface, "tx", checksum];
        for feature in ["tso", "gso", "gro"] {
            words.extend([feature, segmentation]);
        }
        host.run(&words)?;
        Ok(())
    }
}
