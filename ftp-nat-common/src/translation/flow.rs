//! Flows: the data connections that are established.

use super::{Kind, SECOND, Way};
use crate::{
    addr::{Addr, Port, Tuple},
    source::SourceKey,
};

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
    /// The lower bits of the index of the interface that its packets come in by, as
    /// far as one was found to be on its sender's side; 0 before.
    pub in_by: u16,
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
        // RFC 5382 REQ-5, and RFC 7857 section 2.2.
        const { assert!(FLOW_ESTABLISHED_IDLE_NS >= (2 * 60 + 4) * 60 * SECOND) };
        const { assert!(FLOW_TRANSITORY_NS >= 4 * 60 * SECOND) };
        const { assert!(FLOW_RESET_NS >= 4 * 60 * SECOND) };
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
    fn a_flow_is_open_or_closed_by_what_passed() {
        for (flags, closed, was_open) in [
            (0, false, false),
            (FLOW_FORWARD | FLOW_STACK, false, false),
            (FLOW_ESTABLISHED, false, true),
            (FLOW_FIN, false, true),
            (FLOW_PEER_FIN, false, true),
            (FLOW_FIN | FLOW_PEER_FIN, true, true),
            (FLOW_RST, true, false),
            (FLOW_RST | FLOW_ESTABLISHED, true, true),
        ] {
            let f = Flow {
                flags,
                ..Flow::default()
            };
            assert_eq!((f.is_closed(), f.was_open()), (closed, was_open), "{flags}");
        }
    }

    #[test]
    fn whose_data_connection_to_a_declared_port_it_is() {
        let key = Tuple {
            src: Addr::from_v4([10, 0, 0, 1]),
            dst: Addr::from_v4([10, 0, 0, 2]),
            domain: 7,
            ..Tuple::default()
        };
        let whose = |kind: Kind, flags: u32| {
            let f = Flow {
                kind: kind as u8,
                flags,
                ..Flow::default()
            };
            f.encrypted_client(&key)
        };
        let client = SourceKey {
            addr: key.src,
            domain: 7,
        };
        assert_eq!(whose(Kind::Encrypted, FLOW_FORWARD), Some(client));
        assert_eq!(whose(Kind::Encrypted, FLOW_ESTABLISHED), None);
        assert_eq!(whose(Kind::Epsv, FLOW_FORWARD), None);
    }
}
