//! Expectations (the pending data-channel translations) and flows (the
//! established ones).

use crate::{
    addr::{Addr, Domain, Port, Tuple},
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

impl Flow {
    /// The client whose data connection to a declared port (FTPS) this is. `None`
    /// for others, and for the answers of such a one.
    #[inline(always)]
    pub const fn encrypted_client(&self, key: &Tuple) -> Option<SourceKey> {
        if self.kind != Kind::Encrypted as u8 || self.flags & FLOW_FORWARD == 0 {
            return None;
        }
        Some(SourceKey {
            addr: key.src,
            domain: key.domain,
        })
    }
}

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

/// The way out of a flow's packets, as the kernel's tables had it a moment ago.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Way {
    /// When it was looked up; 0: never.
    pub at_ns: u64,
    /// The next hop's address, as `bpf_redirect_neigh` wants it.
    pub next_hop: [u32; 4],
    /// The interface that it is a way out of.
    pub ifindex: u32,
    /// Bytes of an IP packet that fit.
    pub mtu: u16,
    /// The next hop's address family.
    pub family: u8,
    /// 1: packets of the interface have no Ethernet header.
    pub bare: u8,
}

/// How long a way is believed: routes, their next hops and MTUs may change.
/// The next hop's neighbour entry is asked for with every packet.
pub const WAY_MAX_AGE_NS: u64 = SECOND / 2;

impl Way {
    /// No way that was looked up.
    pub const NONE: Self = Self {
        at_ns: 0,
        next_hop: [0; 4],
        ifindex: 0,
        mtu: 0,
        family: 0,
        bare: 0,
    };

    /// Whether a packet of `len` bytes may go this way out of the interface.
    #[inline(always)]
    pub const fn leads(&self, ifindex: u32, len: u32, now_ns: u64) -> bool {
        self.ifindex == ifindex
            && len <= self.mtu as u32
            && self.at_ns != 0
            && now_ns.wrapping_sub(self.at_ns) < WAY_MAX_AGE_NS
    }
}

/// One direction of a data connection. Its key is the [`Tuple`] that ingress
/// sees; the value says what becomes of the packet.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Flow {
    /// When the last packet of this direction passed, in ns of the monotonic clock.
    pub last_ns: u64,
    /// When the flow was made.
    pub made_ns: u64,
    /// Packets passed in this direction.
    pub packets: u64,
    /// Bytes of IP packets passed in this direction.
    pub bytes: u64,
    /// The session the flow belongs to.
    pub session: u64,
    /// The packet's tuple after translation, with the domain of the interface
    /// it leaves by. Its reverse is the key of the other direction's flow.
    pub to: Tuple,
    /// The destination address that the stack is given, where it forwards the
    /// packet ([`FLOW_STACK`]); unspecified otherwise.
    pub via: Addr,
    /// The way out, where the programs forward it themselves.
    pub way: Way,
    /// The interface the packet leaves by.
    pub out_ifindex: u32,
    /// Bits of `FLOW_*`.
    pub flags: u32,
    /// What was announced: a [`Kind`].
    pub kind: u8,
    /// Which end announced: 0 client, 1 server.
    pub role: u8,
    /// The announced port before translation.
    pub near_port: Port,
    /// The destination port that goes with `via`.
    pub via_port: Port,
    /// Zero.
    pub _pad: u16,
}
const _: () = assert!(size_of::<Flow>() == 144);

