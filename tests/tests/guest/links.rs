//! An active and a passive transfer over each kind of link, as the gateway's
//! inside and as its outside one.

use anyhow::Result;

use crate::site::{Mode, Site};

/// As the inside link, then as the outside one.
fn both_sides(kind: &str) -> Result<()> {
    let site = Site::get()?;
    for mode in [Mode::Active, Mode::Passive] {
        site.transfer(mode, kind, "eth")?;
        site.transfer(mode, "eth", kind)?;
    }
    Ok(())
}

#[test]
fn vlan_with_one_tag() -> Result<()> {
    both_sides("vlan")
}

#[test]
fn vlan_with_two_tags() -> Result<()> {
    both_sides("qinq")
}

#[test]
fn wireguard() -> Result<()> {
    both_sides("wg")
}

#[test]
fn ppp() -> Result<()> {
    both_sides("ppp")
}

/// From a VPN to a dial-up line: neither has an Ethernet header.
#[test]
fn wireguard_to_ppp() -> Result<()> {
    let site = Site::get()?;
    site.transfer(Mode::Active, "wg", "ppp")?;
    site.transfer(Mode::Passive, "wg", "ppp")
}
