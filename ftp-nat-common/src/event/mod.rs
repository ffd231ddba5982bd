//! What happened, as the kernel side tells the user side of it: numbers, codes,
//! addresses and ports, and never a byte of a line.
//!
//! All records have one layout. Those that need no addresses end before them
//! ([`What::size`]), so most of what a session says costs [`SHORT`] bytes of the
//! ring buffer. [`notes`] is how the engine, which is too deep in calls to write
//! to a ring buffer, hands over what it saw.

pub mod notes;

use crate::{
    addr::{Addr, Port, Tuple},
    line::Request,
    translation::{Expectation, ExpectationKey, FLOW_FORWARD, Flow, Kind},
};

/// A record.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, in ns of the monotonic clock.
    pub at_ns: u64,
    /// The session; 0 where there is none.
    pub session: u64,
    /// A [`What`].
    pub what: u8,
    /// The end that it is of: 0 client, 1 server.
    pub role: u8,
    /// The form of the announcement: a [`Kind`].
    pub form: u8,
    /// The request that was made or is answered: a [`Request`].
    pub request: u8,
    /// A reply code, a counter, a mode, an end: see [`What`].
    pub number: u16,
    /// Zero.
    pub _pad: u16,
    /// See [`What`].
    pub addr: [Addr; 4],
    /// The ports that go with `addr`.
    pub port: [Port; 4],
    /// Packets (modulo 2^32) and bytes of them, IP headers included: from the end
    /// that announced, and to it.
    pub packets: [u32; 2],
    /// See `packets`.
    pub bytes: [u64; 2],
}
const _: () = assert!(size_of::<Event>() == LONG && core::mem::offset_of!(Event, addr) == SHORT);

/// Bytes of a record without addresses.
pub const SHORT: usize = 24;
/// Bytes of a whole record.
pub const LONG: usize = 120;

/// What a record is about. `addr[n]` is meant with `port[n]`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A control connection was learned. `addr`: client, client as the server
    /// sees it, server, server as the client sees it. `number`: 1 if it was picked
    /// up in its middle.
    Learned = 1,
    /// A control connection is not followed. `addr` as in `Learned`. `number`:
    /// the counter that says why.
    NotFollowed = 2,
    /// The end `role` announced a data connection. `addr[0]`: as it said it,
    /// `addr[1]`: as the other end is told, `addr[2]`: where it is expected.
    Announced = 3,
    /// An announcement was not followed. `addr[0]`: as it was said, if it could be
    /// read. `number`: the counter that says why.
    NotAnnounced = 4,
    /// The client said a command that matters: `request`.
    Requested = 5,
    /// The server replied: `number` is the code, `request` what it answers.
    Replied = 6,
    /// The session goes on in another way: `number` is a [`Mode`].
    Changed = 7,
    /// A data SYN came to where it was expected. `role`: who announced. `addr`:
    /// source and destination as it came, source and destination as it went on.
    DataOpened = 8,
    /// A data SYN came and was not let by. `addr`: its source and destination,
    /// `addr[2]`: who was expected. `number`: the counter that says why.
    DataRefused = 9,
    /// A data connection ended. `addr` as in `DataOpened`, without ports where
    /// they are not known any more. `number`: an [`End`].
    DataEnded = 10,
    /// An announcement is not waited for any more: refused by the other end, taken
    /// the place of, or the session's end. `addr[2]`: where it was expected.
    Withdrawn = 11,
    /// Nobody came in time. `addr[2]`: where it was expected. `number`: seconds.
    Expired = 12,
    /// The control connection ended. `number`: an [`End`].
    Ended = 13,
}

impl What {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Learned,
        Self::NotFollowed,
        Self::Announced,
        Self::NotAnnounced,
        Self::Requested,
        Self::Replied,
        Self::Changed,
        Self::DataOpened,
        Self::DataRefused,
        Self::DataEnded,
        Self::Withdrawn,
        Self::Expired,
        Self::Ended,
    ];

    /// What a byte of a record stands for.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        if byte == 0 || byte as usize > Self::ALL.len() {
            return None;
        }
        Some(Self::ALL[byte as usize - 1])
    }

    /// Bytes of its record.
    pub const fn size(self) -> usize {
        match self {
            Self::Requested | Self::Replied | Self::Changed | Self::Ended => SHORT,
            _ => LONG,
        }
    }
}

