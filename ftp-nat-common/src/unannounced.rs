//! Data connections that no line announced, or none that can be read: those of
//! an encrypted session to the ports that its server is declared to use, and
//! those from the default data port (RFC 959 section 3.2).

use crate::{
    addr::{Addr, Domain, Port},
    line::Request,
    session::{
        CLIENT, SERVER, SESSION_ENCRYPTED, SESSION_EPSV_ALL, SESSION_FIN, SESSION_FIN_SERVER,
        SESSION_GREETED, SESSION_LOCAL, SESSION_NOT_FTP, SESSION_PORT_SET, SESSION_RST,
        SESSION_TRUSTED, Session,
    },
    stream::dialogue::FIRST_PORT,
    translation::{EXPECT_FROM_LOCAL, EXPECT_LOCAL, Expectation, Kind},
};

/// Sessions between the same two hosts that are found as encrypted ones at a
/// time. One is enough to translate what the others need; several are kept so
/// that another one is there when one ends.
pub const SLOTS: u32 = 4;

/// By what an encrypted session is found when its client's data SYN comes. The
/// value is the session's id.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct EncryptedKey {
    /// The client's own address.
    pub client: Addr,
    /// The server's, as the client knows it.
    pub server: Addr,
    /// The network that the client is in.
    pub domain: Domain,
    /// One of 1 to [`SLOTS`].
    pub slot: u32,
}
const _: () = assert!(size_of::<EncryptedKey>() == 40);

/// A session with any of these opens nothing any more.
const OVER: u32 = SESSION_RST | SESSION_FIN | SESSION_FIN_SERVER;

impl Session {
    /// The key by which the session is found in the given slot.
    #[inline(always)]
    pub const fn encrypted_key(&self, slot: u32) -> EncryptedKey {
        EncryptedKey {
            client: self.real[CLIENT],
            server: self.seen[SERVER],
            domain: self.domain[CLIENT],
            slot,
        }
    }

    /// Whether the session's client may reach its server's declared ports, which
    /// it may as long as the session is encrypted.
    #[inline(always)]
    pub const fn may_use_range(&self, now_ns: u64) -> bool {
        let needed = SESSION_TRUSTED | SESSION_GREETED | SESSION_ENCRYPTED;
        self.flags & (needed | SESSION_NOT_FTP | OVER) == needed && !self.expired(now_ns)
    }

    /// Whether the session's server may connect from its default data port to
    /// the client's control port: a transfer was asked for, and no port was ever
    /// agreed on.
    #[inline(always)]
    pub const fn may_use_default_port(&self) -> bool {
        let needed = SESSION_TRUSTED | SESSION_GREETED;
        let not = SESSION_NOT_FTP | SESSION_ENCRYPTED | SESSION_EPSV_ALL | SESSION_PORT_SET | OVER;
        self.flags & (needed | not) == needed
            && self.real_port[CLIENT].get() >= FIRST_PORT
            && self.requests.awaits(Request::Transfer)
            && !self.requests.awaits(Request::Active)
            && !self.requests.awaits(Request::Passive)
            && self.default_used != self.transfer()
    }

    /// The number of the transfer that waits for its reply, from 1, modulo 2^16.
    #[inline(always)]
    pub const fn transfer(&self) -> u16 {
        let requests = &self.requests;
        let answered = requests
            .sent(Request::Transfer)
            .wrapping_sub(requests.waiting(Request::Transfer));
        answered.wrapping_add(1)
    }

