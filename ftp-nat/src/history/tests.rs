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

/// Which sessions are kept, by sorting all of them each time.
#[derive(Default)]
struct Reference {
    /// Name, whether it is open, when it was heard of, entries.
    sessions: Vec<(u64, bool, u64, usize)>,
    turn: u64,
}

impl Reference {
    fn note(&mut self, limits: &Limits, entry: &Entry) {
        let id = entry.session.map_or(0, |id| id.0);
        self.turn += 1;
        let begins = matches!(entry.what, Happening::SessionLearned { .. });
        let ends = matches!(entry.what, Happening::SessionEnded { .. });
        match self.sessions.iter_mut().find(|s| s.0 == id) {
            Some(s) => {
                let entries = (s.3 + 1).min(limits.entries);
                *s = (id, s.1 && !ends, self.turn, entries);
            }
            None if begins => self.sessions.push((id, true, self.turn, 1)),
            None => {}
        }
        self.sessions.sort_by_key(|s| (s.1, s.2));
        let all = |s: &[(u64, bool, u64, usize)]| s.iter().map(|s| s.3).sum::<usize>();
        while self.sessions.len() > limits.sessions || all(&self.sessions) > limits.all_entries {
            self.sessions.remove(0);
        }
    }
}

proptest::proptest! {
    #[test]
    fn who_gives_way_is_as_if_all_were_sorted(what in proptest::collection::vec((1_u64..7, 0_u8..9), 0..300)) {
        let mut history = small();
        let mut reference = Reference::default();
        for (n, (id, what)) in what.into_iter().enumerate() {
            let entry = match what {
                0..3 => learned(id, n as i64),
                3 => ended(id, n as i64),
                _ => said(id, n as i64),
            };
            reference.note(&history.limits, &entry);
            history.note(entry);
            let mut kept = reference.sessions.clone();
            kept.sort_by_key(|s| s.2);
            let kept: Vec<_> = kept.iter().map(|s| s.0).collect();
            proptest::prop_assert_eq!(names(&history), kept);
            proptest::prop_assert_eq!(history.order.len(), history.sessions.len());
        }
    }
}
