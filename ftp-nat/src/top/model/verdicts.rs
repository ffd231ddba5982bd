//! What `run` says of each session, in short, and of which it is to be asked.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::{
    events::SessionId,
    explain::{
        Explained, Surroundings, judge,
        verdict::{Level, Name},
    },
    top::reading::Told,
    view::sessions::{PerEnd, SessionView},
};

/// After so long it is asked again, though nothing was said in the session: that
/// nobody came is known by time alone. In ns.
const STALE_NS: u64 = 5_000_000_000;

/// Sessions that are asked for at once, so that an answer takes `run` no more than
/// a few ms.
const AT_ONCE: usize = 32;

/// The same where the verdicts of all are wanted. Of most of very many sessions
/// `run` knows nothing, and says so at once.
const AT_ONCE_OF_ALL: usize = 1_024;

/// With more sessions than this only those that are seen are asked for, unless the
/// verdicts of all are wanted.
const FEW: usize = 1_000;

/// A verdict in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// How bad it is.
    pub level: Level,
    /// What it says.
    pub says: String,
}

/// What changes when something happens in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint(u32, u32, u32, PerEnd<u32>, &'static str);

impl Fingerprint {
    const fn of(session: &SessionView) -> Self {
        Self(
            session.announcements,
            session.refusals,
            session.data_connections,
            session.control_bytes,
            session.state,
        )
    }
}

struct Known {
    /// As the session was when it was asked for.
    fingerprint: Fingerprint,
    at_ns: u64,
    /// None where `run` knows nothing of it.
    short: Option<Short>,
    /// Something is waited for, and that it didn't come is known by time alone.
    waits: bool,
}

/// The verdicts.
#[derive(Default)]
pub struct Verdicts {
    known: HashMap<SessionId, Known>,
}

impl Verdicts {
    /// The verdict on a session: none where it wasn't told yet.
    #[must_use]
    pub fn of(&self, id: SessionId) -> Option<&Short> {
        self.known.get(&id)?.short.as_ref()
    }

    /// Whether `run` was asked, and knows nothing.
    #[must_use]
    pub fn is_unknown(&self, id: SessionId) -> bool {
        self.known
            .get(&id)
            .is_some_and(|known| known.short.is_none())
    }

    /// These sessions are there; what is known of others goes.
    pub fn keep(&mut self, sessions: &HashMap<SessionId, usize>) {
        self.known.retain(|id, _| sessions.contains_key(id));
    }

    /// Which sessions to ask for: those that are seen first, and of them those of
    /// which nothing is known. `of_all`: what is seen depends on all verdicts.
    pub fn wanted<'a>(
        &self,
        seen: impl Iterator<Item = &'a SessionView>,
        all: &'a [SessionView],
        of_all: bool,
        now_ns: u64,
    ) -> Vec<SessionId> {
        let seen: Vec<_> = seen.collect();
        let rest = if of_all || all.len() <= FEW { all } else { &[] };
        let mut wanted: Vec<(u8, u64, SessionId)> = Vec::new();
        let mut had = HashSet::new();
        let ranked = seen.into_iter().map(|s| (0, s));
        for (rank, session) in ranked.chain(rest.iter().map(|s| (2, s))) {
            let id = session.id;
            if !had.insert(id) {
                continue;
            }
            match self.known.get(&id) {
                None => wanted.push((rank, 0, id)),
                Some(known) if known.fingerprint != Fingerprint::of(session) => {
                    wanted.push((rank + 1, known.at_ns, id));
                }
                Some(known)
                    if (rank == 0 || known.waits)
                        && now_ns.saturating_sub(known.at_ns) >= STALE_NS =>
                {
                    wanted.push((rank + 1, known.at_ns, id));
                }
                Some(_) => {}
            }
        }
        wanted.sort_unstable();
        wanted.truncate(if of_all { AT_ONCE_OF_ALL } else { AT_ONCE });
        wanted.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Whether nothing is known yet of one of these.
    pub fn is_new(&self, wanted: &[SessionId]) -> bool {
        wanted.iter().any(|id| !self.known.contains_key(id))
    }

    /// `run` answered.
    pub fn take<'a>(
        &mut self,
        at_ns: u64,
        now: Timestamp,
        told: &Told,
        session: impl Fn(SessionId) -> Option<&'a SessionView>,
        around: &Surroundings,
    ) {
        for id in &told.asked {
            let Some(session) = session(*id) else {
                continue;
            };
            let record = told.found.sessions.iter().find(|r| r.session == *id);
            let verdicts = record.map(|record| judge::session(record, now, around));
            let mut all = verdicts.iter().flatten();
            let waits = all.any(|verdict| verdict.name == Name::Waiting);
            let short = verdicts.as_deref().and_then(short);
            let known = Known {
                fingerprint: Fingerprint::of(session),
                at_ns,
                short,
                waits,
            };
            self.known.insert(*id, known);
        }
    }
}

