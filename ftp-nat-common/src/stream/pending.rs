//! The announcements of a session whose data connections may still come.
//!
//! A later announcement takes the place of an earlier one, but not of one that
//! a transfer was asked for with: of `PORT a, RETR x, PORT b, RETR y`, sent at
//! once, the server connects to both.

use core::hint;

use super::Environment;
use crate::{
    addr::Port,
    line::{Request, Requests},
    session::CLIENT,
};

/// Announcements at most; with one more the oldest is withdrawn.
pub const PENDING: usize = 8;

/// One announcement.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The port that was announced to the far end; 0: none.
    pub port: Port,
    /// The end that announced.
    pub role: u8,
    /// 1: to be withdrawn.
    doomed: u8,
    /// How many commands of its kind (PORT, EPRT) came before it.
    request: u16,
    /// How many transfers had been asked for and, if it was a server's,
    /// answered before it: the number of the first that can use it.
    transfer: u16,
}

/// The announcements of a session.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Pending {
    /// A ring, some of which may be empty.
    slot: [Announced; PENDING],
    /// Index of the next one.
    next: u8,
    /// How many there are.
    len: u8,
    /// 1: some may have to be withdrawn.
    doomed: u8,
    /// Zero.
    _pad: u8,
}
const _: () = assert!(size_of::<Pending>() == 68);

impl Pending {
    /// Whether there is none, or none left.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether some may have to be withdrawn.
    #[inline(always)]
    pub const fn is_doomed(&self) -> bool {
        self.doomed != 0
    }

    /// The last one; its port is 0 if it was withdrawn.
    #[inline(always)]
    pub const fn last(&self) -> &Announced {
        &self.slot[self.next.wrapping_sub(1) as usize & (PENDING - 1)]
    }

    /// The `n`th slot, below [`PENDING`]; its port is 0 if it is empty.
    #[inline(always)]
    pub const fn slot(&self, n: usize) -> &Announced {
        &self.slot[n & (PENDING - 1)]
    }

    /// All there are.
    pub fn iter(&self) -> impl Iterator<Item = &Announced> {
        self.slot.iter().filter(|a| a.port.0 != 0)
    }

    /// A new announcement is on its way: withdraws those whose place it takes,
    /// and makes room.
    #[inline(always)]
    pub fn supersede(&mut self, requests: &Requests, env: &mut impl Environment) {
        self.give_way(requests);
        self.sweep(env);
    }

    #[inline(never)]
    fn give_way(&mut self, requests: &Requests) {
        let sent = requests.sent(Request::Transfer);
        let waiting = u32::from(requests.waiting(Request::Transfer));
        let mut n = 0;
        while n < PENDING {
            // In use from its transfer's command to that one's final reply. A
            // subtraction and no comparison: the verifier would follow both ways
            // of every slot.
            let since = sent.wrapping_sub(self.slot[n].transfer).wrapping_sub(1);
            let in_use = hint::black_box(u32::from(since).wrapping_sub(waiting)) >> 31;
            self.slot[n].doomed |= 1 - in_use as u8;
            n += 1;
        }
        self.slot[self.next as usize & (PENDING - 1)].doomed = 1;
        self.doomed = 1;
    }

    /// Notes an announcement of `role`. `requests` doesn't have its own
    /// command yet, if it is a client's.
    #[inline(never)]
    pub fn add(&mut self, role: usize, port: Port, requests: &Requests) {
        let mut transfer = requests.sent(Request::Transfer);
        if role & 1 != CLIENT {
            transfer = transfer.wrapping_sub(requests.waiting(Request::Transfer));
        }
        let mut n = 0;
        while n < PENDING {
            // Used up: there can't be two at one port.
            let slot = &mut self.slot[n];
            if slot.port.0 == port.0 && usize::from(slot.role) == role {
                slot.port = Port(0);
                self.len = self.len.wrapping_sub(1);
            }
            n += 1;
        }
        self.slot[self.next as usize & (PENDING - 1)] = Announced {
            port,
            role: role as u8,
            doomed: 0,
            request: requests.sent(Request::Active),
            transfer,
        };
        self.next = self.next.wrapping_add(1);
        self.len = self.len.wrapping_add(1);
    }

    /// A PORT or EPRT was refused, which `requests` doesn't have any more:
    /// what it announced is to be withdrawn, and what was announced before it.
    #[inline(never)]
    pub fn refuse(&mut self, requests: &Requests) {
        let answered = requests
            .sent(Request::Active)
            .wrapping_sub(requests.waiting(Request::Active));
        let mut n = 0;
        while n < PENDING {
            let slot = &mut self.slot[n];
            let is_answered = answered.wrapping_sub(slot.request) as i16 > 0;
            if usize::from(slot.role) == CLIENT && is_answered {
                slot.doomed = 1;
            }
            n += 1;
        }
        self.doomed = 1;
    }

    /// All are to be withdrawn.
    #[inline(never)]
    pub fn doom(&mut self) {
        let mut n = 0;
        while n < PENDING {
            self.slot[n].doomed = 1;
            n += 1;
        }
        self.doomed = 1;
    }

