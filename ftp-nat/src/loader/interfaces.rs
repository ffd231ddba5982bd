//! Which interfaces were named, and whether they can be used together.

use std::collections::HashMap;

use ftp_nat_common::{
    addr::Domain,
    layout::{DOMAIN_OF_VRF, INTERFACE_BARE, INTERFACE_LAN, Interface, NAME_LEN},
};

use crate::{
    error::{Error, Result},
    sys::{
        addresses::{self, Addresses},
        links::Device,
    },
};

/// A named interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// It faces the inside.
    pub lan: bool,
    /// Bytes before the IP header of its packets.
    pub l2_len: u32,
    /// The network its hosts are in.
    pub domain: Domain,
    /// The index of the VRF it is a port of, 0 without one.
    pub vrf: u32,
}

/// A network that is named for some interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDomain {
    /// Its number, 1 to 2^31 - 1, or the name of a VRF device.
    pub name: String,
    /// The interfaces that are in it.
    pub interfaces: Vec<String>,
}

/// Networks are told apart, or a VRF has to be reckoned with.
pub(crate) fn has_domains(selected: &[Selected]) -> bool {
    selected.iter().any(|s| s.domain != 0 || s.vrf != 0)
}

/// Puts the interfaces into the networks that were named for them, and ports
/// of a VRF for which none was into that of their VRF.
pub(crate) fn assign(
    selected: &mut [Selected],
    named: &[NamedDomain],
    devices: &[Device],
) -> Result<()> {
    for interface in selected.iter_mut() {
        let device = devices.iter().find(|d| d.index == interface.index);
        let master = device.and_then(|d| d.master);
        let vrf = devices.iter().find(|d| Some(d.index) == master && d.is_vrf);
        interface.vrf = vrf.map_or(0, |d| d.index);
        interface.domain = vrf.map_or(0, |d| DOMAIN_OF_VRF | d.index);
    }
    let mut done: Vec<&str> = Vec::new();
    for domain in named {
        let number = number(&domain.name, devices)?;
        for name in &domain.interfaces {
            let interface = selected.iter_mut().find(|s| s.name == *name);
            let Some(interface) = interface else {
                return Err(Error::DomainOfOther { name: name.clone() });
            };
            if done.contains(&name.as_str()) {
                return Err(Error::DomainTwice { name: name.clone() });
            }
            done.push(name);
            interface.domain = number;
        }
    }
    Ok(())
}

fn number(name: &str, devices: &[Device]) -> Result<Domain> {
    if let Some(vrf) = devices.iter().find(|d| d.name == name && d.is_vrf) {
        return Ok(DOMAIN_OF_VRF | vrf.index);
    }
    match name.parse() {
        Ok(number) if number & DOMAIN_OF_VRF == 0 => Ok(number),
        _ => Err(Error::NoSuchDomain {
            name: name.to_owned(),
        }),
    }
}

impl Selected {
    /// What the kernel side is told about it, given the addresses of all.
    fn entry(&self, addresses: &HashMap<String, Addresses>) -> Interface {
        let own = addresses.get(&self.name).copied().unwrap_or_default();
        let lan = if self.lan { INTERFACE_LAN } else { 0 };
        let bare = if self.l2_len == 0 { INTERFACE_BARE } else { 0 };
        Interface {
            flags: lan | bare,
            moved_to: 0,
            addr_v4: own.v4,
            addr_v6: own.v6,
            domain: self.domain,
            vrf: self.vrf,
            name: name_bytes(&self.name),
        }
    }
}

/// A name as it stands in an entry.
pub(super) fn name_bytes(name: &str) -> [u8; NAME_LEN] {
    let mut bytes = [0; NAME_LEN];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    bytes
}

/// What the kernel side is to be told about the interfaces now. Addresses come
/// and go (DHCP, router advertisements), so this is asked again.
pub(crate) fn entries(selected: &[Selected]) -> Result<Vec<(u32, Interface)>> {
    let addresses = addresses::all()?;
    Ok(selected
        .iter()
        .map(|interface| (interface.index, interface.entry(&addresses)))
        .collect())
}

