//! Addresses and tuples as they stand in packets and in map keys.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// An IPv6 address, or an IPv4 address in its IPv4-mapped form
/// (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2).
///
/// The four words hold the address in network byte order *in memory*: they are
/// what a 32-bit load from a packet gives, never swapped.
#[repr(transparent)]
#[derive(Clone, Copy, Default, Hash)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "equality is that of the words, only without branches"
)]
pub struct Addr(pub [u32; 4]);

impl PartialEq for Addr {
    /// Without a branch for each word: the verifier would follow all of them.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        ((a ^ e) | (b ^ f) | (c ^ g) | (d ^ h)) == 0
    }
}

impl Eq for Addr {}

impl Addr {
    /// The unspecified address, which also stands for "none".
    pub const UNSPECIFIED: Self = Self([0; 4]);

    /// An IPv4 address from the word that stands in a packet.
    #[inline(always)]
    pub const fn from_v4_word(word: u32) -> Self {
        Self([0, 0, 0xffffu32.to_be(), word])
    }

    /// An IPv4 address from its four octets.
    #[inline(always)]
    pub const fn from_v4(octets: [u8; 4]) -> Self {
        Self::from_v4_word(u32::from_ne_bytes(octets))
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.0[0] == 0 && self.0[1] == 0 && self.0[2] == 0xffffu32.to_be()
    }

    /// The word of an IPv4 address as it stands in a packet.
    #[inline(always)]
    pub const fn v4_word(&self) -> u32 {
        self.0[3]
    }

    /// The four octets of an IPv4 address, first octet first.
    #[inline(always)]
    pub const fn v4_octets(&self) -> [u8; 4] {
        self.0[3].to_ne_bytes()
    }

    /// Whether this is 0.0.0.0.
    #[inline(always)]
    pub const fn is_any_v4(&self) -> bool {
        let [a, b, c, d] = self.0;
        (a | b | (c ^ 0xffffu32.to_be()) | d) == 0
    }

    /// Whether this is a private IPv4 address (RFC 1918).
    #[inline(always)]
    pub const fn is_private(&self) -> bool {
        let [a, b, c, word] = self.0;
        let word = u32::from_be(word);
        (a | b | (c ^ 0xffffu32.to_be())) == 0
            && (word >> 24 == 10 || word >> 20 == 0xac1 || word >> 16 == 0xc0a8)
    }

    /// The sixteen octets, first octet first.
    #[inline(always)]
    pub const fn octets(&self) -> [u8; 16] {
        let [a, b, c, d] = self.0;
        let (a, b, c, d) = (
            a.to_ne_bytes(),
            b.to_ne_bytes(),
            c.to_ne_bytes(),
            d.to_ne_bytes(),
        );
        [
            a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1],
            d[2], d[3],
        ]
    }

    /// The address as the standard library knows it.
    pub const fn to_ip(self) -> IpAddr {
        if self.is_v4() {
            let [a, b, c, d] = self.v4_octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        } else {
            IpAddr::V6(Ipv6Addr::from_octets(self.octets()))
        }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::from_v4(v4.octets()),
            IpAddr::V6(v6) => {
                let o = v6.octets();
                let word = |i: usize| u32::from_ne_bytes([o[i], o[i + 1], o[i + 2], o[i + 3]]);
                Self([word(0), word(4), word(8), word(12)])
            }
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

/// A TCP port in network byte order, as a 16-bit load from a packet gives it.
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Port(pub u16);

impl Port {
    /// From a number in host byte order.
    #[inline(always)]
    pub const fn new(host: u16) -> Self {
        Self(host.to_be())
    }

    /// The number in host byte order.
    #[inline(always)]
    pub const fn get(self) -> u16 {
        u16::from_be(self.0)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// The separation of overlapping networks (VRF, user group). 0 where there is one network.
pub type Domain = u32;

/// One direction of a TCP connection, as seen at one hook.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Tuple {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port.
    pub sport: Port,
    /// Destination port.
    pub dport: Port,
    /// See [`Domain`].
    pub domain: Domain,
}

const _: () = assert!(size_of::<Tuple>() == 40);

impl Tuple {
    /// The other direction of the same connection at the same place.
    #[inline(always)]
    #[must_use]
    pub const fn reversed(&self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            sport: self.dport,
            dport: self.sport,
            domain: self.domain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_kept_mapped_and_comes_back() {
        let a = Addr::from_v4([61, 144, 1, 2]);
        assert!(a.is_v4());
        assert_eq!(a.octets()[10..], [0xff, 0xff, 61, 144, 1, 2]);
        assert_eq!(a.to_ip(), IpAddr::V4(Ipv4Addr::new(61, 144, 1, 2)));
        assert_eq!(Addr::from(a.to_ip()), a);
    }

    #[test]
    fn an_ipv6_address_is_kept_as_it_stands_in_the_packet() {
        let ip: IpAddr = "2001:db8::1:2"
            .parse()
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let a = Addr::from(ip);
        assert!(!a.is_v4());
        assert_eq!(a.octets()[..4], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(a.to_ip(), ip);
    }

    #[test]
    fn reversing_twice_is_nothing() {
        let t = Tuple {
            src: Addr::from_v4([1, 2, 3, 4]),
            dst: Addr::from_v4([5, 6, 7, 8]),
            sport: Port::new(1),
            dport: Port::new(2),
            domain: 3,
        };
        assert_eq!(t.reversed().reversed(), t);
        assert_eq!(t.reversed().sport.get(), 2);
    }

    #[test]
    fn private_addresses_are_those_of_rfc_1918() {
        for (octets, private) in [
            ([9, 255, 255, 255], false),
            ([10, 0, 0, 0], true),
            ([10, 255, 255, 255], true),
            ([11, 0, 0, 0], false),
            ([172, 15, 255, 255], false),
            ([172, 16, 0, 0], true),
            ([172, 31, 255, 255], true),
            ([172, 32, 0, 0], false),
            ([192, 167, 255, 255], false),
            ([192, 168, 0, 0], true),
            ([192, 168, 255, 255], true),
            ([192, 169, 0, 0], false),
            ([0, 0, 0, 0], false),
        ] {
            let addr = Addr::from_v4(octets);
            assert_eq!(addr.is_private(), private, "{addr}");
            assert_eq!(addr.is_any_v4(), octets == [0; 4], "{addr}");
            // The same word in an IPv6 address means nothing.
            for n in 0..3 {
                let mut v6 = addr;
                v6.0[n] ^= 1;
                assert!(!v6.is_private() && !v6.is_any_v4() && !v6.is_v4());
            }
        }
        assert!(!Addr::UNSPECIFIED.is_any_v4(), "that is ::");
    }

    #[test]
    fn addresses_are_the_same_in_all_words_or_not_at_all() {
        let addr = Addr([1, 2, 3, 4]);
        assert_eq!(addr, Addr([1, 2, 3, 4]));
        for n in 0..4 {
            let mut other = addr;
            other.0[n] ^= 1 << (8 * n);
            assert_ne!(addr, other);
        }
        assert_ne!(addr, Addr([2, 1, 3, 4]));
    }
}
