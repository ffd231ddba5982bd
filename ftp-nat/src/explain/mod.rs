//! Why a transfer works or doesn't: a session's ladder, and a verdict in plain
//! words with what to do.
//!
//! | module | holds |
//! |---|---|
//! | [`attempts`] | each announcement with what became of it |
//! | [`dials`] | control connections that didn't come about |
//! | [`elsewhere`] | ports that a client uses and nobody watches |
//! | [`judge`] | from that to verdicts |
//! | [`verdict`] | their names |
//! | `words` | what they say |
//! | [`surroundings`] | what they depend on besides |
//! | [`steps`] | the rows of the ladder |

pub mod attempts;
pub mod dials;
pub mod elsewhere;
pub mod judge;
pub mod steps;
pub mod surroundings;
#[cfg(test)]
mod tests;
pub mod verdict;
mod words;

use jiff::Timestamp;
use serde::Serialize;

pub use self::{
    surroundings::{Silent, Surroundings},
    verdict::Verdict,
};
use crate::{
    history::{Found, Record},
    view::SCHEMA,
};

/// The output of `explain`.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// The sessions, oldest first.
    pub sessions: Vec<Explained>,
    /// What is to be said where no session tells it.
    pub verdicts: Vec<Verdict>,
}

/// A session with its verdicts.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
    /// What it means, what matters most first.
    pub verdicts: Vec<Verdict>,
}

/// Explains what was found. `client`: whom it was asked for.
#[must_use]
pub fn explain(
    found: Found,
    client: Option<std::net::IpAddr>,
    now: Timestamp,
    around: &Surroundings,
) -> Explanation {
    let verdicts = judge::outside(&found, client, around);
    let sessions = found.sessions.into_iter().map(|record| Explained {
        verdicts: judge::session(&record, now, around),
        record,
    });
    Explanation {
        schema: SCHEMA,
        sessions: sessions.collect(),
        verdicts,
    }
}
