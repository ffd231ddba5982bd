//! What is known of a session, by name.

use ftp_nat_common::{
    session::{
        SESSION_ENCRYPTED, SESSION_EPSV_ALL, SESSION_FIN, SESSION_FIN_SERVER, SESSION_GREETED,
        SESSION_LOGGED_IN, SESSION_NOT_FTP, SESSION_RST, SESSION_TRUSTED, Session,
    },
    translation::Kind,
};
use serde::{Serialize, Serializer};

const FLAGS: [(u32, &str); 9] = [
    (SESSION_TRUSTED, "trusted"),
    (SESSION_GREETED, "greeted"),
    (SESSION_LOGGED_IN, "logged_in"),
    (SESSION_NOT_FTP, "not_ftp"),
    (SESSION_ENCRYPTED, "encrypted"),
    (SESSION_EPSV_ALL, "epsv_all"),
    (SESSION_FIN, "fin_client"),
    (SESSION_FIN_SERVER, "fin_server"),
    (SESSION_RST, "rst"),
];

/// What is known of a session: in JSON a list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub(super) u32);

impl Flags {
    /// Those of these names; others than in `docs/json.md` are none.
    #[must_use]
    pub fn named(names: &[&str]) -> Self {
        let named = FLAGS.iter().filter(|(_, name)| names.contains(name));
        Self(named.fold(0, |flags, (flag, _)| flags | flag))
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let set = FLAGS.iter().filter(move |(flag, _)| self.0 & flag != 0);
        set.map(|(_, name)| *name)
    }

    /// Whether that one is among them.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.names().any(|has| has == name)
    }
}

impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// How a session's data connections are made, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataMode {
    /// The client announces, or is connected to without it.
    Active,
    /// The server announces.
    Passive,
    /// It is said within TLS.
    Tls,
    /// By nothing that could be read: what is spoken isn't FTP.
    NotFtp,
    /// All that was announced was refused, or passed unread.
    Refused,
    /// Nothing was announced yet.
    NoneYet,
}

impl DataMode {
    pub(super) fn of(session: &Session, last: Option<Kind>) -> Self {
        match last {
            _ if session.flags & SESSION_NOT_FTP != 0 => Self::NotFtp,
            _ if session.flags & SESSION_ENCRYPTED != 0 => Self::Tls,
            Some(kind) if kind.is_active_mode() => Self::Active,
            Some(_) => Self::Passive,
            // To the client's default port.
            None if session.data_connections > 0 => Self::Active,
            None if session.refusals > 0 => Self::Refused,
            None => Self::NoneYet,
        }
    }

    /// As a person reads it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Tls => "TLS",
            Self::NotFtp => "not FTP",
            Self::Refused => "refused",
            Self::NoneYet => "none yet",
        }
    }
}
