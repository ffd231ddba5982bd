//! What a session tried: each announcement with what became of it, and each
//! transfer that needs none.

mod unannounced;

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use self::unannounced::Unannounced;
use crate::{
    events::{
        Happening,
        words::{By, End, Form, Reason, Request},
    },
    history::Record,
};

/// An announcement, or a transfer without one, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it was announced.
    pub at: Timestamp,
    /// Who announced.
    pub by: By,
    /// In which form, if that could be read.
    pub form: Option<Form>,
    /// As it was said.
    pub said: Option<SocketAddr>,
    /// What the other end is told, and where it is expected; or why it isn't.
    pub followed: Result<Told, Reason>,
    /// The server's reply to PORT or EPRT.
    pub answer: Option<u16>,
    /// A transfer was asked for with it.
    pub asked: bool,
    /// The server's replies to that.
    pub replies: Vec<u16>,
    /// The data connection that came.
    pub opened: Option<Opened>,
    /// Those who were not let by.
    pub refused: Vec<(SocketAddr, IpAddr, Reason)>,
    /// Nobody is waited for any more.
    pub over: Option<Over>,
}

/// What the other end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The endpoint.
    pub told: SocketAddr,
    /// Where it is expected.
    pub expected: SocketAddr,
}

/// A data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Who connected.
    pub from: SocketAddr,
    /// The announcer's own endpoint.
    pub announcer: SocketAddr,
    /// Its end.
    pub ended: Option<Ended>,
}

/// The end of a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: End,
    /// Bytes of IP packets of the announcer, and to it.
    pub bytes: [u64; 2],
    /// Packets likewise.
    pub packets: [u32; 2],
}

impl Ended {
    /// Whether the announcer never said anything.
    #[must_use]
    pub const fn is_unanswered(&self) -> bool {
        self.packets[0] == 0
    }

    /// Whether nothing but headers passed, as far as lengths tell.
    #[must_use]
    pub const fn is_empty(&self, is_v4: bool) -> bool {
        // IP and TCP, with the options that a SYN may have.
        let header = if is_v4 { 60 } else { 80 };
        self.bytes[0] <= self.packets[0] as u64 * header
            && self.bytes[1] <= self.packets[1] as u64 * header
    }
}

/// Why nobody is waited for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It was withdrawn.
    Withdrawn,
    /// So many seconds went by.
    Expired(u16),
}

impl Attempt {
    fn new(at: Timestamp, by: By, form: Option<Form>, said: Option<SocketAddr>) -> Self {
        Self {
            at,
            by,
            form,
            said,
            followed: Err(Reason(ftp_nat_common::counter::Counter::PassedUnparsed)),
            answer: None,
            asked: false,
            replies: Vec::new(),
            opened: None,
            refused: Vec::new(),
            over: None,
        }
    }

    /// The server's last reply to the transfer, if it is a final one.
    #[must_use]
    pub fn outcome(&self) -> Option<u16> {
        self.replies.last().copied().filter(|code| *code >= 200)
    }

    /// Whether it is still waited for.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.followed.is_ok() && self.opened.is_none() && self.over.is_none()
    }

    /// Whether it is a data connection of an encrypted session.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.form == Some(Form::Encrypted)
    }

    fn expects(&self, at: SocketAddr) -> bool {
        self.followed.is_ok_and(|told| told.expected == at)
    }
}

/// Goes through what happened, in order.
#[must_use]
pub fn of(record: &Record) -> Vec<Attempt> {
    let mut all: Vec<Attempt> = Vec::new();
    let mut unannounced = Unannounced::before(record);
    for entry in &record.entries {
        unannounced.take(&mut all, entry.at, &entry.what);
        take(&mut all, entry.at, &entry.what);
    }
    all
}

fn take(all: &mut Vec<Attempt>, at: Timestamp, what: &Happening) {
    match what {
        Happening::Announced {
            by,
            form,
            said,
            told,
            expected,
        } => all.push(Attempt {
            followed: Ok(Told {
                told: *told,
                expected: *expected,
            }),
            ..Attempt::new(at, *by, Some(*form), Some(*said))
        }),
        Happening::NotAnnounced {
            by,
            form,
            said,
            reason,
        } => all.push(Attempt {
            followed: Err(*reason),
            ..Attempt::new(at, *by, *form, *said)
        }),
        Happening::Requested {
            request: Request::Transfer,
        } => {
            if let Some(last) = all.last_mut() {
                last.asked = true;
            }
        }
        Happening::Replied { code, request } => replied(all, *code, *request),
        Happening::DataOpened {
            from, to, to_real, ..
        } => {
            if let Some(found) = all.iter_mut().rev().find(|a| a.expects(*to)) {
                found.opened = Some(Opened {
                    from: *from,
                    announcer: *to_real,
                    ended: None,
                });
            }
        }
        Happening::DataRefused {
            from,
            to,
            expected_from,
            reason,
            ..
        } => {
            if let Some(found) = all.iter_mut().rev().find(|a| a.expects(*to)) {
                found.refused.push((*from, *expected_from, *reason));
            }
        }
        Happening::DataEnded {
            announcer,
            peer,
            bytes_from_announcer,
            bytes_to_announcer,
            packets_from_announcer,
            packets_to_announcer,
            how,
            ..
        } => {
            let opened = all.iter_mut().rev().filter_map(|a| a.opened.as_mut());
            let mut these = opened.filter(|o| o.announcer == *announcer && o.from == *peer);
            if let Some(found) = these.next() {
                found.ended = Some(Ended {
                    how: *how,
                    bytes: [*bytes_from_announcer, *bytes_to_announcer],
                    packets: [*packets_from_announcer, *packets_to_announcer],
                });
            }
        }
        Happening::Withdrawn { expected, .. } => end(all, *expected, Over::Withdrawn),
        Happening::Expired {
            expected,
            after_seconds,
            ..
        } => end(all, *expected, Over::Expired(*after_seconds)),
        _ => {}
    }
}

fn end(all: &mut [Attempt], expected: SocketAddr, over: Over) {
    let mut these = all.iter_mut().rev().filter(|a| a.expects(expected));
    if let Some(found) = these.find(|a| a.is_waiting()) {
        found.over = Some(over);
    }
}

fn replied(all: &mut [Attempt], code: u16, request: Request) {
    match request {
        Request::Active => {
            let mut these = all.iter_mut().filter(|a| a.by == By::Client);
            if let Some(first) = these.find(|a| a.answer.is_none()) {
                first.answer = Some(code);
            }
        }
        Request::Transfer => {
            let mut these = all.iter_mut().filter(|a| a.asked);
            if let Some(first) = these.find(|a| a.outcome().is_none()) {
                first.replies.push(code);
            }
        }
        _ => {}
    }
}
