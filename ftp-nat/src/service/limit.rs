//! A limit for messages that repeat: a warning for each packet of an attack
//! would bury all others, and fill the disk.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use log::{Level, Record};

/// So many messages of a kind are let by within a [`WINDOW`].
const BURST: u32 = 20;
/// How long a message of a kind counts.
pub const WINDOW: Duration = Duration::from_secs(30);
/// Kinds that are remembered; programs have far fewer.
const KINDS: usize = 1024;

/// What was let by of each kind.
#[derive(Debug, Default)]
pub struct Limiter {
    kinds: HashMap<u64, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Duration,
    said: u32,
    left_out: u64,
}

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is said, and before it that so many of its kind were left out.
    Say(u64),
    /// It is left out.
    LeaveOut,
}

impl Limiter {
    /// Judges a message of a kind at a time; times only grow.
    pub fn judge(&mut self, kind: u64, now: Duration) -> Verdict {
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            self.kinds.retain(|_, window| now < window.since + WINDOW);
            // More kinds than can be remembered are said rather than lost.
            if self.kinds.len() >= KINDS {
                return Verdict::Say(0);
            }
        }
        let new = Window {
            since: now,
            said: 0,
            left_out: 0,
        };
        let window = self.kinds.entry(kind).or_insert(new);
        let left_out = window.left_out;
        if now >= window.since + WINDOW {
            *window = new;
        }
        if window.said == BURST {
            window.left_out += 1;
            return Verdict::LeaveOut;
        }
        window.said += 1;
        // Only a new window finds any.
        Verdict::Say(if window.said == 1 { left_out } else { 0 })
    }
}

/// The kind of a message: the place in the program that says it.
#[must_use]
pub fn kind(record: &Record<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (record.target(), record.file(), record.line()).hash(&mut hasher);
    // One place of the kernel side's may say several things: its messages come
    // without a line where they were built so.
    if record.line().is_none() {
        record.args().to_string().hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether messages of a level can be left out: who asks for details wants all.
#[must_use]
pub fn is_limited(level: Level) -> bool {
    level <= Level::Warn
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut limiter = Limiter::default();
        let verdicts: Vec<_> = (0..100).map(|_| limiter.judge(1, at(5))).collect();
        assert_eq!(verdicts[..20], [Verdict::Say(0); 20]);
        assert_eq!(verdicts[20..], [Verdict::LeaveOut; 80]);
        assert_eq!(limiter.judge(1, at(34)), Verdict::LeaveOut);
        assert_eq!(limiter.judge(1, at(35)), Verdict::Say(81));
        assert_eq!(limiter.judge(1, at(35)), Verdict::Say(0), "it was told");
    }

    #[test]
    fn other_kinds_are_said_meanwhile() {
        let mut limiter = Limiter::default();
        let flood = (0..100).map(|_| limiter.judge(1, at(5)));
        assert_eq!(flood.last(), Some(Verdict::LeaveOut));
        assert_eq!(limiter.judge(2, at(5)), Verdict::Say(0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = Limiter::default();
        for kind in 0..5000 {
            assert_eq!(limiter.judge(kind, at(1)), Verdict::Say(0));
        }
        assert_eq!(limiter.kinds.len(), KINDS);
        assert_eq!(limiter.judge(9999, at(100)), Verdict::Say(0));
        assert_eq!(limiter.kinds.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn the_place_makes_the_kind() {
        let record = |line: Option<u32>, text: &str| {
            let mut builder = Record::builder();
            kind(&builder.line(line).args(format_args!("{text}")).build())
        };
        assert_eq!(record(Some(1), "a"), record(Some(1), "b"));
        assert_ne!(record(Some(1), "a"), record(Some(2), "a"));
        assert_ne!(record(None, "a"), record(None, "b"));
    }
}
