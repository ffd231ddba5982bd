//! How fast data connections are, from how many bytes they had at each reading.

use std::collections::{HashMap, VecDeque};

use super::transfers::{self, Key};
use crate::view::translations::Translation;

/// Readings that are kept for the curves.
pub const KEPT: usize = 120;

/// Bytes, or bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both {
    /// From the client to the server.
    pub up: u64,
    /// From the server to the client.
    pub down: u64,
}

impl Both {
    /// Of both directions.
    #[must_use]
    pub const fn sum(self) -> u64 {
        self.up.saturating_add(self.down)
    }
}

/// A curve, the latest value last.
pub type Curve = VecDeque<Both>;

struct Track {
    bytes: Both,
    curve: Curve,
}

/// The rates of all data connections.
#[derive(Default)]
pub struct Rates {
    tracks: HashMap<Key, Track>,
    all: Curve,
    /// When the last reading was, in ns.
    last_ns: Option<u64>,
}

impl Rates {
    /// The data connections had these bytes at that time.
    pub fn take(&mut self, at_ns: u64, transfers: &[Translation]) {
        let since_ns = self.last_ns.map(|last| at_ns.saturating_sub(last));
        self.last_ns = Some(at_ns);
        let mut before = std::mem::take(&mut self.tracks);
        let mut sum = Both::default();
        for transfer in transfers.iter().filter(|t| !transfers::is_pending(t)) {
            let key = Key::of(transfer);
            let bytes = transfers::bytes(transfer);
            let track = before
                .remove(&key)
                // Fewer bytes: another connection of the same ends.
                .filter(|t| t.bytes.up <= bytes.up && t.bytes.down <= bytes.down);
            let (had, mut curve) = match track {
                Some(track) => (Some(track.bytes), track.curve),
                // It came since the last reading, and so did its bytes.
                None if since_ns.is_some_and(|ns| transfer.age_ms <= ns / 1_000_000 + 1) => {
                    (Some(Both::default()), Curve::new())
                }
                // How long it took to get these isn't known.
                None => (None, Curve::new()),
            };
            let rate = match (had, since_ns) {
                (Some(had), Some(ns)) if ns > 0 => Both {
                    up: per_second(bytes.up - had.up, ns),
                    down: per_second(bytes.down - had.down, ns),
                },
                _ => Both::default(),
            };
            sum.up += rate.up;
            sum.down += rate.down;
            push(&mut curve, rate);
            self.tracks.insert(key, Track { bytes, curve });
        }
        push(&mut self.all, sum);
    }

    /// The curve of one.
    #[must_use]
    pub fn of(&self, key: &Key) -> Option<&Curve> {
        self.tracks.get(key).map(|track| &track.curve)
    }

    /// The latest rate of one.
    #[must_use]
    pub fn latest(&self, key: &Key) -> Option<Both> {
        self.of(key)?.back().copied()
    }

    /// The curve of all together.
    #[must_use]
    pub const fn all(&self) -> &Curve {
        &self.all
    }
}

fn push(curve: &mut Curve, rate: Both) {
    if curve.len() >= KEPT {
        curve.pop_front();
    }
    curve.push_back(rate);
}

fn per_second(bytes: u64, ns: u64) -> u64 {
    u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(ns)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::sample::transfer;

    const SECOND: u64 = 1_000_000_000;

    /// A client's PORT: what it gets comes from the peer.
    fn with(bytes_down: u64, age_ms: u64) -> Translation {
        Translation {
            bytes_to_announcer: bytes_down,
            bytes_from_announcer: 0,
            age_ms,
            ..transfer(1)
        }
    }

    fn latest(rates: &Rates) -> u64 {
        let rate = rates.latest(&Key::of(&transfer(1))).unwrap();
        assert_eq!(rate.up, 0);
        rate.down
    }

    #[test]
    fn a_rate_is_of_the_time_between_two_readings() {
        let mut rates = Rates::default();
        rates.take(10 * SECOND, &[with(5_000, 9_000)]);
        assert_eq!(latest(&rates), 0, "how long these took isn't known");
        rates.take(12 * SECOND, &[with(9_000, 11_000)]);
        assert_eq!(latest(&rates), 2_000);
        rates.take(12 * SECOND + SECOND / 2, &[with(10_000, 11_500)]);
        assert_eq!(latest(&rates), 2_000);
        assert_eq!(rates.all().back().unwrap().sum(), 2_000);
        rates.take(12 * SECOND + SECOND / 2, &[with(11_000, 11_500)]);
        assert_eq!(latest(&rates), 0, "no time went by");
    }

    #[test]
    fn one_that_has_just_come_has_all_its_bytes_since_the_last_reading() {
        let mut rates = Rates::default();
        rates.take(SECOND, &[]);
        rates.take(3 * SECOND, &[with(8_000, 500)]);
        assert_eq!(latest(&rates), 4_000);
    }

    #[test]
    fn another_one_of_the_same_ends_begins_anew() {
        let mut rates = Rates::default();
        rates.take(SECOND, &[with(8_000, 500)]);
        rates.take(2 * SECOND, &[with(1_000, 100)]);
        assert_eq!(latest(&rates), 1_000);
        assert_eq!(rates.of(&Key::of(&transfer(1))).unwrap().len(), 1);
    }

    #[test]
    fn curves_have_an_end_and_go_with_what_they_are_of() {
        let mut rates = Rates::default();
        for n in 0..KEPT as u64 + 9 {
            rates.take(n * SECOND, &[with(n * 7, n * 1000)]);
        }
        assert_eq!(rates.of(&Key::of(&transfer(1))).unwrap().len(), KEPT);
        assert_eq!(rates.all().len(), KEPT);
        rates.take(1000 * SECOND, &[]);
        assert!(rates.of(&Key::of(&transfer(1))).is_none());
        assert_eq!(rates.all().back(), Some(&Both::default()));
    }

    #[test]
    fn one_that_waits_has_no_rate() {
        let mut rates = Rates::default();
        let waits = Translation {
            state: "pending",
            path: None,
            ..with(0, 10)
        };
        rates.take(SECOND, &[waits]);
        assert!(rates.of(&Key::of(&transfer(1))).is_none());
    }
}
