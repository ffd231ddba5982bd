//! A control connection: its two ends, both views of their addresses, and a
//! stream half for each end.

use crate::{
    addr::{Addr, Domain, Port, Tuple},
    line::{Line, Requests},
    stream::{
        Half,
        pending::{PENDING, Pending},
    },
    translation::ExpectationKey,
};

/// Index of an end: the client.
pub const CLIENT: usize = 0;
/// Index of an end: the server.
pub const SERVER: usize = 1;

/// Which half of which session a tuple belongs to.
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct HalfRef(u64);

impl HalfRef {
    /// The bit that tells the half; sessions have 63 bits.
    const ROLE: u32 = 63;

    /// The half of `session` whose near end is `role`: [`CLIENT`] or [`SERVER`].
    #[inline(always)]
    pub const fn new(session: u64, role: usize) -> Self {
        Self(session & SESSION_ID_MAX | (role as u64) << Self::ROLE)
    }

    /// The session.
    #[inline(always)]
    pub const fn session(self) -> u64 {
        self.0 & SESSION_ID_MAX
    }

    /// The half's near end.
    #[inline(always)]
    pub const fn role(self) -> usize {
        (self.0 >> Self::ROLE) as usize
    }
}

/// The highest id that a session may have.
pub const SESSION_ID_MAX: u64 = u64::MAX >> 1;

/// Key of a half's outstanding edits.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct EditsKey {
    /// The session.
    pub session: u64,
    /// [`CLIENT`] or [`SERVER`].
    pub role: u32,
    /// Zero.
    pub _pad: u32,
}

/// A control connection.
///
/// For the half whose near end is `role`, with `other = 1 - role`:
/// near is `real[role]`, `near_seen` is `seen[role]` (what the far end believes
/// near's address is), `far_seen` is `seen[other]` (what near believes the far
/// end's address is) and `far_real` is `real[other]`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Session {
    /// Held (1) while a CPU works on the session.
    pub lock: u32,
    /// Bits of `SESSION_*`.
    pub flags: u32,
    /// The key in the session map, at most [`SESSION_ID_MAX`].
    pub id: u64,
    /// When the connection was learned, in ns of the monotonic clock.
    pub made_ns: u64,
    /// When its last segment passed.
    pub last_ns: u64,
    /// The ends' own addresses.
    pub real: [Addr; 2],
    /// The ends' addresses as the other end sees them.
    pub seen: [Addr; 2],
    /// What the ends' announcements tell the other end: as `seen`, or what
    /// `--advertise` says where another NAT stands before the other end.
    pub told: [Addr; 2],
    /// Ethernet destination and source of what was last sent to the ends: how
    /// data connections reach them where no route is found. All 0: not known.
    pub link: [[u8; 12]; 2],
    /// The ends' own ports.
    pub real_port: [Port; 2],
    /// The ends' ports as the other end sees them.
    pub seen_port: [Port; 2],
    /// The interfaces the ends are behind; 0 for one on the gateway itself.
    pub ifindex: [u32; 2],
    /// The networks that the ends are in, see [`Domain`].
    pub domain: [Domain; 2],
    /// Announcements rewritten or pinned, by either end.
    pub announcements: u32,
    /// Announcements refused or passed unparsed.
    pub refusals: u32,
    /// Data connections that came.
    pub data_connections: u32,
    /// The ends' initial sequence numbers.
    pub isn: [u32; 2],
    /// The [`crate::counter::Counter`] of the last refusal, plus 1; 0: none.
    pub last_refusal: u16,
    /// The last announcement: a [`crate::translation::Kind`].
    pub last_kind: u8,
    /// 1 once a new handshake between the same ends was answered: its end makes
    /// another session, which takes the place of this one.
    pub replaced: u8,
    /// In which slot an encrypted session is found by its ends; 0: in none.
    pub encrypted_slot: u16,
    /// The last transfer that came by the default data port, see
    /// [`Session::transfer`]; 0: none.
    pub default_used: u16,
    /// Announcements whose data connections may still come.
    pub pending: Pending,
    /// Requests that wait for their replies.
    pub requests: Requests,
    /// The line parsers, by end.
    pub line: [Line; 2],
    /// The streams, by end.
    pub half: [Half; 2],
}

const _: () = assert!(size_of::<Session>() == 656);

/// Views are exact inverses and the handshake is complete: may open pinholes.
/// All sessions that the kernel side makes are trusted from the start.
pub const SESSION_TRUSTED: u32 = 1;
/// The server's greeting was a 1xx or 2xx reply.
pub const SESSION_GREETED: u32 = 2;
/// It isn't FTP: nothing is parsed any more.
pub const SESSION_NOT_FTP: u32 = 4;
/// TLS is in use: nothing is parsed.
pub const SESSION_ENCRYPTED: u32 = 8;
/// `EPSV ALL` was accepted: nothing but EPSV may follow (RFC 2428 section 4).
pub const SESSION_EPSV_ALL: u32 = 16;
/// A FIN passed from the client (bit of the role: shift by the role).
pub const SESSION_FIN: u32 = 32;
/// A FIN passed from the server.
pub const SESSION_FIN_SERVER: u32 = 64;
/// A RST passed.
pub const SESSION_RST: u32 = 128;
/// The client logged in (230) at least once.
pub const SESSION_LOGGED_IN: u32 = 256;
/// The client is on the gateway itself (bit of the role: shift by the role).
pub const SESSION_LOCAL: u32 = 512;
/// The server is on the gateway itself.
pub const SESSION_LOCAL_SERVER: u32 = 1024;

