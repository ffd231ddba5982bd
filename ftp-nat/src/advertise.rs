//! Addresses that are announced as others: for hosts behind another NAT that
//! maps them one to one further up.

use std::{net::IpAddr, str::FromStr};

use ftp_nat_common::addr::Addr;

use crate::{
    error::Result,
    maps::{Cursor, Maps, PAGE},
};

/// `INSIDE=PUBLIC`: announcements that would tell the far end `inside` tell it
/// `public`. The port stays, and the other NAT is left to translate the data
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// The address as this gateway sends it.
    pub inside: IpAddr,
    /// The address that the other NAT makes of it.
    pub public: IpAddr,
}

impl FromStr for Advertised {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let (inside, public) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not INSIDE=PUBLIC, e.g. 10.0.0.4=198.51.100.4"))?;
        let (inside, public) = (address(inside)?, address(public)?);
        if inside.is_ipv4() != public.is_ipv4() {
            return Err(format!(
                "{inside} and {public} are of different IP versions: a NAT can't map one to the other"
            ));
        }
        Ok(Self { inside, public })
    }
}

fn address(text: &str) -> std::result::Result<IpAddr, String> {
    let ip: IpAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is no IP address"))?;
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(format!("{ip} is not the address of a host"));
    }
    Ok(ip)
}

/// An address that is given twice, with two public ones.
#[must_use]
pub fn ambiguous(list: &[Advertised]) -> Option<IpAddr> {
    list.iter()
        .find(|a| {
            list.iter()
                .any(|b| a.inside == b.inside && a.public != b.public)
        })
        .map(|a| a.inside)
}

/// Makes the map hold exactly `list`. Sessions that exist keep what they have.
pub fn replace(maps: &Maps, list: &[Advertised]) -> Result<()> {
    for Advertised { inside, public } in list {
        maps.advertised
            .set(&Addr::from(*inside), &Addr::from(*public))?;
    }
    let (mut cursor, mut former) = (Cursor::Start, Vec::new());
    while cursor != Cursor::End {
        former.extend(maps.advertised.page(&mut cursor, PAGE)?);
    }
    let kept = |addr: &Addr| list.iter().any(|a| Addr::from(a.inside) == *addr);
    for (inside, _) in former.iter().filter(|(inside, _)| !kept(inside)) {
        maps.advertised.take(inside)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertised(text: &str) -> Advertised {
        text.parse().unwrap()
    }

    #[test]
    fn what_can_not_be_is_refused() {
        for (text, expected) in [
            ("10.0.0.4", "INSIDE=PUBLIC"),
            ("10.0.0.4=", "no IP address"),
            ("eth0=198.51.100.4", "no IP address"),
            ("10.0.0.4=2001:db8::4", "different IP versions"),
            ("0.0.0.0=198.51.100.4", "not the address of a host"),
            ("10.0.0.4=224.0.0.1", "not the address of a host"),
        ] {
            let error = text.parse::<Advertised>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_has_one_public_address() {
        let list = ["10.0.0.4=198.51.100.4", "10.0.0.5=198.51.100.4"].map(advertised);
        assert_eq!(ambiguous(&list), None);
        let list = ["10.0.0.4=198.51.100.4", "10.0.0.4=198.51.100.5"].map(advertised);
        assert_eq!(ambiguous(&list), Some("10.0.0.4".parse().unwrap()));
    }

    #[test]
    fn the_map_holds_what_was_given_last() {
        let maps = Maps::in_memory(&[]);
        let get = |inside: &str| {
            let inside: IpAddr = inside.parse().unwrap();
            let public = maps.advertised.get(&Addr::from(inside)).unwrap();
            public.map(|addr| addr.to_ip().to_string())
        };
        let list = ["10.0.0.4=198.51.100.4", "2001:db8::1=2001:db8:1::1"].map(advertised);
        replace(&maps, &list).unwrap();
        assert_eq!(get("10.0.0.4").as_deref(), Some("198.51.100.4"));
        assert_eq!(get("2001:db8::1").as_deref(), Some("2001:db8:1::1"));
        replace(&maps, &[advertised("10.0.0.4=198.51.100.9")]).unwrap();
        assert_eq!(get("10.0.0.4").as_deref(), Some("198.51.100.9"));
        assert_eq!(get("2001:db8::1"), None);
    }
}
