//! What is known, and what was chosen: all that a screen is made of.
//!
//! | module | holds |
//! |---|---|
//! | [`keys`] | what a key does |
//! | [`list`] | rows, of which one is chosen |
//! | [`filter`] | which rows are shown |
//! | [`order`] | in which order |
//! | [`sessions`], [`transfers`], [`reasons`] | what rows are of |
//! | [`rates`] | how fast data connections are |
//! | [`verdicts`] | what `run` says of sessions |
//! | [`ladder`] | the session that is looked at |

pub mod filter;
pub mod keys;
pub mod ladder;
pub mod list;
pub mod order;
pub mod rates;
pub mod reasons;
#[cfg(test)]
pub(crate) mod sample;
pub mod sessions;
#[cfg(test)]
mod tests;
pub mod transfers;
pub mod verdicts;

use std::{collections::HashMap, path::PathBuf, time::Duration};

use ftp_nat_common::counter::Counter;
use jiff::{Timestamp, tz::TimeZone};

use self::{
    filter::Filter, ladder::Ladder, list::List, order::By, rates::Rates, reasons::Reasons,
    verdicts::Verdicts,
};
use super::reading::{Ask, NotServed, Reading, Tables};
use crate::{events::SessionId, view::sessions::SessionView};

/// What is given from outside, once.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Which data path it is about.
    pub pin_path: PathBuf,
    /// The time between two readings.
    pub interval: Duration,
    /// With letters of ASCII alone.
    pub ascii: bool,
    /// With colours.
    pub color: bool,
    /// The time zone of what is shown.
    pub zone: TimeZone,
}

/// A list on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// Control connections.
    Sessions,
    /// Data connections.
    Transfers,
    /// What was refused, and why.
    Reasons,
}

impl Pane {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Sessions, Self::Transfers, Self::Reasons];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "Sessions",
            Self::Transfers => "Transfers",
            Self::Reasons => "Refusals",
        }
    }

    /// The orders that it can have.
    #[must_use]
    pub const fn orders(self) -> &'static [By] {
        match self {
            Self::Sessions => By::OF_SESSIONS,
            Self::Transfers => By::OF_TRANSFERS,
            Self::Reasons => By::OF_REASONS,
        }
    }
}

/// The model.
pub struct Model {
    /// What was given.
    pub setting: Setting,
    /// The time of what is shown.
    pub now: Option<Timestamp>,
    /// The last tables that could be read.
    pub tables: Option<Tables>,
    /// Why there are none now.
    pub no_tables: Option<String>,
    /// Why `run` doesn't answer.
    pub not_served: Option<NotServed>,
    /// When it last did.
    pub served_at: Option<Timestamp>,
    /// How long the last reading took.
    pub took: Duration,
    /// How fast data connections are.
    pub rates: Rates,
    /// What was refused.
    pub reasons: Reasons,
    /// What `run` says.
    pub verdicts: Verdicts,
    /// The rows of each list.
    pub sessions: List<SessionId>,
    /// See there.
    pub transfers: List<transfers::Key>,
    /// See there.
    pub refusals: List<Counter>,
    /// The list that keys are for.
    pub pane: Pane,
    /// The session that is looked at.
    pub ladder: Option<Ladder>,
    /// Help is shown.
    pub help: bool,
    /// Which rows are shown.
    pub filter: Filter,
    /// The filter is being typed; what it was before.
    pub typing: Option<Filter>,
    /// Nothing new is shown.
    pub paused: bool,
    /// Where each session is in the tables.
    places: HashMap<SessionId, usize>,
    at_ns: u64,
}

