//! Which counter is which metric.
//!
//! Counters that are reasons for the same thing are one metric with a label, so
//! that a query needs no list of reasons.

use ftp_nat_common::counter::Counter;

/// What all names begin with.
pub const PREFIX: &str = "ftp_nat";

/// The metric of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name, without [`PREFIX`] and without `_total`.
    pub metric: &'static str,
    /// The label and its value, of a metric that has one.
    pub label: Option<(&'static str, &'static str)>,
}

/// A metric of several counters.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name, as in [`Place::metric`].
    pub metric: &'static str,
    /// What is counted.
    pub help: &'static str,
    label: &'static str,
    /// What the counters' names begin with.
    counters: &'static str,
    /// Counters that begin so and count something else.
    except: &'static [Counter],
}

/// All of them.
pub const FAMILIES: [Family; 5] = [
    Family {
        metric: "announcements_refused",
        help: "Announcements that opened nothing, and passed as they were",
        label: "reason",
        counters: "refused_",
        except: &[Counter::RefusedDataSource],
    },
    Family {
        metric: "announcements_passed",
        help: "Announcements that could not be read or edited, and passed as they were",
        label: "reason",
        counters: "passed_",
        except: &[],
    },
    Family {
        metric: "control_segments_dropped",
        help: "Segments of control connections that were dropped, for TCP to send again",
        label: "reason",
        counters: "dropped_",
        except: &[],
    },
    Family {
        metric: "expectations_ended",
        help: "Announced data connections by what became of them",
        label: "outcome",
        counters: "expectations_",
        except: &[Counter::ExpectationsMade],
    },
    Family {
        metric: "data_packets_dropped",
        help: "Packets of data connections that were not forwarded",
        label: "reason",
        counters: "data_",
        except: &[Counter::DataPackets],
    },
];

impl Family {
    /// The counters of it.
    pub fn counters(&self) -> impl Iterator<Item = Counter> {
        let all = Counter::ALL.iter().copied();
        all.filter(|counter| {
            counter.name().starts_with(self.counters) && !self.except.contains(counter)
        })
    }

    /// The label of one of its counters.
    #[must_use]
    pub fn label(&self, counter: Counter) -> (&'static str, &'static str) {
        let value = counter.name().strip_prefix(self.counters);
        (self.label, value.unwrap_or(counter.name()))
    }
}

/// The metric of a counter.
#[must_use]
pub fn place(counter: Counter) -> Place {
    let family = FAMILIES.iter().find(|f| f.counters().any(|c| c == counter));
    match family {
        Some(family) => Place {
            metric: family.metric,
            label: Some(family.label(counter)),
        },
        None => Place {
            metric: counter.name(),
            label: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_counter_has_a_place_of_its_own() {
        let mut seen = HashSet::new();
        for counter in Counter::ALL {
            let Place { metric, label } = place(*counter);
            assert!(
                seen.insert((metric, label)),
                "{metric} {label:?} is there twice"
            );
        }
        let alone: HashSet<_> = seen.iter().filter(|(_, label)| label.is_none()).collect();
        for family in FAMILIES {
            assert!(family.counters().count() > 1, "{}", family.metric);
            assert!(!alone.contains(&(family.metric, None)), "{}", family.metric);
        }
    }

    #[test]
    fn reasons_are_labels() {
        let refused = place(Counter::RefusedPort);
        assert_eq!(refused.metric, "announcements_refused");
        assert_eq!(refused.label, Some(("reason", "port")));
        assert_eq!(place(Counter::RefusedDataSource).label, None);
        let used = place(Counter::ExpectationsUsed);
        assert_eq!(used.label, Some(("outcome", "used")));
        assert_eq!(place(Counter::DataPackets).metric, "data_packets");
    }
}