    /// Withdraws what is to be withdrawn. It is done once for a segment, and
    /// before every new announcement.
    #[inline(never)]
    pub fn sweep(&mut self, env: &mut impl Environment) {
        if self.doomed == 0 {
            return;
        }
        self.doomed = 0;
        let mut n = 0;
        while n < PENDING {
            let slot = &mut self.slot[n];
            if slot.doomed != 0 && slot.port.0 != 0 {
                env.withdraw(usize::from(slot.role), slot.port);
                slot.port = Port(0);
                self.len = self.len.wrapping_sub(1);
            }
            self.slot[n].doomed = 0;
            n += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{counter::Counter, session::SERVER, translation::Kind};
    use std::vec::Vec;

    /// Notes what is withdrawn.
    #[derive(Default)]
    struct World(Vec<u16>);

    impl Environment for World {
        fn expect(&mut self, _: Kind, _: u16, _: usize) -> Option<u16> {
            None
        }

        fn withdraw(&mut self, _: usize, port: Port) {
            self.0.push(port.get());
        }

        fn count(&mut self, _: Counter) {}
    }

    /// A dialogue: the client's PORT with its port, a transfer, the server's
    /// 227 with its port, a final reply.
    enum Say {
        Port(u16),
        Transfer,
        Pasv,
        Reply227(u16),
        Reply(u16),
    }
    use Say::{Pasv, Port as Announce, Reply, Reply227, Transfer};

    /// What is pending after it, and what was withdrawn in which order.
    fn after(dialogue: impl IntoIterator<Item = Say>) -> (Vec<u16>, Vec<u16>) {
        let (mut pending, mut requests) = (Pending::default(), Requests::default());
        let mut world = World::default();
        for said in dialogue {
            match said {
                Announce(port) => {
                    pending.supersede(&requests, &mut world);
                    pending.add(CLIENT, Port::new(port), &requests);
                    requests.push(Request::Active);
                }
                Transfer => requests.push(Request::Transfer),
                Pasv => requests.push(Request::Passive),
                Reply227(port) => {
                    pending.supersede(&requests, &mut world);
                    pending.add(SERVER, Port::new(port), &requests);
                    requests.answer(227);
                }
                Reply(code) => {
                    if requests.answer(code) == Request::Active && code >= 400 {
                        pending.refuse(&requests);
                        pending.sweep(&mut world);
                    }
                }
            }
        }
        let mut left: Vec<_> = pending.iter().map(|a| a.port.get()).collect();
        left.sort_unstable();
        assert_eq!(left.len(), pending.len as usize);
        (left, world.0)
    }

    #[test]
    fn the_last_of_several_announcements_counts() {
        let said = [Announce(1), Announce(2), Announce(3)];
        assert_eq!(after(said), ([3].into(), [1, 2].into()));
        let said = [
            Pasv,
            Reply227(1),
            Announce(2),
            Reply(200),
            Pasv,
            Reply227(3),
        ];
        assert_eq!(after(said), ([3].into(), [1, 2].into()));
    }

    #[test]
    fn an_announcement_in_use_stays() {
        let said = [Announce(1), Transfer, Announce(2), Transfer];
        assert_eq!(after(said), ([1, 2].into(), [].into()));
        let said = [Announce(1), Transfer, Announce(2), Announce(3), Transfer];
        assert_eq!(after(said), ([1, 3].into(), [2].into()));
        let said = [Announce(1), Reply(200), Transfer, Announce(2), Transfer];
        assert_eq!(after(said), ([1, 2].into(), [].into()));
        let said = [Pasv, Reply227(1), Transfer, Announce(2)];
        assert_eq!(after(said), ([1, 2].into(), [].into()));
        let said = [Pasv, Transfer, Reply227(1), Announce(2)];
        assert_eq!(after(said), ([1, 2].into(), [].into()));
    }

    #[test]
    fn it_is_in_use_until_its_transfer_is_answered() {
        for code in [226, 550] {
            let said = [
                Announce(1),
                Transfer,
                Announce(2),
                Transfer,
                Reply(200),
                Reply(code),
                Announce(3),
            ];
            assert_eq!(after(said), ([2, 3].into(), [1].into()));
        }
        let said = [Announce(1), Reply(200), Transfer, Reply(550), Announce(2)];
        assert_eq!(after(said), ([2].into(), [1].into()));
    }

    #[test]
    fn a_refusal_withdraws_what_was_refused_and_no_later_one() {
        let said = [Announce(1), Reply(500)];
        assert_eq!(after(said), ([].into(), [1].into()));
        let said = [Announce(1), Transfer, Announce(2), Transfer, Reply(500)];
        assert_eq!(after(said), ([2].into(), [1].into()));
        let said = [
            Announce(1),
            Transfer,
            Announce(2),
            Transfer,
            Reply(200),
            Reply(226),
            Reply(500),
        ];
        assert_eq!(after(said), ([].into(), [1, 2].into()));
    }

    #[test]
    fn a_refused_port_is_no_refusal_of_a_servers_announcement() {
        let said = [
            Pasv,
            Transfer,
            Reply227(1),
            Announce(2),
            Reply(226),
            Reply(500),
        ];
        assert_eq!(after(said), ([1].into(), [2].into()));
    }

    #[test]
    fn of_too_many_the_oldest_is_withdrawn() {
        let said = (1..=10).flat_map(|n| [Announce(n), Transfer]);
        assert_eq!(after(said), ((3..=10).collect(), [1, 2].into()));
    }

    #[test]
    fn a_port_that_is_announced_again_is_one() {
        let said = [Announce(1), Transfer, Announce(1), Transfer];
        assert_eq!(after(said), ([1].into(), [].into()));
    }
}