/// The flow carries the SYN's direction (from the end that connects to the end
/// that announced).
pub const FLOW_FORWARD: u32 = 1;
/// The end that connects sent a packet with ACK and no SYN: the connection is
/// established.
pub const FLOW_ESTABLISHED: u32 = 2;
/// A FIN passed in this direction.
pub const FLOW_FIN: u32 = 4;
/// A RST passed in this or the other direction.
pub const FLOW_RST: u32 = 8;
/// A FIN passed in the other direction.
pub const FLOW_PEER_FIN: u32 = 16;
/// The stack forwards the connection: its destination is translated at ingress
/// and its source at egress, as netfilter does.
pub const FLOW_STACK: u32 = 32;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// How long an idle established data connection lives (RFC 5382 REQ-5: at least 2 h 4 min).
pub const FLOW_ESTABLISHED_IDLE_NS: u64 = (2 * 3600 + 5 * 60) * SECOND;
/// How long a connection in any other state lives (RFC 5382 REQ-5: at least 4 min).
pub const FLOW_TRANSITORY_NS: u64 = 245 * SECOND;
/// How long a reset connection is kept: somebody else may have made the RST up
/// (RFC 7857 section 2.2).
pub const FLOW_RESET_NS: u64 = FLOW_TRANSITORY_NS;
/// How long a connection that both ends have closed is kept where its place is
/// wanted: long enough for a last acknowledgement that was lost and is asked for
/// again. Else many small files in a row would fill the table with the dead.
pub const FLOW_CLOSED_NS: u64 = 10 * SECOND;

impl Flow {
    /// How long the flow may stay without a packet, in ns.
    #[inline(always)]
    pub const fn idle_limit_ns(&self) -> u64 {
        if self.flags & FLOW_RST != 0 {
            FLOW_RESET_NS
        } else if self.flags & FLOW_ESTABLISHED != 0 && !self.is_closed() {
            FLOW_ESTABLISHED_IDLE_NS
        } else {
            FLOW_TRANSITORY_NS
        }
    }

    /// Whether both ends have closed the connection, or one has reset it.
    #[inline(always)]
    pub const fn is_closed(&self) -> bool {
        const FINS: u32 = FLOW_FIN | FLOW_PEER_FIN;
        self.flags & FLOW_RST != 0 || self.flags & FINS == FINS
    }

    /// Whether both ends ever agreed to be connected.
    #[inline(always)]
    pub const fn was_open(&self) -> bool {
        self.flags & (FLOW_ESTABLISHED | FLOW_FIN | FLOW_PEER_FIN) != 0
    }

    /// What the stack is given of a packet with the tuple `key`, the flow's own
    /// key: the destination is changed, the source is not.
    #[inline(always)]
    #[must_use]
    pub const fn at_stack(&self, key: &Tuple) -> Tuple {
        Tuple {
            src: key.src,
            dst: self.via,
            sport: key.sport,
            dport: self.via_port,
            domain: key.domain,
        }
    }

    /// The entry at egress that belongs to this flow with the key `key`: what
    /// the stack makes of the other direction's packet, and what that has to be
    /// when it leaves. (Answers come to `key`, so they must leave as its reverse.)
    #[inline(always)]
    #[must_use]
    pub const fn exit(&self, key: &Tuple) -> (Tuple, Tuple) {
        (self.at_stack(key).reversed(), key.reversed())
    }

    /// Whether the flow is over at `now_ns`.
    #[inline(always)]
    pub const fn expired(&self, now_ns: u64) -> bool {
        now_ns > self.last_ns && now_ns - self.last_ns > self.idle_limit_ns()
    }

