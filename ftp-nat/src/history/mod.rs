//! What happened lately, session by session. It is in the memory of `run`, and
//! bounded: what a session said most, and finished sessions first, give way.

mod record;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeSet, VecDeque, hash_map::Entry as MapEntry};

use foldhash::{HashMap, HashMapExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

pub use self::record::Record;
use crate::events::{Ends, Entry, Happening, SessionId};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions.
    pub sessions: usize,
    /// Entries of a session.
    pub entries: usize,
    /// Entries of all sessions.
    pub all_entries: usize,
    /// Entries of any kind, the latest ones.
    pub recent: usize,
}

impl Default for Limits {
    /// About 20 MB where all of it is used.
    fn default() -> Self {
        Self {
            sessions: 4_096,
            entries: 512,
            all_entries: 65_536,
            recent: 4_096,
        }
    }
}

/// Followers that are further behind than this lose entries.
const FOLLOWERS_BEHIND: usize = 2_048;

/// Which sessions are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Which {
    /// Those whose name begins so.
    Name {
        /// Hexadecimal digits.
        prefix: String,
    },
    /// Those of a client, by its own address or by the one that is seen of it.
    Client {
        /// Its address.
        address: std::net::IpAddr,
        /// So many, the latest ones.
        last: usize,
    },
    /// The latest ones.
    Last {
        /// So many.
        last: usize,
    },
    /// Just these.
    Names {
        /// Their names.
        sessions: Vec<SessionId>,
    },
}

/// What is known of what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Sessions, oldest first.
    pub sessions: Vec<Record>,
    /// What happened to the client outside of any session, oldest first.
    pub strays: Vec<Entry>,
}

/// Whether a session is still open, and when it was last heard of: the one with
/// the least gives way first.
type Rank = (bool, u64);

/// A session and its place in the order of giving way.
struct Kept {
    record: Record,
    rank: Rank,
    /// The rank that it has in [`History::order`], never more than its own.
    ordered: Rank,
}

/// The history.
pub struct History {
    limits: Limits,
    sessions: HashMap<SessionId, Kept>,
    /// All of them by rank. What is heard of one leaves it where it is, for most of
    /// them never come near to giving way: it gets its place when it comes first.
    order: BTreeSet<(Rank, SessionId)>,
    entries: usize,
    recent: VecDeque<Entry>,
    /// Counts what comes, as a clock.
    turn: u64,
    followers: broadcast::Sender<Entry>,
}

impl History {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            sessions: HashMap::new(),
            order: BTreeSet::new(),
            entries: 0,
            recent: VecDeque::new(),
            turn: 0,
            followers: broadcast::Sender::new(FOLLOWERS_BEHIND),
        }
    }

    /// Whether there is something of a session.
    #[must_use]
    pub fn knows(&self, id: SessionId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// A session whose beginning was not seen.
    pub fn seed(&mut self, id: SessionId, ends: Ends, began: Timestamp) {
        if !self.knows(id) {
            self.enter(id, Record::seeded(id, ends, began));
            self.make_room();
        }
    }

    /// Something happened.
    pub fn note(&mut self, entry: Entry) {
        if let Some(id) = entry.session {
            let most = self.limits.entries;
            if let Some(kept) = self.sessions.get_mut(&id) {
                let before = kept.record.entries.len();
                kept.record.add(entry.clone(), most);
                self.entries = self.entries - before + kept.record.entries.len();
                self.heard_of(id);
            } else if matches!(entry.what, Happening::SessionLearned { .. }) {
                self.enter(id, Record::beginning(id, entry.clone()));
            }
            self.make_room();
        }
        if self.recent.len() >= self.limits.recent {
            self.recent.pop_front();
        }
        self.recent.push_back(entry.clone());
        // Nobody need be listening.
        let _ = self.followers.send(entry);
    }

    /// Enters a session that isn't known.
    fn enter(&mut self, id: SessionId, record: Record) {
        self.turn += 1;
        let rank = (record.ended.is_none(), self.turn);
        self.entries += record.entries.len();
        self.order.insert((rank, id));
        let kept = Kept {
            record,
            rank,
            ordered: rank,
        };
        self.sessions.insert(id, kept);
    }

    /// A session is the one that was heard of last.
    fn heard_of(&mut self, id: SessionId) {
        self.turn += 1;
        let Some(kept) = self.sessions.get_mut(&id) else {
            return;
        };
        kept.rank = (kept.record.ended.is_none(), self.turn);
        // It has ended: its rank has become less.
        if kept.rank < kept.ordered {
            self.order.remove(&(kept.ordered, id));
            self.order.insert((kept.rank, id));
            kept.ordered = kept.rank;
        }
    }

    fn make_room(&mut self) {
        while self.sessions.len() > self.limits.sessions || self.entries > self.limits.all_entries {
            let Some((_, id)) = self.order.pop_first() else {
                return;
            };
            let MapEntry::Occupied(mut found) = self.sessions.entry(id) else {
                continue;
            };
            let kept = found.get_mut();
            if kept.ordered == kept.rank {
                self.entries -= kept.record.entries.len();
                found.remove();
            } else {
                kept.ordered = kept.rank;
                self.order.insert((kept.rank, id));
            }
        }
    }

    /// The latest entries, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &Entry> {
        self.recent.iter()
    }

    /// What will happen.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Entry> {
        self.followers.subscribe()
    }

    /// What is known of what is asked for.
    #[must_use]
    pub fn find(&self, which: &Which) -> Found {
        if let Which::Names { sessions } = which {
            let named = sessions.iter().filter_map(|id| self.sessions.get(id));
            return Found {
                sessions: named.map(|kept| kept.record.clone()).collect(),
                strays: Vec::new(),
            };
        }
        let mut sessions: Vec<_> = self
            .sessions
            .values()
            .filter(|kept| match which {
                Which::Name { prefix } => kept
                    .record
                    .session
                    .to_string()
                    .starts_with(&prefix.to_ascii_lowercase()),
                Which::Client { address, .. } => kept.record.is_of(*address),
                Which::Last { .. } | Which::Names { .. } => true,
            })
            .collect();
        // The one that was heard of last is the last one.
        sessions.sort_by_key(|kept| kept.rank.1);
        let most = match which {
            Which::Name { .. } | Which::Names { .. } => usize::MAX,
            Which::Client { last, .. } | Which::Last { last } => *last,
        };
        let from = sessions.len().saturating_sub(most);
        let strays = match which {
            Which::Client { address, .. } => self
                .recent
                .iter()
                .filter(|entry| is_stray_of(entry, *address))
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        Found {
            sessions: sessions[from..]
                .iter()
                .map(|kept| kept.record.clone())
                .collect(),
            strays,
        }
    }
}

/// Whether it happened to a client outside of any session.
fn is_stray_of(entry: &Entry, address: std::net::IpAddr) -> bool {
    match &entry.what {
        Happening::SessionNotFollowed { ends, .. } => {
            [ends.client.ip(), ends.client_seen.ip()].contains(&address)
        }
        _ => false,
    }
}