/// In which way a session goes on.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In TLS, or another security mechanism of RFC 2228: nothing can be read.
    Tls = 1,
    /// In plain text again, after CCC or REIN.
    Plain = 2,
    /// With EPSV only (`EPSV ALL`).
    EpsvAll = 3,
    /// Unread: it isn't FTP.
    NotFtp = 4,
}

impl Mode {
    /// The mode that a number stands for.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Tls),
            2 => Some(Self::Plain),
            3 => Some(Self::EpsvAll),
            4 => Some(Self::NotFtp),
            _ => None,
        }
    }
}

/// How a connection ended.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both ends sent FIN.
    Fin = 1,
    /// One end sent RST.
    Rst = 2,
    /// It was silent for too long.
    Idle = 3,
    /// A new connection of the same addresses and ports took its place.
    Replaced = 4,
}

impl End {
    /// The end that a number stands for.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Fin),
            2 => Some(Self::Rst),
            3 => Some(Self::Idle),
            4 => Some(Self::Replaced),
            _ => None,
        }
    }
}

impl Event {
    /// A record with nothing in it yet.
    pub fn new(what: What, session: u64, at_ns: u64) -> Self {
        Self {
            at_ns,
            session,
            what: what as u8,
            ..Self::default()
        }
    }

    /// Takes over what a note of the engine says.
    #[inline(always)]
    pub const fn take(&mut self, note: &notes::Note) {
        self.what = note.what;
        self.role = note.role;
        self.form = note.form;
        self.request = note.request;
        self.number = note.number;
    }

    /// Takes over what an expectation at `key` says, and the session's id.
    #[inline(always)]
    pub const fn of_expectation(&mut self, key: &ExpectationKey, expected: &Expectation) {
        self.session = expected.session;
        self.role = expected.role;
        self.form = expected.kind;
        self.addr[2] = key.addr;
        self.port[2] = key.port;
    }

    /// Takes over what a flow with the key `key` says of its connection.
    /// `back` are packets and bytes of the other direction's flow.
    #[inline(always)]
    pub const fn of_flow(&mut self, key: &Tuple, flow: &Flow, back: (u64, u64)) {
        self.session = flow.session;
        self.role = flow.role;
        self.form = flow.kind;
        // As in the direction of the SYN, whichever this one is.
        let to = &flow.to;
        if flow.flags & FLOW_FORWARD != 0 {
            self.addr = [key.src, key.dst, to.src, to.dst];
            self.port = [key.sport, key.dport, to.sport, to.dport];
            self.packets = [back.0 as u32, flow.packets as u32];
            self.bytes = [back.1, flow.bytes];
        } else {
            self.addr = [to.dst, to.src, key.dst, key.src];
            self.port = [to.dport, to.sport, key.dport, key.sport];
            self.packets = [flow.packets as u32, back.0 as u32];
            self.bytes = [flow.bytes, back.1];
        }
    }

    /// What it is about; `None` for a record of another version.
    pub const fn what(&self) -> Option<What> {
        What::from_byte(self.what)
    }

    /// Whether its record has no addresses.
    #[inline(always)]
    pub const fn is_short(&self) -> bool {
        const SHORT_ONES: u32 = 1 << What::Requested as u32
            | 1 << What::Replied as u32
            | 1 << What::Changed as u32
            | 1 << What::Ended as u32;
        SHORT_ONES >> (self.what & 31) & 1 != 0
    }

    /// The form of the announcement.
    pub const fn form(&self) -> Kind {
        Kind::from_byte(self.form)
    }

    /// The request.
    pub const fn request(&self) -> Request {
        Request::from_bits(self.request as u16)
    }

