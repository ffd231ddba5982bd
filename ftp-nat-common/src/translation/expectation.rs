//! Expectations: the pending data-channel translations.

use crate::{
    addr::{Addr, Domain, Port},
    source::SourceKey,
};

/// Where a data connection is expected: the public end of an announcement.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct ExpectationKey {
    /// `near_seen`: the address that was announced to the far end.
    pub addr: Addr,
    /// The port that was announced to the far end.
    pub port: Port,
    /// Zero.
    pub _pad: u16,
    /// The network that the far end is in, see [`Domain`].
    pub domain: Domain,
}
const _: () = assert!(size_of::<ExpectationKey>() == 24);

/// What becomes of the data SYN: one from `far_real` to the key's endpoint
/// becomes one from `far_seen` to `near`:`near_port`.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// When it was made, in ns of the monotonic clock.
    pub made_ns: u64,
    /// The session that announced it.
    pub session: u64,
    /// Real address of the end that announced.
    pub near: Addr,
    /// Real address of the only host that may use it.
    pub far_real: Addr,
    /// What `near` believes its peer's address is.
    pub far_seen: Addr,
    /// The interface `near` is reached by.
    pub near_ifindex: u32,
    /// The interface `far_real` is reached by.
    pub far_ifindex: u32,
    /// The real port of the end that announced.
    pub near_port: Port,
    /// What was announced: a [`Kind`].
    pub kind: u8,
    /// Which end announced: 0 client, 1 server.
    pub role: u8,
    /// Bits of `EXPECT_*`.
    pub flags: u32,
    /// The network that `near` is in.
    pub near_domain: Domain,
    /// Zero.
    pub _pad: u32,
}
const _: () = assert!(size_of::<Expectation>() == 88);

impl Expectation {
    /// The host that announced it.
    #[inline(always)]
    pub const fn source(&self) -> SourceKey {
        SourceKey {
            addr: self.near,
            domain: self.near_domain,
        }
    }
}

/// Hosts on the announcer's own interface may use the expectation too (hairpin),
/// if that interface is an inside one.
pub const EXPECT_HAIRPIN: u32 = 1;
/// The end that announced is on the gateway itself: the stack delivers the
/// connection.
pub const EXPECT_LOCAL: u32 = 2;
/// The end that connects is on the gateway itself.
pub const EXPECT_FROM_LOCAL: u32 = 4;

/// The form of an announcement.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Kind {
    /// No announcement.
    #[default]
    None = 0,
    /// `PORT h1,h2,h3,h4,p1,p2` (RFC 959 section 4.1.2).
    Port = 1,
    /// `EPRT |family|address|port|` (RFC 2428 section 2).
    Eprt = 2,
    /// `227 ... (h1,h2,h3,h4,p1,p2)` (RFC 959 section 4.2.2).
    Pasv = 3,
    /// `229 ... (|||port|)` (RFC 2428 section 3).
    Epsv = 4,
    /// None that could be read: an encrypted session's, to a declared port.
    Encrypted = 5,
    /// None at all: the default data port (RFC 959 section 3.2).
    Default = 6,
}

impl Kind {
    /// The kind that a byte in a map stands for.
    pub const fn from_byte(b: u8) -> Self {
        match b {
            1 => Self::Port,
            2 => Self::Eprt,
            3 => Self::Pasv,
            4 => Self::Epsv,
            5 => Self::Encrypted,
            6 => Self::Default,
            _ => Self::None,
        }
    }

    /// As a person writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Port => "PORT",
            Self::Eprt => "EPRT",
            Self::Pasv => "227",
            Self::Epsv => "229",
            Self::Encrypted => "encrypted",
            Self::Default => "default port",
        }
    }

    /// Whether the client announced (active mode).
    pub const fn is_active_mode(self) -> bool {
        matches!(self, Self::Port | Self::Eprt | Self::Default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_the_map() {
        for k in [
            Kind::None,
            Kind::Port,
            Kind::Eprt,
            Kind::Pasv,
            Kind::Epsv,
            Kind::Encrypted,
            Kind::Default,
        ] {
            assert_eq!(Kind::from_byte(k as u8), k);
        }
    }

    #[test]
    fn a_client_announces_in_active_mode_alone() {
        for (kind, name, active) in [
            (Kind::None, "none", false),
            (Kind::Port, "PORT", true),
            (Kind::Eprt, "EPRT", true),
            (Kind::Pasv, "227", false),
            (Kind::Epsv, "229", false),
            (Kind::Encrypted, "encrypted", false),
            (Kind::Default, "default port", true),
        ] {
            assert_eq!((kind.name(), kind.is_active_mode()), (name, active));
        }
        assert_eq!(Kind::from_byte(7), Kind::None);
    }
}
