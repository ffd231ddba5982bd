//! What is read at a time.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    events::SessionId,
    explain::Surroundings,
    history::Found,
    view::{sessions::SessionView, stats::Stats, translations::Translation},
};

/// What is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The tables; otherwise only what `run` knows.
    pub tables: bool,
    /// The sessions of which `run` is asked what happened.
    pub sessions: Vec<SessionId>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When, by the calendar.
    pub now: Timestamp,
    /// When, in ns of the clock that never goes back.
    pub at_ns: u64,
    /// How long it took.
    pub took: Duration,
    /// The tables, or why they can't be read; `None` where they weren't asked for.
    pub tables: Option<Result<Tables, String>>,
    /// What `run` said, or why it said nothing.
    pub told: Result<Told, NotServed>,
}

/// Why `run` said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotServed {
    /// There is none.
    NotRunning,
    /// Another reason.
    Other(String),
}

/// What the maps say.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Counters and how full the tables are.
    pub stats: Stats,
    /// The control connections.
    pub sessions: Vec<SessionView>,
    /// The announced data connections.
    pub transfers: Vec<Translation>,
    /// What is set up.
    pub around: Surroundings,
}

/// What `run` said.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Of which sessions it was asked.
    pub asked: Vec<SessionId>,
    /// What it knows of them.
    pub found: Found,
}
