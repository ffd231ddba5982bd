//! The gateway's own addresses.

use std::{collections::HashMap, net::Ipv6Addr};

use ftp_nat_common::addr::Addr;
use nix::ifaddrs::getifaddrs;

use crate::error::{Error, Result};

/// The addresses of an interface that packets of its own may carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// IPv4; unspecified where there is none.
    pub(crate) v4: Addr,
    /// IPv6; unspecified where there is none.
    pub(crate) v6: Addr,
}

/// By name of the interface.
pub(crate) fn all() -> Result<HashMap<String, Addresses>> {
    let list =
        getifaddrs().map_err(|e| Error::io("listing the interfaces' addresses")(e.into()))?;
    let mut all = HashMap::<String, Addresses>::new();
    for entry in list {
        let Some(address) = entry.address else {
            continue;
        };
        let known = all.entry(entry.interface_name).or_default();
        if let Some(v4) = address.as_sockaddr_in() {
            known.add_v4(Addr::from_v4(v4.ip().octets()));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            known.add_v6(v6.ip());
        }
    }
    Ok(all)
}

impl Addresses {
    /// The first one is the primary address.
    fn add_v4(&mut self, addr: Addr) {
        if self.v4 == Addr::UNSPECIFIED {
            self.v4 = addr;
        }
    }

    /// A link-local address means nothing to a host beyond the next router.
    fn add_v6(&mut self, ip: Ipv6Addr) {
        let only_local = |addr: Addr| {
            let [a, b, ..] = addr.octets();
            addr == Addr::UNSPECIFIED || (a == 0xfe && b & 0xc0 == 0x80)
        };
        if self.v6 == Addr::UNSPECIFIED || (only_local(self.v6) && !ip.is_unicast_link_local()) {
            self.v6 = Addr::from(std::net::IpAddr::V6(ip));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_and_the_global_address_are_taken() {
        let mut addresses = Addresses::default();
        addresses.add_v4(Addr::from_v4([10, 0, 0, 1]));
        addresses.add_v4(Addr::from_v4([10, 0, 0, 2]));
        assert_eq!(addresses.v4, Addr::from_v4([10, 0, 0, 1]));
        for ip in ["fe80::1", "2001:db8::1", "2001:db8::2", "fe80::2"] {
            addresses.add_v6(ip.parse().unwrap());
        }
        assert_eq!(addresses.v6.to_string(), "2001:db8::1");
    }

    #[test]
    fn listing_needs_no_privilege() {
        all().unwrap();
    }
}