/// The interfaces named `wan` and `lan` among `devices`.
pub(crate) fn select(wan: &[String], lan: &[String], devices: &[Device]) -> Result<Vec<Selected>> {
    let named = || {
        wan.iter()
            .map(|n| (n, false))
            .chain(lan.iter().map(|n| (n, true)))
    };
    if named().next().is_none() {
        return Err(Error::NoInterface);
    }
    // First, for it is wrong on every machine.
    for (n, (name, is_lan)) in named().enumerate() {
        if let Some((_, was_lan)) = named().take(n).find(|(before, _)| *before == name) {
            let name = name.clone();
            return Err(if was_lan == is_lan {
                Error::InterfaceTwice { name }
            } else {
                Error::InterfaceBothKinds { name }
            });
        }
    }
    let mut selected: Vec<Selected> = Vec::new();
    for (name, is_lan) in named() {
        let device = devices.iter().find(|d| d.name == *name).ok_or_else(|| {
            let existing: Vec<_> = devices.iter().map(|d| d.name.as_str()).collect();
            Error::NoSuchInterface {
                name: name.clone(),
                existing: existing.join(", "),
            }
        })?;
        selected.push(one(device, is_lan)?);
    }
    refuse_stacked(&selected, devices)?;
    Ok(selected)
}

/// A device as a named interface.
pub(crate) fn one(device: &Device, lan: bool) -> Result<Selected> {
    Ok(Selected {
        name: device.name.clone(),
        index: device.index,
        lan,
        l2_len: l2_len(device)?,
        domain: 0,
        vrf: 0,
    })
}

/// Bytes of link header, as `dev_is_mac_header_xmit` in the kernel's
/// include/linux/if_arp.h decides.
fn l2_len(device: &Device) -> Result<u32> {
    const ETHER: u16 = 1;
    const PPP: u16 = 512;
    const RAWIP: u16 = 519;
    const TUNNEL: u16 = 768;
    const TUNNEL6: u16 = 769;
    /// Has an Ethernet header of zeroes.
    const LOOPBACK: u16 = 772;
    const SIT: u16 = 776;
    const IPGRE: u16 = 778;
    const IP6GRE: u16 = 823;
    const VOID: u16 = 0xffff;
    const NONE: u16 = 0xfffe;
    match device.link_type {
        ETHER | LOOPBACK => Ok(14),
        PPP | RAWIP | TUNNEL | TUNNEL6 | SIT | IPGRE | IP6GRE | VOID | NONE => Ok(0),
        link_type => Err(Error::LinkLayer {
            name: device.name.clone(),
            link_type,
        }),
    }
}

