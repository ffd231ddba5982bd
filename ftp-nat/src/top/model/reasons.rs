//! Why things were refused, and how often lately.

use std::collections::VecDeque;

use ftp_nat_common::counter::Counter;

use crate::view::stats::Stats;

/// What counts as lately, in ns.
const LATELY_NS: u64 = 60_000_000_000;

/// The counters that say that something was not helped, or lost.
const REASONS: &[Counter] = &[
    Counter::SessionsTableFull,
    Counter::SessionsSourceCap,
    Counter::PairingCollisions,
    Counter::PairingMismatches,
    Counter::WrongSide,
    Counter::NotFtp,
    Counter::Signed,
    Counter::RefusedForeignAddress,
    Counter::RefusedPort,
    Counter::RefusedUntrusted,
    Counter::RefusedUnsolicited,
    Counter::RefusedDraining,
    Counter::RefusedTableFull,
    Counter::RefusedSourceCap,
    Counter::RefusedNoPort,
    Counter::PassedUnparsed,
    Counter::PassedOtherFamily,
    Counter::PassedLongForm,
    Counter::PassedNoEditSlot,
    Counter::PassedFrozen,
    Counter::ExpectationsExpired,
    Counter::RefusedDataSource,
    Counter::FlowsTableFull,
    Counter::FlowsSourceCap,
    Counter::StackSynLost,
    Counter::DataNoRoute,
    Counter::StageMissing,
    Counter::EventsLost,
];

/// A reason that was met with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which.
    pub counter: Counter,
    /// How often since the programs were loaded.
    pub count: u64,
    /// How often within the last minute, as far as this was looking on.
    pub lately: u64,
}

/// All that were met with.
#[derive(Default)]
pub struct Reasons {
    met: Vec<Reason>,
    /// Readings of the last minute and the one before them.
    readings: VecDeque<(u64, Vec<u64>)>,
}

impl Reasons {
    /// The counters stood like this at that time.
    pub fn take(&mut self, at_ns: u64, stats: &Stats) {
        let value = |reason: &Counter| {
            let found = stats.counters.iter().find(|(counter, _)| counter == reason);
            found.map_or(0, |(_, value)| *value)
        };
        let values: Vec<u64> = REASONS.iter().map(value).collect();
        let is_less =
            |(_, before): &(u64, Vec<u64>)| before.iter().zip(&values).any(|(b, v)| b > v);
        if self.readings.back().is_some_and(is_less) {
            // They were loaded anew.
            self.readings.clear();
        }
        self.readings.push_back((at_ns, values.clone()));
        while self
            .readings
            .get(1)
            .is_some_and(|(then, _)| at_ns.saturating_sub(*then) >= LATELY_NS)
        {
            self.readings.pop_front();
        }
        let first = self.readings.front().map(|(_, values)| values.clone());
        let before = |n: usize| first.as_ref().and_then(|v| v.get(n)).copied().unwrap_or(0);
        self.met = REASONS
            .iter()
            .enumerate()
            .filter(|(n, _)| values[*n] > 0)
            .map(|(n, counter)| Reason {
                counter: *counter,
                count: values[n],
                lately: values[n] - before(n),
            })
            .collect();
    }

    /// Those that were met with.
    #[must_use]
    pub fn met(&self) -> &[Reason] {
        &self.met
    }

    /// Announcements that were refused or passed unread.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let is_one = |r: &&Reason| {
            r.counter.name().starts_with("refused_") || r.counter.name().starts_with("passed_")
        };
        self.met.iter().filter(is_one).map(|r| r.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::sample::stats;

    const SECOND: u64 = 1_000_000_000;

    fn count_of_port(reasons: &Reasons) -> Vec<(u64, u64)> {
        let of_port = |r: &&Reason| r.counter == Counter::RefusedPort;
        reasons
            .met()
            .iter()
            .filter(of_port)
            .map(|r| (r.count, r.lately))
            .collect()
    }

    #[test]
    fn what_counts_is_the_last_minute() {
        let mut reasons = Reasons::default();
        let mut take = |second: u64, count: u64| {
            reasons.take(second * SECOND, &stats(&[(Counter::RefusedPort, count)]));
            count_of_port(&reasons)
        };
        assert!(take(0, 0).is_empty(), "what never happened is no row");
        assert_eq!(take(10, 5), [(5, 5)]);
        assert_eq!(take(50, 7), [(7, 7)]);
        assert_eq!(take(80, 8), [(8, 3)], "since second 10");
        assert_eq!(take(1000, 8), [(8, 0)]);
        assert_eq!(take(1001, 2), [(2, 0)], "loaded anew");
    }

    #[test]
    fn every_refusal_has_a_row() {
        for counter in Counter::ALL {
            let name = counter.name();
            let is_one = ["refused_", "passed_"].iter().any(|p| name.starts_with(p))
                || name.ends_with("_full")
                || name.ends_with("_cap");
            assert!(!is_one || REASONS.contains(counter), "{name}");
        }
    }
}