/// A data port was agreed on (PORT, PASV and their like): the default one isn't
/// in use any more (RFC 959 section 3.2).
pub const SESSION_PORT_SET: u32 = 2048;

/// How long an idle control connection is followed (RFC 5382 REQ-5: at least
/// 2 h 4 min; a control connection idles while a long transfer runs).
pub const SESSION_IDLE_NS: u64 = 24 * 3600 * crate::translation::SECOND;
/// Expectations of a session that can be pending at a time.
pub const PENDING_MAX: usize = PENDING;
/// How long a finished session is kept, for retransmissions of its end (RFC 7857
/// section 2.2 has 4 minutes after a RST).
pub const SESSION_FINISHED_NS: u64 = 245 * crate::translation::SECOND;

impl Session {
    /// The tuple that ingress sees from the near end `role`, and the reverse of
    /// what egress sees to it: the half's key.
    #[inline(always)]
    pub const fn half_key(&self, role: usize) -> Tuple {
        let (role, other) = (role & 1, 1 - (role & 1));
        Tuple {
            src: self.real[role],
            dst: self.seen[other],
            sport: self.real_port[role],
            dport: self.seen_port[other],
            domain: self.domain[role],
        }
    }

    /// Where the `n`th pending expectation waits; its port is 0 if there is
    /// none. It may be another session's by now.
    #[inline(always)]
    pub const fn expectation(&self, n: usize) -> ExpectationKey {
        let announced = self.pending.slot(n);
        let role = announced.role as usize & 1;
        ExpectationKey {
            addr: self.seen[role],
            port: announced.port,
            _pad: 0,
            domain: self.domain[1 - role],
        }
    }

    /// How long the session may stay without a segment, in ns.
    #[inline(always)]
    pub const fn idle_limit_ns(&self) -> u64 {
        let fins = SESSION_FIN | SESSION_FIN_SERVER;
        if self.flags & SESSION_RST != 0 || self.flags & fins == fins {
            SESSION_FINISHED_NS
        } else {
            SESSION_IDLE_NS
        }
    }

    /// Whether the session is over at `now_ns`.
    #[inline(always)]
    pub const fn expired(&self, now_ns: u64) -> bool {
        now_ns > self.last_ns && now_ns - self.last_ns > self.idle_limit_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every end has an address, a port and a network of its own in each view.
    fn session() -> Session {
        let addrs = |first: u8| [1, 2].map(|last| Addr::from_v4([first, 0, 0, last]));
        Session {
            real: addrs(10),
            seen: addrs(20),
            told: addrs(30),
            real_port: [Port::new(40_001), Port::new(21)],
            seen_port: [Port::new(50_001), Port::new(2121)],
            domain: [7, 8],
            ..Session::default()
        }
    }

    #[test]
    fn a_half_is_found_by_its_ends_as_near_knows_them() {
        let s = session();
        for (role, sport, dport) in [(CLIENT, 40_001, 2121), (SERVER, 21, 50_001)] {
            let key = s.half_key(role);
            assert_eq!((key.src, key.dst), (s.real[role], s.seen[1 - role]));
            assert_eq!((key.sport.get(), key.dport.get()), (sport, dport));
            assert_eq!(key.domain, s.domain[role]);
        }
    }

    #[test]
    fn a_half_names_its_session_and_its_end() {
        for id in [0, 1, 7, SESSION_ID_MAX] {
            for role in [CLIENT, SERVER] {
                let half = HalfRef::new(id, role);
                assert_eq!((half.session(), half.role()), (id, role));
            }
        }
        assert_eq!(size_of::<HalfRef>(), 8);
    }

    #[test]
    fn an_expectation_is_where_far_knows_the_end_that_announced() {
        let mut s = session();
        s.pending.add(CLIENT, Port::new(5000), &s.requests);
        s.pending.add(SERVER, Port::new(5001), &s.requests);
        for (n, role) in [(0, CLIENT), (1, SERVER)] {
            let key = s.expectation(n);
            assert_eq!(key.addr, s.seen[role]);
            assert_eq!(key.port.get(), 5000 + n as u16);
            assert_eq!(key.domain, s.domain[1 - role]);
        }
        assert_eq!(s.expectation(2).port, Port(0));
    }

    #[test]
    fn a_session_ends_a_while_after_both_ends_or_a_reset() {
        const { assert!(SESSION_IDLE_NS >= (2 * 60 + 4) * 60 * crate::translation::SECOND) };
        const { assert!(SESSION_FINISHED_NS >= 4 * 60 * crate::translation::SECOND) };
        for (flags, limit) in [
            (0, SESSION_IDLE_NS),
            (SESSION_FIN, SESSION_IDLE_NS),
            (SESSION_FIN_SERVER, SESSION_IDLE_NS),
            (SESSION_FIN | SESSION_FIN_SERVER, SESSION_FINISHED_NS),
            (SESSION_RST, SESSION_FINISHED_NS),
        ] {
            let s = Session {
                flags,
                last_ns: 1000,
                ..session()
            };
            assert!(!s.expired(0), "a clock read earlier on another CPU");
            assert!(
                !s.expired(1000 + limit) && s.expired(1001 + limit),
                "{flags}"
            );
        }
        assert_eq!(SESSION_FIN << SERVER, SESSION_FIN_SERVER);
        assert_eq!(SESSION_LOCAL << SERVER, SESSION_LOCAL_SERVER);
    }
}
