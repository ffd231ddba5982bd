//! Removes what has expired. The kernel side treats expired entries as gone, so
//! this only makes room; it works in small steps and never stalls the process.
//!
//! The kernel side changes the maps meanwhile. So an entry is looked at again
//! at the moment it is removed, and put back if it turned out to be another
//! one, or alive.

mod remove;
#[cfg(test)]
pub(super) mod tests;

use std::{collections::HashMap, mem};

use ftp_nat_common::{
    addr::Tuple,
    event::{End, Event, What},
    session::{CLIENT, SESSION_IDLE_NS},
    source::{Source, SourceKey},
    translation::{Expectation, ExpectationKey, Flow, SECOND},
};

use self::remove::{remove_connection, remove_expectation, remove_session};
use super::{exits, sources};
use crate::{
    error::Result,
    maps::{Cursor, Maps},
    traffic::Traffic,
};

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Control connections.
    pub sessions: usize,
    /// Expectations.
    pub expectations: usize,
    /// Data connections.
    pub connections: usize,
}

/// One walk through all tables.
#[derive(Debug, Default)]
pub struct Sweep {
    sessions: Cursor,
    expectations: Cursor,
    flows: Cursor,
    sources: Cursor,
    /// What each host has, counted on the way.
    counted: HashMap<SourceKey, Source>,
    exits: Cursor,
    swept: Swept,
    /// What nobody else tells.
    events: Vec<Event>,
}

impl Sweep {
    /// What was noticed since this was called last.
    pub fn events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// Looks at about `max` more entries. Gives the result when all were seen.
    pub fn step(
        &mut self,
        maps: &Maps,
        traffic: &mut Traffic,
        now_ns: u64,
        max: usize,
    ) -> Result<Option<Swept>> {
        if self.sessions != Cursor::End {
            for (id, session) in maps.sessions.page(&mut self.sessions, max)? {
                let over = session.expired(now_ns) && remove_session(maps, id, now_ns)?;
                self.swept.sessions += usize::from(over);
                // The kernel side told of other ends.
                if over && session.idle_limit_ns() == SESSION_IDLE_NS {
                    let mut event = Event::new(What::Ended, id, now_ns);
                    event.number = End::Idle as u16;
                    self.events.push(event);
                }
                if !over {
                    let client = SourceKey {
                        addr: session.real[CLIENT],
                        domain: session.domain[CLIENT],
                    };
                    self.counted.entry(client).or_default().sessions += 1;
                }
            }
        } else if self.expectations != Cursor::End {
            let timeout = maps
                .settings
                .get(&0)?
                .map_or(u64::MAX, |s| s.expect_timeout_ns);
            for (key, found) in maps.expectations.page(&mut self.expectations, max)? {
                let over = now_ns.saturating_sub(found.made_ns) > timeout
                    && remove_expectation(maps, &key, &found)?;
                self.swept.expectations += usize::from(over);
                if over {
                    self.events.push(expired(&key, &found, now_ns, timeout));
                } else {
                    self.counted.entry(found.source()).or_default().expectations += 1;
                }
            }
        } else if self.flows != Cursor::End {
            for (key, flow) in maps.flows.page(&mut self.flows, max)? {
                traffic.look(&key, &flow);
                if flow.expired(now_ns) {
                    let peer = flow.to.reversed();
                    let removed = remove_connection(maps, [key, peer], now_ns)?;
                    self.swept.connections += usize::from(removed.iter().any(Option::is_some));
                    self.events.extend(went_idle(&key, &removed, now_ns));
                } else if let Some(client) = flow.encrypted_client(&key) {
                    self.counted.entry(client).or_default().encrypted += 1;
                }
            }
        } else if self.exits != Cursor::End {
            // After the flows: what belonged to those that were just removed.
            for (exit, to) in maps.stack_flows.page(&mut self.exits, max)? {
                exits::sweep(maps, &exit, &to)?;
            }
        } else {
            for (key, found) in maps.sources.page(&mut self.sources, max)? {
                sources::correct(maps, &key, found, self.counted.remove(&key))?;
            }
            if self.sources == Cursor::End {
                for (key, counted) in self.counted.drain() {
                    maps.sources.set(&key, &counted)?;
                }
                traffic.end_of_walk();
                return Ok(Some(self.swept));
            }
        }
        Ok(None)
    }
}

/// Nobody came in time.
fn expired(key: &ExpectationKey, found: &Expectation, now_ns: u64, timeout_ns: u64) -> Event {
    let mut event = Event::new(What::Expired, found.session, now_ns);
    event.of_expectation(key, found);
    event.number = u16::try_from(timeout_ns / SECOND).unwrap_or(u16::MAX);
    event
}

/// A connection was silent for too long. One that ended otherwise was told by
/// the kernel side.
fn went_idle(key: &Tuple, removed: &[Option<Flow>; 2], now_ns: u64) -> Option<Event> {
    let [Some(flow), peer] = removed else {
        return None;
    };
    if flow.is_closed() {
        return None;
    }
    let mut event = Event::new(What::DataEnded, flow.session, now_ns);
    event.of_flow(
        key,
        flow,
        peer.map_or((0, 0), |peer| (peer.packets, peer.bytes)),
    );
    event.number = End::Idle as u16;
    Some(event)
}