/// Refuses two named devices of which one lies on top of the other: their
/// packets would pass the programs twice.
pub(super) fn refuse_stacked(selected: &[Selected], devices: &[Device]) -> Result<()> {
    for lower in selected {
        for upper in selected.iter().filter(|upper| upper.index != lower.index) {
            if is_above(upper.index, lower.index, devices) {
                return Err(Error::Stacked {
                    upper: upper.name.clone(),
                    lower: lower.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Whether the packets of `lower` pass `upper` too.
fn is_above(upper: u32, lower: u32, devices: &[Device]) -> bool {
    // Walks up from `lower`. No device is entered twice, so that a loop (which
    // the kernel doesn't allow) would end all the same.
    let mut reached = vec![lower];
    let mut next = 0;
    while let Some(&at) = reached.get(next) {
        next += 1;
        let master = devices
            .iter()
            .find(|d| d.index == at)
            .and_then(|d| d.master);
        let on_it = devices
            .iter()
            .filter(|d| d.parent == Some(at))
            .map(|d| d.index);
        for above in on_it.chain(master) {
            if !reached.contains(&above) {
                reached.push(above);
            }
        }
    }
    upper != lower && reached.contains(&upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: u32, name: &str) -> Device {
        Device {
            index,
            name: name.to_owned(),
            link_type: 1,
            ..Device::default()
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn try_select(wan: &[&str], lan: &[&str], devices: &[Device]) -> Result<Vec<Selected>> {
        select(&names(wan), &names(lan), devices)
    }

    #[test]
    fn named_interfaces_are_found_with_role_and_header() {
        let mut ppp = device(3, "ppp0");
        ppp.link_type = 512;
        let found = try_select(&["ppp0"], &["eth0"], &[device(2, "eth0"), ppp]).unwrap();
        let facts: Vec<_> = found.iter().map(|s| (s.index, s.lan, s.l2_len)).collect();
        assert_eq!(facts, [(3, false, 0), (2, true, 14)]);
    }

    #[test]
    fn domains_come_from_vrfs_and_from_what_is_said() {
        let (mut blue, mut bridge) = (device(9, "blue"), device(8, "br0"));
        let mut ports = [2, 3, 4, 5].map(|n| device(n, &format!("eth{n}")));
        blue.is_vrf = true;
        bridge.is_vrf = false;
        ports[0].master = Some(9);
        ports[1].master = Some(9);
        ports[2].master = Some(8);
        let mut devices = vec![blue, bridge];
        devices.extend(ports);
        let assigned = |domains: &[(&str, &str)]| {
            let mut selected = try_select(&["eth5"], &["eth2", "eth3", "eth4"], &devices).unwrap();
            let named: Vec<_> = domains
                .iter()
                .map(|(name, interfaces)| NamedDomain {
                    name: (*name).to_owned(),
                    interfaces: names(&interfaces.split(',').collect::<Vec<_>>()),
                })
                .collect();
            assign(&mut selected, &named, &devices)?;
            Ok::<_, Error>(
                selected
                    .iter()
                    .map(|s| (s.domain, s.vrf))
                    .collect::<Vec<_>>(),
            )
        };
        let blue = DOMAIN_OF_VRF | 9;
        let by_vrf = [(0, 0), (blue, 9), (blue, 9), (0, 0)];
        assert_eq!(assigned(&[]).unwrap(), by_vrf);
        let said = assigned(&[("7", "eth3,eth4"), ("blue", "eth5")]).unwrap();
        assert_eq!(said, [(blue, 0), (blue, 9), (7, 9), (7, 0)]);
        let error = |domains| assigned(domains).unwrap_err().to_string();
        assert!(error(&[("red", "eth2")]).contains("red"));
        assert!(error(&[("2147483648", "eth2")]).contains("2147483648"));
        assert!(error(&[("7", "eth9")]).contains("eth9"));
        assert!(error(&[("7", "eth2"), ("8", "eth2")]).contains("eth2"));
    }

    #[test]
    fn wrong_names_are_told_apart() {
        let devices = [device(1, "lo"), device(2, "eth0")];
        let message =
            |wan: &[&str], lan: &[&str]| try_select(wan, lan, &devices).unwrap_err().to_string();
        assert!(message(&["eth9"], &[]).contains("no such interface: eth9 (there are: lo, eth0)"));
        assert!(message(&["eth0", "eth0"], &[]).contains("named twice"));
        assert!(message(&["eth0"], &["eth0"]).contains("as --wan and as --lan"));
        assert!(message(&[], &[]).contains("no interface"));
    }

    #[test]
    fn an_unknown_link_layer_is_refused() {
        let mut infiniband = device(2, "ib0");
        infiniband.link_type = 32;
        assert!(matches!(
            try_select(&["ib0"], &[], &[infiniband]),
            Err(Error::LinkLayer { link_type: 32, .. })
        ));
    }

    #[test]
    fn stacked_interfaces_are_refused_through_any_number_of_layers() {
        let (mut port, mut bond, bridge, mut vlan) = (
            device(2, "eth0"),
            device(3, "bond0"),
            device(4, "br0"),
            device(5, "eth0.7"),
        );
        port.master = Some(3);
        bond.master = Some(4);
        vlan.parent = Some(2);
        let devices = [port, bond, bridge, vlan, device(6, "eth1")];
        for pair in [["br0", "eth0"], ["eth0", "bond0"], ["eth0.7", "eth0"]] {
            let error = try_select(&pair[..1], &pair[1..], &devices).unwrap_err();
            assert!(matches!(error, Error::Stacked { .. }), "{pair:?}: {error}");
        }
        // Two things on top of the same device are no stack.
        assert!(try_select(&["br0"], &["eth0.7", "eth1"], &devices).is_ok());
    }
}
