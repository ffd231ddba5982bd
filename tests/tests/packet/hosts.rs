//! The hosts of every test, and the connections between them.
//!
//! ```text
//!   CLIENT ---------- [lan] GATEWAY [wan] ---------- SERVER
//!   10.10.0.1       10.10.0.254  203.0.113.7       198.51.100.21
//!   2001:db8:1::10  (lan ::fe)   2001:db8:2::7     2001:db8:3::21
//!
//!   INNER_SERVER --- [lan] GATEWAY [wan] ---------- STRANGER
//!   10.10.0.5       (port 2121, published as port 21 of the gateway)
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host with an address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
}

impl Host {
    const fn new(v4: [u8; 4], v6: [u16; 8]) -> Self {
        let [a, b, c, d] = v4;
        let [s, t, u, v, w, x, y, z] = v6;
        Self {
            v4: Ipv4Addr::new(a, b, c, d),
            v6: Ipv6Addr::new(s, t, u, v, w, x, y, z),
        }
    }

    /// Its address of a family.
    pub fn ip(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4.into(),
            Family::V6 => self.v6.into(),
        }
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

pub const CLIENT: Host = Host::new([10, 10, 0, 1], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10]);
/// Another host inside.
pub const NEIGHBOUR: Host = Host::new([10, 10, 0, 2], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x20]);
/// A server inside, which the gateway publishes.
pub const INNER_SERVER: Host = Host::new([10, 10, 0, 5], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x50]);
/// The gateway's inner side.
pub const GATEWAY_INSIDE: Host = Host::new([10, 10, 0, 254], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0xfe]);
/// The gateway's outer side; its text is one byte longer than the client's.
pub const GATEWAY: Host = Host::new([61, 144, 1, 2], [0x2001, 0xdb8, 2, 0, 0, 0, 0, 7]);
/// An outer address whose text is as long as the client's.
pub const GATEWAY_SAME: Host = Host::new([61, 14, 1, 2], [0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x17]);
/// An outer address whose text is shorter than the client's.
pub const GATEWAY_SHORTER: Host = Host::new([9, 8, 7, 6], [1, 0, 0, 0, 0, 0, 0, 1]);
/// An outer address whose text is the longest.
pub const GATEWAY_LONGEST: Host = Host::new(
    [203, 110, 113, 107],
    [0x2001, 0xdb8, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 7],
);
pub const SERVER: Host = Host::new([198, 51, 100, 21], [0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x21]);
/// A router outside.
pub const ROUTER: Host = Host::new([192, 0, 2, 1], [0x2001, 0xdb8, 4, 0, 0, 0, 0, 1]);
/// A router inside.
pub const ROUTER_INSIDE: Host = Host::new([10, 10, 0, 9], [0x2001, 0xdb8, 1, 0, 0, 0, 0, 9]);
/// Somebody else outside.
pub const STRANGER: Host = Host::new([192, 0, 2, 66], [0x2001, 0xdb8, 4, 0, 0, 0, 0, 0x66]);
