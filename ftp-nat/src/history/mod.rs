//! What happened lately, session by session. It is in the memory of `run`, and
//! bounded: what a session said most, and finished sessions first, give way.

mod record;

use std::collections::{BTreeSet, HashMap, VecDeque};

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

/// A session and its place in the order of giving way.
struct Kept {
    record: Record,
    rank: (bool, u64),
}

/// The history.
pub struct History {
    limits: Limits,
    sessions: HashMap<SessionId, Kept>,
    /// Whether it is still open, when it was last heard of, which: the first one
    /// gives way.
    order: BTreeSet<(bool, u64, SessionId)>,
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
            self.place(id, |_| Record::seeded(id, ends, began));
            self.make_room();
        }
    }

    /// Something happened.
    pub fn note(&mut self, entry: Entry) {
        if let Some(id) = entry.session
            && (self.knows(id) || matches!(entry.what, Happening::SessionLearned { .. }))
        {
            let most = self.limits.entries;
            self.place(id, |before| match before {
                Some(mut record) => {
                    record.add(entry.clone(), most);
                    record
                }
                None => Record::beginning(id, entry.clone()),
            });
            self.make_room();
        }
        if self.recent.len() >= self.limits.recent {
            self.recent.pop_front();
        }
        self.recent.push_back(entry.clone());
        // Nobody need be listening.
        let _ = self.followers.send(entry);
    }

    /// Puts a session into the place of what it was before.
    fn place(&mut self, id: SessionId, change: impl FnOnce(Option<Record>) -> Record) {
        let before = self.sessions.remove(&id);
        if let Some(kept) = &before {
            self.order.remove(&(kept.rank.0, kept.rank.1, id));
            self.entries -= kept.record.entries.len();
        }
        let record = change(before.map(|kept| kept.record));
        self.turn += 1;
        let rank = (record.ended.is_none(), self.turn);
        self.entries += record.entries.len();
        self.order.insert((rank.0, rank.1, id));
        self.sessions.insert(id, Kept { record, rank });
    }

    fn make_room(&mut self) {
        while self.sessions.len() > self.limits.sessions || self.entries > self.limits.all_entries {
            let Some((_, _, id)) = self.order.pop_first() else {
                return;
            };
            if let Some(kept) = self.sessions.remove(&id) {
                self.entries -= kept.record.entries.len();
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::events::words::{End, Reason, Request};
    use ftp_nat_common::counter::Counter;

    pub(crate) fn ends(client: &str) -> Ends {
        let client = client.parse().unwrap();
        let server = "61.144.1.100:21".parse().unwrap();
        Ends {
            client,
            client_seen: "61.144.1.2:40000".parse().unwrap(),
            server,
            server_seen: server,
        }
    }

    pub(crate) fn entry(session: u64, second: i64, what: Happening) -> Entry {
        Entry {
            at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            session: Some(session).filter(|session| *session != 0).map(SessionId),
            what,
        }
    }

    pub(crate) fn learned(session: u64, second: i64) -> Entry {
        let ends = ends(&format!("10.10.0.{session}:40000"));
        entry(
            session,
            second,
            Happening::SessionLearned {
                ends,
                midway: false,
            },
        )
    }

    fn said(session: u64, second: i64) -> Entry {
        let request = Request::Transfer;
        entry(session, second, Happening::Requested { request })
    }

    fn ended(session: u64, second: i64) -> Entry {
        entry(session, second, Happening::SessionEnded { how: End::Fin })
    }

    fn small() -> History {
        History::new(Limits {
            sessions: 3,
            entries: 20,
            all_entries: 40,
            recent: 5,
        })
    }

    fn names(history: &History) -> Vec<u64> {
        let found = history.find(&Which::Last { last: 99 });
        found.sessions.iter().map(|s| s.session.0).collect()
    }

    #[test]
    fn finished_sessions_give_way_before_open_ones() {
        let mut history = small();
        for id in [1, 2, 3] {
            history.note(learned(id, 0));
        }
        history.note(ended(2, 1));
        history.note(learned(4, 2));
        assert_eq!(names(&history), [1, 3, 4]);
        // None is finished: the one that was silent for longest.
        history.note(said(1, 3));
        history.note(learned(5, 4));
        assert_eq!(names(&history), [4, 1, 5]);
    }

    #[test]
    fn many_entries_make_sessions_give_way_too() {
        let mut history = small();
        for id in [1, 2, 3] {
            history.note(learned(id, 0));
            for second in 0..17 {
                history.note(said(id, second));
            }
        }
        assert_eq!(names(&history), [2, 3]);
        assert_eq!(history.entries, 36);
    }

    #[test]
    fn the_latest_entries_are_kept_whatever_they_are_of() {
        let mut history = small();
        for second in 0..9 {
            history.note(said(second as u64 + 100, second));
        }
        assert!(
            names(&history).is_empty(),
            "a session that nobody knows isn't made up"
        );
        let seconds: Vec<_> = history.recent().map(|e| e.at.as_second() % 100).collect();
        assert_eq!(seconds, [4, 5, 6, 7, 8]);
    }

    #[test]
    fn sessions_are_found_by_name_and_client() {
        let mut history = small();
        history.note(learned(1, 0));
        history.note(learned(2, 0));
        history.seed(SessionId(0xab << 56), ends("10.10.0.2:1"), Timestamp::now());
        let count = |which| history.find(&which).sessions.len();
        let name = |prefix: &str| Which::Name {
            prefix: prefix.to_owned(),
        };
        assert_eq!(count(name("AB")), 1);
        assert_eq!(count(name("0")), 2);
        let client = |address: &str, last| Which::Client {
            address: address.parse().unwrap(),
            last,
        };
        assert_eq!(count(client("10.10.0.2", 9)), 2);
        assert_eq!(count(client("10.10.0.2", 1)), 1);
        assert_eq!(count(client("61.144.1.2", 9)), 3, "as the server sees it");
        assert_eq!(count(client("10.10.0.9", 9)), 0);
        let named = |ids: &[u64]| Which::Names {
            sessions: ids.iter().copied().map(SessionId).collect(),
        };
        assert_eq!(
            count(named(&[2, 9, 1])),
            2,
            "and none for one that nobody knows"
        );
        assert_eq!(count(named(&[])), 0);
    }

    #[test]
    fn what_happened_outside_of_sessions_is_found_by_client() {
        let mut history = small();
        let refused = Happening::SessionNotFollowed {
            ends: ends("10.10.0.2:5"),
            reason: Reason(Counter::SessionsTableFull),
        };
        history.note(entry(9, 0, refused));
        let strays = |address: &str| {
            let address = address.parse().unwrap();
            history.find(&Which::Client { address, last: 1 }).strays
        };
        assert_eq!(strays("10.10.0.2").len(), 1);
        assert!(strays("10.10.0.3").is_empty());
    }

    #[test]
    fn a_seeded_session_goes_on() {
        let mut history = small();
        history.seed(SessionId(1), ends("10.10.0.1:1"), Timestamp::now());
        history.note(said(1, 0));
        let found = history.find(&Which::Last { last: 1 });
        assert!(!found.sessions[0].beginning_seen);
        assert_eq!(found.sessions[0].entries.len(), 1);
    }

    #[test]
    fn followers_are_told() {
        let mut history = small();
        let mut follower = history.follow();
        history.note(said(9, 0));
        assert_eq!(follower.try_recv().unwrap(), said(9, 0));
    }
}