    /// Reads a record as the ring buffer has it. `None`: its length is not that
    /// of what it says it is.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| -> Option<u64> {
            Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
        };
        let half = |at: usize| -> Option<u16> {
            Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
        };
        let quarter = |at: usize| -> Option<u32> {
            Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        let what = What::from_byte(*bytes.get(16)?)?;
        if bytes.len() != what.size() {
            return None;
        }
        let mut event = Self {
            at_ns: word(0)?,
            session: word(8)?,
            what: bytes[16],
            role: bytes[17],
            form: bytes[18],
            request: bytes[19],
            number: half(20)?,
            ..Self::default()
        };
        if what.size() == LONG {
            for n in 0..4 {
                for w in 0..4 {
                    event.addr[n].0[w] = quarter(SHORT + 16 * n + 4 * w)?;
                }
                event.port[n] = Port(half(SHORT + 64 + 2 * n)?);
            }
            event.packets = [quarter(SHORT + 72)?, quarter(SHORT + 76)?];
            event.bytes = [word(SHORT + 80)?, word(SHORT + 88)?];
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0, 1, 2, ... with a kind in its place.
    fn bytes(what: What) -> std::vec::Vec<u8> {
        let mut bytes: std::vec::Vec<u8> = (0..what.size() as u8).collect();
        bytes[16] = what as u8;
        bytes
    }

    #[test]
    fn a_record_is_read_as_it_lies_in_memory() {
        let event = Event::read(&bytes(What::DataOpened)).unwrap();
        assert_eq!(event.at_ns.to_ne_bytes(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((event.role, event.form, event.request), (17, 18, 19));
        assert_eq!(event.number.to_ne_bytes(), [20, 21]);
        assert_eq!(event.addr[3].octets()[0], 24 + 48);
        assert_eq!(event.port[3].0.to_ne_bytes(), [94, 95]);
        assert_eq!(event.packets[1].to_ne_bytes(), [100, 101, 102, 103]);
        assert_eq!(event.bytes[1].to_ne_bytes()[7], 119);
    }

    #[test]
    fn a_short_record_has_no_addresses() {
        let event = Event::read(&bytes(What::Replied)).unwrap();
        assert_eq!(event.session.to_ne_bytes()[0], 8);
        assert_eq!(event.addr, [Addr::UNSPECIFIED; 4]);
    }

    #[test]
    fn what_has_another_length_or_kind_is_no_record() {
        let mut long = bytes(What::Learned);
        assert_eq!(Event::read(&long[..LONG - 1]), None);
        assert_eq!(Event::read(&long[..8]), None);
        long[16] = 0;
        assert_eq!(Event::read(&long), None);
        long[16] = What::ALL.len() as u8 + 1;
        assert_eq!(Event::read(&long), None);
    }

    #[test]
    fn both_flows_tell_the_same_of_their_connection() {
        let tuple = |src: u8, sport, dst: u8, dport| Tuple {
            src: Addr::from_v4([192, 0, 2, src]),
            dst: Addr::from_v4([192, 0, 2, dst]),
            sport: Port::new(sport),
            dport: Port::new(dport),
            domain: 0,
        };
        let (came, went) = (tuple(1, 20, 2, 5000), tuple(3, 21, 4, 4000));
        let there = Flow {
            to: went,
            flags: FLOW_FORWARD,
            packets: 1,
            bytes: 10,
            ..Flow::default()
        };
        let back = Flow {
            to: came.reversed(),
            flags: 0,
            packets: 9,
            bytes: 700,
            ..there
        };
        let (mut a, mut b) = (Event::default(), Event::default());
        a.of_flow(&came, &there, (back.packets, back.bytes));
        b.of_flow(&went.reversed(), &back, (there.packets, there.bytes));
        assert_eq!(a, b);
        assert_eq!(a.packets, [9, 1]);
        assert_eq!((a.addr[0], a.port[3]), (came.src, went.dport));
        assert_eq!(a.bytes, [700, 10], "from the announcer, who is 4:4000");
    }

    #[test]
    fn numbers_come_back() {
        for (n, what) in What::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, n + 1);
            assert_eq!(What::from_byte(what as u8), Some(what));
            let event = Event::new(what, 0, 0);
            assert_eq!(event.is_short(), what.size() == SHORT);
        }
        for mode in [Mode::Tls, Mode::Plain, Mode::EpsvAll, Mode::NotFtp] {
            assert_eq!(Mode::from_number(mode as u16), Some(mode));
        }
        for end in [End::Fin, End::Rst, End::Idle, End::Replaced] {
            assert_eq!(End::from_number(end as u16), Some(end));
        }
        assert_eq!((Mode::from_number(5), End::from_number(0)), (None, None));
    }
}
