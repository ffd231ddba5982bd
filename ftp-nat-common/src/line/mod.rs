//! The FTP line parser: a state machine fed one byte at a time, which says of
//! each byte whether it belongs to the text of an announced address.
//!
//! The grammar of the two directions is in `client` and `server`, numbers
//! and addresses in [`address`], bytes that go on with these in `run`, Telnet sequences in `telnet`, TLS in `tls`, the new text
//! in [`text`], verbs in [`verbs`], and which reply belongs to which request in [`requests`].

pub mod address;
mod client;
pub mod requests;
mod run;
mod server;
mod telnet;
pub mod text;
mod tls;
pub mod verbs;

pub use self::{requests::Requests, verbs::Request};
use crate::{addr::Addr, session::CLIENT, translation::Kind};

/// What a byte is to the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is passed on as it is.
    Plain,
    /// It belongs to a text that can still become an address: held back.
    Hold,
    /// It ends a complete address: what is held may be replaced; the byte
    /// itself is passed on behind it.
    Release,
    /// What is held is no address after all: passed on, and this byte too.
    Abandon,
}

/// What came of feeding one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fed {
    /// What the byte is to the stream.
    pub step: Step,
    /// The byte ended a line.
    pub ended: bool,
    /// The byte is part of a Telnet sequence.
    pub telnet: bool,
}

impl Fed {
    /// As one number, which a function can return in a register.
    #[inline(always)]
    pub const fn pack(self) -> u32 {
        self.step as u32 | (self.ended as u32) << 8 | (self.telnet as u32) << 9
    }

    /// From [`pack`](Self::pack)'s number; any number gives something.
    #[inline(always)]
    pub const fn unpack(packed: u32) -> Self {
        Self {
            step: match packed & 3 {
                0 => Step::Plain,
                1 => Step::Hold,
                2 => Step::Release,
                _ => Step::Abandon,
            },
            ended: packed & 1 << 8 != 0,
            telnet: packed & 1 << 9 != 0,
        }
    }

    const PLAIN: Self = Self::of(Step::Plain);
    const HOLD: Self = Self::of(Step::Hold);
    const RELEASE: Self = Self::of(Step::Release);
    const ABANDON: Self = Self::of(Step::Abandon);

    const fn of(step: Step) -> Self {
        Self {
            step,
            ended: false,
            telnet: false,
        }
    }

    #[inline(always)]
    const fn ending(self, ended: bool) -> Self {
        Self { ended, ..self }
    }
}

/// States with this bit hold bytes back.
const HOLDING: u8 = 0x80;
/// States with this bit are in a line that can announce.
const ARMED: u8 = 0x40;

/// States of [`Line::state`]. Names begin with the direction they belong to.
mod state {
    use super::{ARMED, HOLDING};
    pub const START: u8 = 0;
    pub const SKIP: u8 = 1;
    pub const CLIENT_VERB: u8 = 2;
    pub const CLIENT_ARGUMENT: u8 = 3;
    pub const SERVER_CODE: u8 = 4;
    pub const CLIENT_PORT_GAP: u8 = 5 | ARMED;
    pub const CLIENT_PORT: u8 = 6 | ARMED | HOLDING;
    pub const CLIENT_EPRT_GAP: u8 = 7 | ARMED;
    pub const CLIENT_EPRT_FAMILY: u8 = 8 | ARMED;
    pub const CLIENT_EPRT_FAMILY_END: u8 = 9 | ARMED;
    pub const CLIENT_EPRT_START: u8 = 10 | ARMED;
    pub const CLIENT_EPRT_V4: u8 = 11 | ARMED | HOLDING;
    pub const CLIENT_EPRT_V6: u8 = 12 | ARMED | HOLDING;
    pub const CLIENT_EPRT_PORT: u8 = 13 | ARMED | HOLDING;
    pub const SERVER_PASV_SCAN: u8 = 14 | ARMED;
    pub const SERVER_PASV_RUN: u8 = 15 | ARMED;
    pub const SERVER_PASV: u8 = 16 | ARMED | HOLDING;
    pub const SERVER_EPSV_SCAN: u8 = 17 | ARMED;
    pub const SERVER_EPSV: u8 = 18 | ARMED | HOLDING;
    pub const SERVER_PASV_START: u8 = 19 | ARMED;
    pub const SERVER_PASV_TEXT: u8 = 20 | ARMED | HOLDING;
}

