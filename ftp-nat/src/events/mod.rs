//! What happened, as people and scripts read it: the JSON of `events`, and what
//! `explain` draws and judges.
//!
//! | module | holds |
//! |---|---|
//! | [`words`] | the names of forms, requests, modes and ends |
//! | `convert` | from a record of the kernel side |
//! | [`listen`] | reading the ring buffer |

mod convert;
pub mod listen;
pub mod words;

use std::{fmt, net::SocketAddr, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::convert::Clock;
use self::words::{By, End, Form, Mode, Reason, Request};

/// A session's name. In JSON a string of 16 hexadecimal digits, because readers
/// round large numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SessionId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > 16 {
            return Err("a session is named by up to 16 hexadecimal digits".to_owned());
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| format!("{text} is no session: one is named by hexadecimal digits"))
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The four endpoints of a control connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// The client.
    pub client: SocketAddr,
    /// The client as the server sees it.
    pub client_seen: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// The server as the client sees it: what it connected to.
    pub server_seen: SocketAddr,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// In which session; none for what belongs to no session.
    pub session: Option<SessionId>,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// A control connection is followed from now on.
    SessionLearned {
        /// Who talks.
        #[serde(flatten)]
        ends: Ends,
        /// It had begun before it was seen.
        midway: bool,
    },
    /// A control connection is not followed.
    SessionNotFollowed {
        /// Who talks.
        #[serde(flatten)]
        ends: Ends,
        /// Why.
        reason: Reason,
    },
    /// A data connection was announced, and is expected.
    Announced {
        /// Who announced.
        by: By,
        /// In which form.
        form: Form,
        /// As it was said.
        said: SocketAddr,
        /// As the other end is told.
        told: SocketAddr,
        /// Where it is expected: as told, unless `--advertise` says otherwise.
        expected: SocketAddr,
    },
    /// An announcement was not followed.
    NotAnnounced {
        /// Who announced.
        by: By,
        /// In which form, where it could be read.
        form: Option<Form>,
        /// As it was said, where it could be read.
        said: Option<SocketAddr>,
        /// Why.
        reason: Reason,
    },
    /// The client said a command that matters.
    Requested {
        /// Which.
        request: Request,
    },
    /// The server replied.
    Replied {
        /// Its code.
        code: u16,
        /// What it answers.
        request: Request,
    },
    /// The session goes on in another way.
    ModeChanged {
        /// How.
        mode: Mode,
    },
    /// A data connection came.
    DataOpened {
        /// Who announced it.
        announced_by: By,
        /// In which form, or without one: on the default data port, or within TLS.
        form: Option<Form>,
        /// Who connects.
        from: SocketAddr,
        /// Where to.
        to: SocketAddr,
        /// Who connects, as the announcer sees it.
        from_seen: SocketAddr,
        /// Where it was translated to: the announcer.
        to_real: SocketAddr,
    },
    /// A data connection came to where one was expected, and was not let by.
    DataRefused {
        /// Who announced it.
        announced_by: By,
        /// In which form, or without one: on the default data port, or within TLS.
        form: Option<Form>,
        /// Who tried.
        from: SocketAddr,
        /// Where to.
        to: SocketAddr,
        /// Who may.
        expected_from: std::net::IpAddr,
        /// Why.
        reason: Reason,
    },
    /// A data connection ended.
    DataEnded {
        /// Who announced it.
        announced_by: By,
        /// In which form, or without one: on the default data port, or within TLS.
        form: Option<Form>,
        /// The announcer's own end.
        announcer: SocketAddr,
        /// The other end.
        peer: SocketAddr,
        /// Bytes of IP packets that the announcer sent.
        bytes_from_announcer: u64,
        /// Bytes of IP packets that it got.
        bytes_to_announcer: u64,
        /// Packets that the announcer sent.
        packets_from_announcer: u32,
        /// Packets that it got.
        packets_to_announcer: u32,
        /// How.
        how: End,
    },
    /// What was announced is not waited for any more.
    Withdrawn {
        /// Who announced it.
        announced_by: By,
        /// Where it was expected.
        expected: SocketAddr,
    },
    /// Nobody came in time.
    Expired {
        /// Who announced it.
        announced_by: By,
        /// Where it was expected.
        expected: SocketAddr,
        /// How long it was waited for.
        after_seconds: u16,
    },
    /// The control connection ended.
    SessionEnded {
        /// How.
        how: End,
    },
}
