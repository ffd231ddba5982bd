//! Interfaces on which the kernel doesn't forward.

use std::fs;

use ftp_nat_common::addr::Addr;

use super::Finding;
use crate::{
    loader::interfaces::Selected,
    sys::addresses::{self, Addresses},
};

/// The interfaces that have an address and don't forward its family.
pub(super) fn look(interfaces: &[Selected]) -> Vec<Finding> {
    let addresses = match addresses::all() {
        Ok(addresses) => addresses,
        Err(e) => {
            log::debug!("{}", e.whole());
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for Selected { name, .. } in interfaces {
        let own = addresses.get(name).copied().unwrap_or_default();
        for (family, spelled) in families(&own) {
            let path = format!("/proc/sys/net/{family}/conf/{name}/forwarding");
            if is_off(&fs::read_to_string(&path).unwrap_or_default()) {
                found.push(Finding {
                    about: "forwarding",
                    is_error: true,
                    what: format!(
                        "{name} doesn't forward {spelled}: nothing gets through the gateway"
                    ),
                    mend: format!("echo 1 > {path}"),
                });
            }
        }
    }
    found
}

/// The families that an interface with these addresses is there for.
fn families(own: &Addresses) -> impl Iterator<Item = (&'static str, &'static str)> {
    let [a, b, ..] = own.v6.octets();
    let is_local = a == 0xfe && b & 0xc0 == 0x80;
    let v4 = (own.v4 != Addr::UNSPECIFIED).then_some(("ipv4", "IPv4"));
    let v6 = (own.v6 != Addr::UNSPECIFIED && !is_local).then_some(("ipv6", "IPv6"));
    v4.into_iter().chain(v6)
}

fn is_off(value: &str) -> bool {
    value.trim() == "0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_families_that_have_an_address_matter() {
        let names = |v4: Addr, v6: &str| -> Vec<_> {
            let v6 = v6.parse::<std::net::IpAddr>();
            let v6 = v6.map_or(Addr::UNSPECIFIED, Addr::from);
            let own = Addresses { v4, v6 };
            families(&own).map(|family| family.0).collect()
        };
        let v4 = Addr::from_v4([10, 0, 0, 1]);
        assert_eq!(names(v4, ""), ["ipv4"]);
        assert_eq!(names(v4, "2001:db8::1"), ["ipv4", "ipv6"]);
        assert_eq!(names(v4, "fe80::1"), ["ipv4"]);
        assert!(names(Addr::UNSPECIFIED, "").is_empty());
    }

    #[test]
    fn what_can_not_be_read_is_not_off() {
        assert!(is_off("0\n"));
        assert!(!is_off("1\n"));
        assert!(!is_off(""));
    }
}