/// The line isn't the first one of its stream.
const FLAG_LATER: u8 = 1;
/// The line began with something that is no command and no reply.
const FLAG_ODD: u8 = 2;
/// The client's line is one of another protocol (HTTP).
const FLAG_FOREIGN: u8 = 4;
/// The server's line is the last one of its reply.
const FLAG_FINAL: u8 = 8;
/// An address was read in the line.
const FLAG_ANNOUNCED: u8 = 16;

/// The parser's state for one direction of a control connection.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Line {
    /// One of `state::*`.
    state: u8,
    /// Where in a Telnet sequence the stream is.
    telnet: u8,
    /// Characters of the verb, digits of the number.
    count: u8,
    /// Index of the number in an address.
    field: u8,
    /// The delimiter of EPRT and 229.
    delimiter: u8,
    /// Bits of `FLAG_*`.
    flags: u8,
    /// Where `::` stands in an IPv6 address, plus 1; the run of delimiters in a 229.
    gap: u8,
    /// The address family that EPRT names; colons read in a row.
    family: u8,
    /// The number being read.
    value: u16,
    /// The reply code of the line.
    code: u16,
    /// The code of the multi-line reply that is open; 0: none.
    multi: u16,
    /// Bytes left of the TLS record.
    tls_left: u16,
    /// The verb's first four characters in upper case, first one highest.
    verb: u32,
    /// The argument's first four characters likewise.
    argument: u32,
    /// The numbers of an address: octets, or groups of 16 bits.
    parts: [u16; 8],
    /// Where in TLS the stream is: one of `tls::*`.
    tls: u8,
    /// Bytes of free text held before the address of a 227.
    prefix: u8,
    /// 1 once the server's greeting is over, or wasn't seen.
    greeted: u8,
    /// Zero.
    _pad: u8,
}

/// A complete announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Its form.
    pub kind: Kind,
    /// The address it names; unspecified for 229, which names none.
    pub addr: Addr,
    /// The port it names, host byte order.
    pub port: u16,
    /// The delimiter of EPRT.
    pub delimiter: u8,
}

impl Line {
    /// A parser that knows nothing of where it is in a line: it skips to the next one.
    #[inline(always)]
    pub fn mid_stream() -> Self {
        Self {
            state: state::SKIP,
            flags: FLAG_LATER,
            greeted: 1,
            ..Self::default()
        }
    }

    /// The same, where the stream is known to be at the start of a line.
    #[inline(always)]
    pub fn mid_stream_at_start() -> Self {
        Self {
            flags: FLAG_LATER,
            greeted: 1,
            ..Self::default()
        }
    }

    /// Whether bytes are being held back.
    #[inline(always)]
    pub const fn holding(&self) -> bool {
        self.state & HOLDING != 0
    }

    /// Whether the current line can still announce something.
    #[inline(always)]
    pub const fn armed(&self) -> bool {
        self.state & ARMED != 0
    }

    /// Whether nothing matters up to the end of the line, or to a Telnet sequence.
    #[inline(always)]
    pub const fn is_skipping(&self) -> bool {
        self.state == state::SKIP && self.telnet == telnet::DATA
    }

    /// Whether the line is in something that goes on for some bytes: a verb, the
    /// free text of a 227, the numbers of an address.
    #[inline(always)]
    pub const fn in_run(&self) -> bool {
        run::is_run(self.state) && self.telnet == telnet::DATA
    }

    /// Whether the next byte begins a line.
    #[inline(always)]
    pub const fn at_start(&self) -> bool {
        self.state == state::START && self.telnet == telnet::DATA
    }