    /// Writes into `to` what becomes of a data connection to `near_port` of the
    /// end `role`, as if that end had announced it.
    #[inline(always)]
    pub fn expects(&self, role: usize, kind: Kind, near_port: Port, to: &mut Expectation) {
        let (role, other) = (role & 1, 1 - (role & 1));
        let flag = |end: usize, flag: u32| {
            if self.flags & (SESSION_LOCAL << end) != 0 {
                flag
            } else {
                0
            }
        };
        to.session = self.id;
        to.near = self.real[role];
        to.far_real = self.real[other];
        to.far_seen = self.seen[other];
        to.near_ifindex = self.ifindex[role];
        to.far_ifindex = self.ifindex[other];
        to.near_port = near_port;
        to.kind = kind as u8;
        to.role = role as u8;
        to.flags = flag(role, EXPECT_LOCAL) | flag(other, EXPECT_FROM_LOCAL);
        to.near_domain = self.domain[role];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(flags: u32) -> Session {
        Session {
            flags: SESSION_TRUSTED | SESSION_GREETED | flags,
            real_port: [Port::new(40_000), Port::new(21)],
            ..Session::default()
        }
    }

    #[test]
    fn the_range_is_for_encrypted_sessions_that_go_on() {
        assert!(session(SESSION_ENCRYPTED).may_use_range(0));
        assert!(!session(0).may_use_range(0), "plain, or plain again");
        for over in [
            SESSION_RST,
            SESSION_FIN,
            SESSION_FIN_SERVER,
            SESSION_NOT_FTP,
        ] {
            assert!(!session(SESSION_ENCRYPTED | over).may_use_range(0));
        }
        let mut silent = session(SESSION_ENCRYPTED);
        assert!(!silent.may_use_range(crate::session::SESSION_IDLE_NS + 1));
        silent.flags &= !SESSION_GREETED;
        assert!(!silent.may_use_range(0), "no server answered");
    }

    #[test]
    fn the_default_port_is_for_a_transfer_that_nothing_was_announced_for() {
        let mut s = session(0);
        assert!(!s.may_use_default_port(), "nothing was asked for");
        s.requests.push(Request::Transfer);
        assert!(s.may_use_default_port());
        for flag in [
            SESSION_ENCRYPTED,
            SESSION_PORT_SET,
            SESSION_EPSV_ALL,
            SESSION_FIN,
        ] {
            s.flags |= flag;
            assert!(!s.may_use_default_port());
            s.flags &= !flag;
        }
        s.real_port[CLIENT] = Port::new(1023);
        assert!(!s.may_use_default_port(), "a port of a service");
        s.real_port[CLIENT] = Port::new(1024);
        s.requests.push(Request::Active);
        assert!(!s.may_use_default_port(), "PORT is on its way");
    }

    #[test]
    fn each_transfer_uses_it_once() {
        let mut s = session(0);
        for n in 1..4 {
            s.requests.push(Request::Transfer);
            s.requests.push(Request::Transfer);
            for _ in 0..2 {
                assert!(s.may_use_default_port());
                s.default_used = s.transfer();
                assert!(!s.may_use_default_port(), "twice in round {n}");
                assert_eq!(s.requests.answer(226), Request::Transfer);
            }
            assert!(!s.may_use_default_port());
        }
    }

    #[test]
    fn nothing_is_opened_for_a_session_that_lacks_anything() {
        let mut s = session(0);
        s.requests.push(Request::Transfer);
        for flag in [
            SESSION_NOT_FTP,
            SESSION_ENCRYPTED,
            SESSION_EPSV_ALL,
            SESSION_PORT_SET,
            SESSION_RST,
            SESSION_FIN,
            SESSION_FIN_SERVER,
            SESSION_TRUSTED,
            SESSION_GREETED,
        ] {
            s.flags ^= flag;
            assert!(!s.may_use_default_port(), "{flag:#x}");
            s.flags ^= flag;
            assert!(s.may_use_default_port());
        }
        s.requests.push(Request::Passive);
        assert!(!s.may_use_default_port(), "PASV is on its way");
        let encrypted = session(SESSION_ENCRYPTED);
        for flag in [SESSION_TRUSTED, SESSION_GREETED, SESSION_ENCRYPTED] {
            let mut s = encrypted;
            s.flags &= !flag;
            assert!(!s.may_use_range(0), "{flag:#x}");
        }
    }

    #[test]
    fn a_connection_goes_to_the_real_end_and_seems_to_come_from_the_seen_one() {
        let addrs = |first: u8| [1, 2].map(|last| Addr::from_v4([first, 0, 0, last]));
        let local = [SESSION_LOCAL, SESSION_LOCAL << SERVER];
        for (role, other) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
            for (flags, expected) in [
                (0, 0),
                (local[role], EXPECT_LOCAL),
                (local[other], EXPECT_FROM_LOCAL),
                (local[role] | local[other], EXPECT_LOCAL | EXPECT_FROM_LOCAL),
            ] {
                let s = Session {
                    id: 99,
                    real: addrs(10),
                    seen: addrs(20),
                    ifindex: [3, 4],
                    domain: [7, 8],
                    ..session(flags)
                };
                let mut to = Expectation::default();
                s.expects(role, Kind::Pasv, Port::new(7684), &mut to);
                let made = Expectation {
                    session: 99,
                    near: s.real[role],
                    far_real: s.real[other],
                    far_seen: s.seen[other],
                    near_ifindex: s.ifindex[role],
                    far_ifindex: s.ifindex[other],
                    near_port: Port::new(7684),
                    kind: Kind::Pasv as u8,
                    role: role as u8,
                    flags: expected,
                    near_domain: s.domain[role],
                    ..Expectation::default()
                };
                assert_eq!(to, made);
                assert_eq!(to.source().addr, s.real[role]);
                assert_eq!(to.source().domain, s.domain[role]);
                let key = s.encrypted_key(2);
                assert_eq!((key.client, key.server), (s.real[CLIENT], s.seen[SERVER]));
                assert_eq!((key.domain, key.slot), (7, 2));
            }
        }
    }
}
