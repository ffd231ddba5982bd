//! The words that events use, each the same in JSON and in sentences.

use std::fmt;

use ftp_nat_common::{counter::Counter, event, line, session::CLIENT, translation::Kind};
use serde::{Deserialize, Serialize};

/// An end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl By {
    /// The end whose role is a record's.
    #[must_use]
    pub const fn role(role: u8) -> Self {
        if role as usize & 1 == CLIENT {
            Self::Client
        } else {
            Self::Server
        }
    }

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The form of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// `PORT`.
    #[serde(rename = "PORT")]
    Port,
    /// `EPRT`.
    #[serde(rename = "EPRT")]
    Eprt,
    /// `227`.
    #[serde(rename = "227")]
    Pasv,
    /// `229`.
    #[serde(rename = "229")]
    Epsv,
    /// None that could be read: within TLS.
    #[serde(rename = "encrypted")]
    Encrypted,
    /// None at all: the default data port.
    #[serde(rename = "default port")]
    Default,
}

impl Form {
    /// The form of a record.
    #[must_use]
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::None => None,
            Kind::Port => Some(Self::Port),
            Kind::Eprt => Some(Self::Eprt),
            Kind::Pasv => Some(Self::Pasv),
            Kind::Epsv => Some(Self::Epsv),
            Kind::Encrypted => Some(Self::Encrypted),
            Kind::Default => Some(Self::Default),
        }
    }

    /// The kind that records have of it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Port => Kind::Port,
            Self::Eprt => Kind::Eprt,
            Self::Pasv => Kind::Pasv,
            Self::Epsv => Kind::Epsv,
            Self::Encrypted => Kind::Encrypted,
            Self::Default => Kind::Default,
        }
    }

    /// As a person writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.kind().name()
    }
}

/// A request of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// None that is known: the greeting, or a reply too many.
    None,
    /// One that changes nothing here.
    Other,
    /// PORT or EPRT.
    Active,
    /// PASV or EPSV.
    Passive,
    /// EPSV ALL.
    EpsvAll,
    /// AUTH.
    Auth,
    /// CCC.
    Ccc,
    /// REIN.
    Rein,
    /// QUIT.
    Quit,
    /// ABOR.
    Abor,
    /// LPRT.
    Lprt,
    /// A transfer: RETR, STOR, LIST and their like.
    Transfer,
}

impl Request {
    /// The request of a record.
    #[must_use]
    pub const fn of(request: line::Request) -> Self {
        use line::Request as From;
        match request {
            From::None => Self::None,
            From::Other | From::Empty => Self::Other,
            From::Active => Self::Active,
            From::Passive => Self::Passive,
            From::EpsvAll => Self::EpsvAll,
            From::Auth => Self::Auth,
            From::ClearChannel => Self::Ccc,
            From::Reinitialize => Self::Rein,
            From::Quit => Self::Quit,
            From::Abort => Self::Abor,
            From::LongPort => Self::Lprt,
            From::Transfer => Self::Transfer,
        }
    }

    /// What the client said, as far as it is known.
    #[must_use]
    pub const fn said(self) -> &'static str {
        match self {
            Self::None => "(nothing)",
            Self::Other => "(another command)",
            Self::Active => "PORT or EPRT",
            Self::Passive => "PASV or EPSV",
            Self::EpsvAll => "EPSV ALL",
            Self::Auth => "AUTH",
            Self::Ccc => "CCC",
            Self::Rein => "REIN",
            Self::Quit => "QUIT",
            Self::Abor => "ABOR",
            Self::Lprt => "LPRT",
            Self::Transfer => "(a transfer: RETR, STOR, LIST, ...)",
        }
    }
}

/// In which way a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// In TLS.
    Tls,
    /// In plain text again.
    Plain,
    /// With EPSV only.
    EpsvAll,
    /// Unread, because it isn't FTP.
    NotFtp,
}

impl Mode {
    /// The mode of a record.
    #[must_use]
    pub const fn of(mode: event::Mode) -> Self {
        match mode {
            event::Mode::Tls => Self::Tls,
            event::Mode::Plain => Self::Plain,
            event::Mode::EpsvAll => Self::EpsvAll,
            event::Mode::NotFtp => Self::NotFtp,
        }
    }

    /// In words.
    #[must_use]
    pub const fn said(self) -> &'static str {
        match self {
            Self::Tls => "encrypted from here on: nothing can be read",
            Self::Plain => "plain text again",
            Self::EpsvAll => "EPSV ALL: nothing but EPSV may follow",
            Self::NotFtp => "this is not FTP: passed unread",
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Both ends closed it.
    Fin,
    /// One end reset it.
    Rst,
    /// It was silent for too long.
    Idle,
    /// A new connection of the same addresses took its place.
    Replaced,
}

impl End {
    /// The end of a record.
    #[must_use]
    pub const fn of(end: event::End) -> Self {
        match end {
            event::End::Fin => Self::Fin,
            event::End::Rst => Self::Rst,
            event::End::Idle => Self::Idle,
            event::End::Replaced => Self::Replaced,
        }
    }

    /// In words.
    #[must_use]
    pub const fn said(self) -> &'static str {
        match self {
            Self::Fin => "closed by both ends",
            Self::Rst => "reset",
            Self::Idle => "silent for too long",
            Self::Replaced => "replaced by a new connection of the same ports",
        }
    }
}

/// Why something was not done: a counter of `stats`, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason(pub Counter);

impl Reason {
    /// The reason whose number a record has.
    #[must_use]
    pub fn number(number: u16) -> Option<Self> {
        Counter::ALL.get(usize::from(number)).copied().map(Self)
    }

    /// The sentence that says what it is.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        let text = self.0.description().trim();
        text.strip_prefix("Refused: ")
            .or_else(|| text.strip_prefix("Passed: "))
            .unwrap_or(text)
            .trim_end_matches('.')
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Counter::ALL.iter().find(|counter| counter.name() == name);
        found
            .copied()
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("no reason {name}")))
    }
}