    /// Gives up the current line: nothing in it will be held.
    #[inline(always)]
    pub const fn skip_line(&mut self) {
        self.state = state::SKIP;
    }

    /// Gives up the current line and whatever Telnet sequence it was in,
    /// because bytes of the stream were not seen.
    #[inline(always)]
    pub const fn lost(&mut self) {
        self.state = state::SKIP;
        self.telnet = telnet::DATA;
        self.multi = 0;
        self.flags |= FLAG_LATER;
        self.greeted = 1;
        self.lose_tls();
    }

    /// Takes the next byte of the stream whose sender is `role`.
    #[inline(always)]
    pub fn feed(&mut self, role: usize, byte: u8) -> Fed {
        let data = match telnet::strip(&mut self.telnet, byte) {
            telnet::Stripped::Data(data) => data,
            telnet::Stripped::Sequence => {
                let step = if self.state == state::SERVER_PASV_TEXT {
                    // Free text with Telnet in it isn't worth the trouble.
                    self.leave_text().step
                } else if self.holding() {
                    Step::Hold
                } else {
                    Step::Plain
                };
                return Fed {
                    step,
                    ended: false,
                    telnet: true,
                };
            }
            telnet::Stripped::Escaped => 0xff,
        };
        if role == CLIENT {
            self.client(data)
        } else {
            self.server(data)
        }
    }

    /// The form of the address that was just read in the line of `role`.
    #[inline(always)]
    pub const fn kind(&self, role: usize) -> Kind {
        match (role, self.verb, self.code) {
            (CLIENT, verbs::EPRT, _) => Kind::Eprt,
            (CLIENT, ..) => Kind::Port,
            (_, _, 229) => Kind::Epsv,
            _ => Kind::Pasv,
        }
    }

    /// How many of the held bytes are free text that stands before the address.
    #[inline(always)]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The verb and its argument, when a client's line has ended.
    #[inline(always)]
    pub fn request(&self) -> Request {
        verbs::classify(self.verb, self.argument)
    }

    /// The code of a server's line that has ended, if it was the last one of its reply.
    #[inline(always)]
    pub const fn reply(&self) -> Option<u16> {
        if self.flags & FLAG_FINAL != 0 {
            Some(self.code)
        } else {
            None
        }
    }

    /// The code that a server's line began with.
    #[inline(always)]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Notes that a final reply came; whether it is the server's greeting, which
    /// no request asked for.
    #[inline(always)]
    pub const fn greets(&mut self) -> bool {
        let is_greeting = self.greeted == 0;
        self.greeted = 1;
        is_greeting
    }

    /// Whether an address was read in the line.
    #[inline(always)]
    pub const fn announced(&self) -> bool {
        self.flags & FLAG_ANNOUNCED != 0
    }

    /// Whether a client's line had nothing in it.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.verb == 0 && self.count == 0
    }

    /// Whether the ended line was the first one of the stream.
    #[inline(always)]
    pub const fn is_first(&self) -> bool {
        self.flags & FLAG_LATER == 0
    }

    /// Whether the line can't be a command (client) or a reply (server).
    #[inline(always)]
    pub const fn is_odd(&self) -> bool {
        self.flags & FLAG_ODD != 0
    }

    /// Whether the line belongs to another protocol.
    #[inline(always)]
    pub const fn is_foreign(&self) -> bool {
        self.flags & FLAG_FOREIGN != 0
    }

    /// Makes ready for the next line, once the ended one was looked at.
    #[inline(always)]
    pub const fn next(&mut self) {
        self.flags = FLAG_LATER;
        self.state = state::START;
        self.count = 0;
        self.prefix = 0;
        self.code = 0;
        self.verb = 0;
        self.argument = 0;
    }

    #[inline(always)]
    const fn begin_numbers(&mut self) {
        self.field = 0;
        self.count = 0;
        self.value = 0;
        self.gap = 0;
    }
}

#[cfg(test)]
mod tests;