/// The first verdict, which matters most.
fn short(verdicts: &[crate::explain::Verdict]) -> Option<Short> {
    let first = verdicts.first()?;
    let says = first.name.text().replace('_', " ");
    let says = match first.times {
        1 => says,
        times => format!("{says} x{times}"),
    };
    Some(Short {
        level: first.level,
        says,
    })
}

/// What is said of a session in full.
#[must_use]
pub fn explained(
    told: &Told,
    id: SessionId,
    now: Timestamp,
    around: &Surroundings,
) -> Option<Explained> {
    let record = told.found.sessions.iter().find(|r| r.session == id)?;
    Some(Explained {
        verdicts: judge::session(record, now, around),
        record: record.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::sample::{session, told};

    const SECOND: u64 = 1_000_000_000;

    fn numbers(ids: &[SessionId]) -> Vec<u64> {
        ids.iter().map(|id| id.0).collect()
    }

    #[test]
    fn those_that_are_seen_are_asked_for_first_and_not_again_without_need() {
        let mut verdicts = Verdicts::default();
        let mut all: Vec<_> = (1..=40).map(session).collect();
        let wanted = verdicts.wanted(all[38..].iter(), &all, false, 0);
        assert_eq!(wanted.len(), AT_ONCE);
        assert_eq!(numbers(&wanted[..3]), [39, 40, 1]);
        let now = Timestamp::UNIX_EPOCH;
        let of = |id: SessionId, all: &[SessionView]| all.iter().position(|s| s.id == id);
        let told = Told {
            asked: (1..=40).map(SessionId).collect(),
            ..told()
        };
        verdicts.take(
            SECOND,
            now,
            &told,
            |id| of(id, &all).map(|n| &all[n]),
            &Surroundings::default(),
        );
        let ask = |all: &[SessionView], second: u64| {
            numbers(&verdicts.wanted(all[..2].iter(), all, false, second * SECOND))
        };
        assert!(ask(&all, 2).is_empty());
        assert_eq!(
            ask(&all, 6),
            [1, 2],
            "the others can wait until they are seen"
        );
        all[29].announcements += 1;
        assert_eq!(ask(&all, 6), [1, 2, 30], "something happened there");
    }

    #[test]
    fn what_waits_is_asked_for_again_where_nobody_sees_it() {
        let mut verdicts = Verdicts::default();
        let all: Vec<_> = (1..=2).map(session).collect();
        let mut told = Told {
            asked: vec![SessionId(1), SessionId(2)],
            ..told()
        };
        let announced = |entry: &crate::events::Entry| {
            matches!(entry.what, crate::events::Happening::Announced { .. })
        };
        let record = &mut told.found.sessions[0];
        let at = record.entries.iter().position(announced).unwrap();
        record.entries.truncate(at + 1);
        let now = record.began;
        let of = |id: SessionId| all.iter().find(|s| s.id == id);
        verdicts.take(SECOND, now, &told, of, &Surroundings::default());
        assert_eq!(verdicts.of(SessionId(1)).unwrap().says, "waiting");
        let ask = |second| {
            let wanted = verdicts.wanted([].iter(), &all, true, second * SECOND);
            numbers(&wanted)
        };
        assert!(ask(2).is_empty());
        assert_eq!(ask(6), [1]);
    }

    #[test]
    fn of_many_only_those_that_are_seen_are_asked_for() {
        let verdicts = Verdicts::default();
        let all: Vec<_> = (1..=FEW as u64 + 1).map(session).collect();
        let wanted = verdicts.wanted(all[7..9].iter(), &all, false, 0);
        assert_eq!(numbers(&wanted), [8, 9]);
        let of_all = verdicts.wanted(all[7..9].iter(), &all, true, 0);
        assert_eq!(of_all.len(), all.len());
        assert_eq!(numbers(&of_all[..3]), [8, 9, 1]);
        assert!(verdicts.is_new(&wanted));
        assert!(!verdicts.is_new(&[]));
    }

    #[test]
    fn the_worst_is_said_in_short() {
        let mut verdicts = Verdicts::default();
        let all: Vec<_> = (1..=3).map(session).collect();
        let told = Told {
            asked: vec![SessionId(1), SessionId(2), SessionId(3)],
            ..told()
        };
        let now = told.found.sessions[0].began;
        let of = |id: SessionId| all.iter().find(|s| s.id == id);
        verdicts.take(0, now, &told, of, &Surroundings::default());
        let says = |id| {
            verdicts
                .of(SessionId(id))
                .map(|v| (v.level, v.says.as_str()))
        };
        assert_eq!(says(1), Some((Level::Ok, "works")));
        assert_eq!(says(2), Some((Level::Problem, "foreign address")));
        assert_eq!(says(3), None);
        assert!(verdicts.is_unknown(SessionId(3)));
        assert!(!verdicts.is_unknown(SessionId(4)), "it wasn't asked for");
    }
}
