//! The names of verdicts.

use serde::{Serialize, Serializer};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something doesn't work.
    Problem,
    /// It may not work.
    Warning,
    /// Nothing is wrong.
    Ok,
}

macro_rules! names {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal $level:ident, )+) => {
        /// What a verdict says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Name { $( $(#[doc = $doc])+ $variant, )+ }

        impl Name {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The stable name, as `explain --json` prints it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// How bad it is.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $( Self::$variant => Level::$level, )+ }
            }
        }
    };
}

names! {
    /// A data connection came, and the transfer was not refused.
    Works = "works" Ok,
    /// An announcement is being waited for.
    Waiting = "waiting" Ok,
    /// Nothing was asked for.
    NothingAsked = "nothing_asked" Ok,
    /// The announced connection never came.
    NoDataConnection = "no_data_connection" Problem,
    /// The server says that it can't connect, and nothing of it arrived.
    ServerCouldNotConnect = "server_could_not_connect" Problem,
    /// It came from another address.
    DataFromOtherAddress = "data_from_other_address" Problem,
    /// It came, and the end that announced didn't answer.
    DataNotAnswered = "data_not_answered" Problem,
    /// It came, and ended with nothing in it.
    DataWithoutBytes = "data_without_bytes" Problem,
    /// It is open, and nothing comes by it.
    DataStalled = "data_stalled" Warning,
    /// The transfer began and failed.
    TransferFailed = "transfer_failed" Problem,
    /// The server refused PORT, EPRT, PASV or EPSV.
    ServerRefused = "server_refused" Problem,
    /// The server refused the log-in.
    LoginRefused = "login_refused" Problem,
    /// The announced address is not the sender's.
    ForeignAddress = "foreign_address" Problem,
    /// The announced port is below 1024, or denied.
    PortRefused = "port_refused" Problem,
    /// The session is in TLS.
    Encrypted = "encrypted" Warning,
    /// It isn't FTP.
    NotFtp = "not_ftp" Problem,
    /// A table is full.
    TableFull = "table_full" Problem,
    /// One host has as much as one may have.
    SourceLimit = "source_limit" Problem,
    /// The announcement was not followed, for another reason.
    NotFollowed = "announcement_not_followed" Problem,
    /// A transfer on the default data port.
    DefaultDataPort = "default_data_port" Problem,
    /// The control port is not watched.
    PortNotWatched = "port_not_watched" Problem,
    /// A control connection came in, and this machine didn't send it on.
    ControlNotForwarded = "control_not_forwarded" Problem,
    /// A control connection was sent on, and the server doesn't answer, or no more.
    ControlNotAnswered = "control_not_answered" Problem,
    /// Nothing is known of such a session.
    NoSession = "no_session" Problem,
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// What a session, or the lack of one, means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Its name.
    pub name: Name,
    /// How bad it is.
    pub level: Level,
    /// How often it is so in the session.
    pub times: usize,
    /// What is so, in a sentence.
    pub says: String,
    /// What to do, in sentences.
    pub advice: Vec<String>,
}

impl Verdict {
    /// A verdict.
    #[must_use]
    pub fn new(name: Name, says: impl Into<String>) -> Self {
        Self {
            name,
            level: name.level(),
            times: 1,
            says: says.into(),
            advice: Vec::new(),
        }
    }

    /// With something to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for name in Name::ALL {
            let same = Name::ALL.iter().filter(|n| n.text() == name.text());
            assert_eq!(same.count(), 1, "{name:?}");
        }
    }
}
