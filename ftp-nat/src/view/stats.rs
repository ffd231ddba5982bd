//! `stats`: counters and how full the tables are.

use ftp_nat_common::counter::Counter;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{Context, SCHEMA};
use crate::{
    drain,
    error::Result,
    maps::{AnyTable, Cursor, Maps, PAGE},
    ports,
};

/// The output of `stats`.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// `unload` drains the data path: nothing new is helped.
    pub draining: bool,
    /// Watched control ports.
    pub ports: Vec<u16>,
    /// Ports that only sessions from before, or servers behind DNAT, use.
    pub learned_ports: Vec<u16>,
    /// Every counter, by its stable name.
    #[serde(serialize_with = "as_map")]
    pub counters: Vec<(Counter, u64)>,
    /// How full the tables are.
    pub tables: Tables,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tables {
    /// Control connections.
    pub sessions: Fill,
    /// Pending data connections.
    pub expectations: Fill,
    /// Directions of data connections: two for each.
    pub flows: Fill,
    /// What egress makes of data connections that the stack forwards: two for each.
    pub stack_flows: Fill,
    /// Interfaces.
    pub interfaces: Fill,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fill {
    /// Entries in it, expired ones that were not swept yet included.
    pub entries: u64,
    /// Entries it has room for.
    pub max: u32,
}

fn as_map<S: Serializer>(
    counters: &[(Counter, u64)],
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(counters.len()))?;
    for (counter, value) in counters {
        map.serialize_entry(counter.name(), value)?;
    }
    map.end()
}

fn fill<K, V>(table: &AnyTable<K, V>, counted: Option<u64>) -> Result<Fill> {
    Ok(Fill {
        entries: counted.map_or_else(|| table.count(), Ok)?,
        max: table.max_entries(),
    })
}

/// How many entries the large tables have, where that is known: to count them is to
/// read them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Control connections.
    pub sessions: Option<u64>,
    /// Directions of data connections.
    pub flows: Option<u64>,
}

/// Reads them.
pub fn collect(maps: &Maps, context: &Context) -> Result<Stats> {
    collect_with(maps, context, Counted::default())
}

/// Reads what isn't known.
pub fn collect_with(maps: &Maps, context: &Context, counted: Counted) -> Result<Stats> {
    // Before the counters: what is used in between is then counted twice
    // rather than as expired.
    let pending = pending(maps, context)?;
    let mut counters = Vec::with_capacity(Counter::ALL.len());
    for counter in Counter::ALL {
        counters.push((*counter, maps.counters.get(*counter)?));
    }
    derive_expired(&mut counters, pending);
    Ok(Stats {
        schema: SCHEMA,
        draining: drain::is_on(maps)?,
        ports: ports::watched(maps)?.iter().collect(),
        learned_ports: ports::learned(maps)?.iter().collect(),
        counters,
        tables: Tables {
            sessions: fill(&maps.sessions, counted.sessions)?,
            expectations: fill(&maps.expectations, None)?,
            flows: fill(&maps.flows, counted.flows)?,
            stack_flows: fill(&maps.stack_flows, None)?,
            interfaces: fill(&maps.interfaces, None)?,
        },
    })
}

/// Expectations that still wait.
fn pending(maps: &Maps, context: &Context) -> Result<u64> {
    let timeout = maps
        .settings
        .get(&0)?
        .map_or(0, |settings| settings.expect_timeout_ns);
    let (mut cursor, mut pending) = (Cursor::Start, 0);
    while cursor != Cursor::End {
        let page = maps.expectations.page(&mut cursor, PAGE)?;
        let waits = |made_ns| context.now_ns.saturating_sub(made_ns) <= timeout;
        pending += page.iter().filter(|(_, e)| waits(e.made_ns)).count() as u64;
    }
    Ok(pending)
}

/// An expectation can run out unseen by any packet, and userspace can't add to
/// per-CPU counters. So its end is derived: what was made and neither used, nor
/// withdrawn, nor waits, has expired.
fn derive_expired(counters: &mut [(Counter, u64)], pending: u64) {
    let value = |wanted| {
        counters
            .iter()
            .find(|(c, _)| *c == wanted)
            .map_or(0, |(_, v)| *v)
    };
    let ended = value(Counter::ExpectationsUsed) + value(Counter::ExpectationsWithdrawn);
    let expired = value(Counter::ExpectationsMade).saturating_sub(ended + pending);
    for (counter, value) in counters {
        if *counter == Counter::ExpectationsExpired {
            *value = expired;
        }
    }
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::translation::{Expectation, ExpectationKey, SECOND};

    use super::*;

    #[test]
    fn expired_expectations_are_those_that_ended_in_no_other_way() {
        let maps = Maps::in_memory(&[
            (Counter::ExpectationsMade, 10),
            (Counter::ExpectationsUsed, 5),
            (Counter::ExpectationsWithdrawn, 1),
            (Counter::ExpectationsExpired, 1),
        ]);
        let context = Context {
            now_ns: 1000 * SECOND,
            interfaces: [].into(),
        };
        for (port, made_ns) in [(1, 999 * SECOND), (2, 900 * SECOND)] {
            let key = ExpectationKey {
                domain: port,
                ..ExpectationKey::default()
            };
            maps.expectations
                .set(
                    &key,
                    &Expectation {
                        made_ns,
                        ..Expectation::default()
                    },
                )
                .unwrap();
        }
        let stats = collect(&maps, &context).unwrap();
        let expired = stats
            .counters
            .iter()
            .find(|(c, _)| *c == Counter::ExpectationsExpired);
        assert_eq!(
            expired,
            Some(&(Counter::ExpectationsExpired, 3)),
            "10 - 5 - 1 - 1 that waits"
        );
        assert_eq!(stats.tables.expectations.entries, 2);
    }
}