impl Model {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            now: None,
            tables: None,
            no_tables: None,
            not_served: None,
            served_at: None,
            took: Duration::ZERO,
            rates: Rates::default(),
            reasons: Reasons::default(),
            verdicts: Verdicts::default(),
            sessions: List::default(),
            transfers: List::default(),
            refusals: List::default(),
            pane: Pane::Sessions,
            ladder: None,
            help: false,
            filter: Filter::default(),
            typing: None,
            paused: false,
            places: HashMap::new(),
            at_ns: 0,
        }
    }

    /// Something was read.
    pub fn take(&mut self, reading: Reading) {
        let Reading {
            now,
            at_ns,
            took,
            tables,
            told,
        } = reading;
        match tables {
            // What was asked for before it was paused isn't shown any more.
            Some(Ok(tables)) if !self.paused => {
                self.took = took;
                self.at_ns = at_ns;
                self.now = Some(now);
                self.no_tables = None;
                self.take_tables(tables);
            }
            Some(Err(why)) if !self.paused => {
                self.now = Some(now);
                self.no_tables = Some(why);
                self.forget();
            }
            _ => {}
        }
        match told {
            Ok(told) => {
                self.not_served = None;
                self.served_at = Some(now);
                let places = &self.places;
                if let Some(tables) = &self.tables {
                    let session =
                        |id: SessionId| places.get(&id).and_then(|n| tables.sessions.get(*n));
                    self.verdicts
                        .take(at_ns, now, &told, session, &tables.around);
                    if let Some(ladder) = &mut self.ladder {
                        ladder.take(&told, now, &tables.around);
                    }
                }
            }
            Err(why) => self.not_served = Some(why),
        }
        self.arrange();
    }

    fn take_tables(&mut self, tables: Tables) {
        self.rates.take(self.at_ns, &tables.transfers);
        self.reasons.take(self.at_ns, &tables.stats);
        self.places = tables
            .sessions
            .iter()
            .enumerate()
            .map(|(n, session)| (session.id, n))
            .collect();
        self.verdicts.keep(&self.places);
        self.tables = Some(tables);
    }

    /// What was loaded is there no more.
    fn forget(&mut self) {
        self.tables = None;
        self.places.clear();
        self.rates = Rates::default();
        self.reasons = Reasons::default();
        self.verdicts = Verdicts::default();
    }

    /// Filters and orders all rows anew.
    fn arrange(&mut self) {
        let mut sieve = self.filter.sieve();
        let Some(tables) = &self.tables else {
            self.sessions.set(Vec::new());
            self.transfers.set(Vec::new());
            self.refusals.set(Vec::new());
            return;
        };
        let (all, verdicts) = (&tables.sessions, &self.verdicts);
        let mut rows: Vec<usize> = (0..all.len())
            .filter(|row| {
                let session = &all[*row];
                sieve.lets_by(|row| sessions::show(session, verdicts.of(session.id), row))
            })
            .collect();
        let list = &mut self.sessions;
        order::sessions(
            &mut rows,
            all,
            verdicts,
            By::OF_SESSIONS[list.by],
            list.reversed,
        );
        list.set(rows.into_iter().map(|n| (n, all[n].id)).collect());

        let all = &tables.transfers;
        let mut rows: Vec<usize> = (0..all.len())
            .filter(|row| sieve.lets_by(|shown| transfers::show(&all[*row], shown)))
            .collect();
        let list = &mut self.transfers;
        order::transfers(
            &mut rows,
            all,
            &self.rates,
            By::OF_TRANSFERS[list.by],
            list.reversed,
        );
        let key = |n| (n, transfers::Key::of(&all[n]));
        list.set(rows.into_iter().map(key).collect());

        let all = self.reasons.met();
        let mut rows: Vec<usize> = (0..all.len())
            .filter(|row| {
                let counter = all[*row].counter;
                sieve.lets_by(|row| {
                    row.add(counter.name());
                    row.add(counter.description());
                })
            })
            .collect();
        let list = &mut self.refusals;
        order::reasons(&mut rows, all, By::OF_REASONS[list.by], list.reversed);
        list.set(rows.into_iter().map(|n| (n, all[n].counter)).collect());
    }

    /// The sessions whose rows are seen.
    fn seen(&self) -> impl Iterator<Item = &SessionView> {
        let tables = self.tables.iter();
        tables.flat_map(|t| {
            self.sessions
                .seen_things()
                .iter()
                .filter_map(|n| t.sessions.get(*n))
        })
    }

    /// Whether which rows are seen depends on the verdicts of all.
    fn needs_all(&self) -> bool {
        By::OF_SESSIONS[self.sessions.by] == By::Verdict || !self.filter.is_empty()
    }

    /// What is to be read next; `due`: it is time to read the tables again.
    #[must_use]
    pub fn ask(&self, due: bool) -> Ask {
        let mut wanted = Vec::new();
        if !self.paused
            && let Some(tables) = &self.tables
        {
            wanted =
                self.verdicts
                    .wanted(self.seen(), &tables.sessions, self.needs_all(), self.at_ns);
        }
        if let Some(ladder) = &self.ladder
            && (!self.paused || !ladder.was_asked())
            && !wanted.contains(&ladder.session)
        {
            wanted.insert(0, ladder.session);
        }
        Ask {
            tables: due && !self.paused,
            sessions: wanted,
        }
    }

    /// Whether something is on the screen of which `run` wasn't asked yet.
    #[must_use]
    pub fn is_curious(&self, ask: &Ask) -> bool {
        if self.not_served.is_some() {
            return false;
        }
        let ladder_is_new = self
            .ladder
            .as_ref()
            .is_some_and(|ladder| !ladder.was_asked());
        ladder_is_new || (!self.paused && self.verdicts.is_new(&ask.sessions))
    }

    /// How long to wait for the next reading: where one takes long it is done less
    /// often, so that no more than a tenth of one CPU is used for it.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.setting.interval.max(self.took * 10)
    }
}

/// How the client asks for what is announced so.
fn mode_of(announcement: &'static str) -> &'static str {
    match announcement {
        "227" => "PASV",
        "229" => "EPSV",
        "encrypted" => "TLS",
        "default port" => "none",
        other => other,
    }
}

impl Model {
    /// A list shows so many rows.
    pub fn fit_pane(&mut self, pane: Pane, rows: usize) {
        match pane {
            Pane::Sessions => self.sessions.fit(rows),
            Pane::Transfers => self.transfers.fit(rows),
            Pane::Reasons => self.refusals.fit(rows),
        }
    }
}
