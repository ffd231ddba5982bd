//! The socket by which other commands ask `run`: root only, JSON line by line.
//!
//! A client sends one [`Request`] as a line, and gets [`Answer`]s, a line each;
//! the last one is [`Answer::Done`] or [`Answer::Failed`]. A new kind of request
//! is a variant of both and an arm in `serve`'s `answer`.
//!
//! | module | holds |
//! |---|---|
//! | [`place`] | where the socket is |
//! | [`serve`] | the side of `run` |
//! | [`ask`] | the side of the others |

pub mod ask;
pub mod place;
pub mod serve;

use serde::{Deserialize, Serialize};

use crate::{
    daemon::reload::Outcome,
    events::Entry,
    history::{Found, Which},
};

/// A request is no longer than this, in bytes.
const REQUEST_MAX: u64 = 64 * 1024;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// What happened lately, and what happens from now on.
    Events {
        /// Goes on until the asker hangs up.
        follow: bool,
    },
    /// What is known of some sessions.
    History {
        /// Of which ones.
        which: Which,
    },
    /// To read the configuration again and do what it says.
    Reload,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// Something happened.
    Event(Entry),
    /// So many events are missing here.
    Lost(u64),
    /// All events up to now were told.
    Present,
    /// What is known of sessions.
    History(Found),
    /// What came of reading the configuration again.
    Reloaded(Outcome),
    /// That was all.
    Done,
    /// It could not be done.
    Failed(String),
}