    /// Whether a full table may give the flow's place away at `now_ns`: it is
    /// over, or both ends have closed it a while ago.
    #[inline(always)]
    pub const fn gives_way(&self, now_ns: u64) -> bool {
        let closed = FLOW_FIN | FLOW_PEER_FIN;
        let limit = if self.flags & closed == closed && self.flags & FLOW_RST == 0 {
            FLOW_CLOSED_NS
        } else {
            self.idle_limit_ns()
        };
        now_ns > self.last_ns && now_ns - self.last_ns > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_limits_follow_the_connection() {
        let mut f = Flow::default();
        assert_eq!(f.idle_limit_ns(), FLOW_TRANSITORY_NS);
        f.flags |= FLOW_ESTABLISHED;
        assert_eq!(f.idle_limit_ns(), FLOW_ESTABLISHED_IDLE_NS);
        f.flags |= FLOW_FIN;
        assert_eq!(f.idle_limit_ns(), FLOW_ESTABLISHED_IDLE_NS);
        f.flags |= FLOW_PEER_FIN;
        assert_eq!(f.idle_limit_ns(), FLOW_TRANSITORY_NS);
        f.flags |= FLOW_RST;
        assert_eq!(f.idle_limit_ns(), FLOW_RESET_NS);
        f.last_ns = 5 * SECOND;
        assert!(
            !f.expired(4 * SECOND),
            "a clock read earlier on another CPU"
        );
        assert!(!f.expired(f.last_ns + FLOW_RESET_NS));
        assert!(f.expired(f.last_ns + FLOW_RESET_NS + 1));
    }

    #[test]
    fn only_what_both_ends_have_closed_gives_way_early() {
        let mut f = Flow {
            flags: FLOW_ESTABLISHED | FLOW_FIN,
            ..Flow::default()
        };
        assert!(!f.gives_way(FLOW_CLOSED_NS + 1), "half closed");
        f.flags |= FLOW_PEER_FIN;
        assert!(!f.gives_way(FLOW_CLOSED_NS));
        assert!(f.gives_way(FLOW_CLOSED_NS + 1));
        assert!(
            !f.expired(FLOW_CLOSED_NS + 1),
            "where there is room it stays"
        );
        f.flags |= FLOW_RST;
        assert!(!f.gives_way(FLOW_CLOSED_NS + 1), "the RST may be made up");
        assert!(f.gives_way(FLOW_RESET_NS + 1));
    }

    /// 61.144.1.100:20 connects to a client that a gateway hides, and the stack
    /// masquerades it on its way in as 10.10.0.254:999.
    #[test]
    fn the_two_hooks_of_the_stack_path_fit_together() {
        let addr = |last| Addr::from_v4([10, 10, 0, last]);
        let (server, public) = (
            Addr::from_v4([61, 144, 1, 100]),
            Addr::from_v4([61, 144, 1, 2]),
        );
        let tuple = |src, sport, dst, dport| Tuple {
            src,
            dst,
            sport: Port::new(sport),
            dport: Port::new(dport),
            domain: 0,
        };
        let came = tuple(server, 20, public, 5000);
        let left = tuple(server, 999, addr(1), 4000);
        let there = Flow {
            to: left,
            via: addr(1),
            via_port: Port::new(4000),
            ..Flow::default()
        };
        assert_eq!(there.at_stack(&came), tuple(server, 20, addr(1), 4000));
        let back = Flow {
            to: came.reversed(),
            via: addr(254),
            via_port: Port::new(999),
            ..Flow::default()
        };
        let answer = left.reversed();
        assert_eq!(back.at_stack(&answer), tuple(addr(1), 4000, addr(254), 999));
        // What the stack makes of each is where the other one's exit begins.
        let masqueraded = tuple(addr(254), 999, addr(1), 4000);
        assert_eq!(back.exit(&answer), (masqueraded, left));
        let unmasqueraded = tuple(addr(1), 4000, server, 20);
        assert_eq!(there.exit(&came), (unmasqueraded, came.reversed()));
    }

    #[test]
    fn a_way_is_believed_for_a_moment_and_for_what_fits() {
        let way = Way {
            at_ns: 5 * SECOND,
            ifindex: 3,
            mtu: 1500,
            ..Way::NONE
        };
        assert!(way.leads(3, 1500, 5 * SECOND));
        assert!(way.leads(3, 40, 5 * SECOND + WAY_MAX_AGE_NS - 1));
        assert!(!way.leads(3, 40, 5 * SECOND + WAY_MAX_AGE_NS));
        assert!(!way.leads(3, 40, 4 * SECOND), "a clock that went back");
        assert!(!way.leads(3, 1501, 5 * SECOND));
        assert!(!way.leads(4, 40, 5 * SECOND));
        assert!(!Way::NONE.leads(0, 0, 1));
    }

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
}
