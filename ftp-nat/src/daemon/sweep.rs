//! Removes what has expired. The kernel side treats expired entries as gone, so
//! this only makes room; it works in small steps and never stalls the process.
//!
//! The kernel side changes the maps meanwhile. So an entry is looked at again
//! at the moment it is removed, and put back if it turned out to be another
//! one, or alive.

use std::{collections::HashMap, mem};

use ftp_nat_common::{
    addr::Tuple,
    event::{End, Event, What},
    session::{CLIENT, EditsKey, HalfRef, PENDING_MAX, SERVER, SESSION_IDLE_NS, Session},
    source::{Source, SourceKey},
    translation::{Expectation, ExpectationKey, FLOW_FIN, FLOW_PEER_FIN, FLOW_RST, Flow, SECOND},
};

use super::{exits, sources};
use crate::{
    error::Result,
    maps::{Cursor, Maps},
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
    pub fn step(&mut self, maps: &Maps, now_ns: u64, max: usize) -> Result<Option<Swept>> {
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
                if flow.expired(now_ns) {
                    let peer = flow.to.reversed();
                    let removed = remove_connection(maps, [key, peer], now_ns)?;
                    self.swept.connections += usize::from(removed.iter().any(Option::is_some));
                    self.events.extend(went_idle(&key, &removed, now_ns));
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
                return Ok(Some(self.swept));
            }
        }
        Ok(None)
    }
}

/// Removes a session and all that refers to it.
fn remove_session(maps: &Maps, id: u64, now_ns: u64) -> Result<bool> {
    // It was read with a page of others; a segment may have come since.
    let Some(session) = maps.sessions.get(&id)?.filter(|s| s.expired(now_ns)) else {
        return Ok(false);
    };
    // References first: a half without a session would be found by packets.
    for role in [CLIENT, SERVER] {
        remove_half(maps, id, &session, role)?;
        let role = u32::try_from(role).unwrap_or_default();
        maps.edits.take(&EditsKey {
            session: id,
            role,
            _pad: 0,
        })?;
    }
    forget_encrypted(maps, id, &session)?;
    for n in 0..PENDING_MAX {
        withdraw(maps, id, &session.expectation(n))?;
    }
    Ok(maps.sessions.take(&id)?.is_some())
}

/// A session that is over takes its pinhole with it.
fn withdraw(maps: &Maps, id: u64, key: &ExpectationKey) -> Result<()> {
    match maps.expectations.get(key)? {
        Some(found) if key.port.0 != 0 && found.session == id => {
            remove_expectation(maps, key, &found).map(drop)
        }
        _ => Ok(()),
    }
}

/// The session isn't found by its ends any more.
fn forget_encrypted(maps: &Maps, id: u64, session: &Session) -> Result<()> {
    if session.encrypted_slot == 0 {
        return Ok(());
    }
    let key = session.encrypted_key(session.encrypted_slot.into());
    if maps.encrypted.get(&key)? == Some(id)
        && let Some(taken) = maps.encrypted.take(&key)?
        && taken != id
    {
        maps.encrypted.insert(&key, &taken)?;
    }
    Ok(())
}

fn remove_half(maps: &Maps, id: u64, session: &Session, role: usize) -> Result<()> {
    let key = session.half_key(role);
    let is_ours = |half: &HalfRef| half.session == id;
    if maps.halves.get(&key)?.filter(is_ours).is_none() {
        return Ok(());
    }
    // A new connection of the same addresses may have come in between.
    if let Some(taken) = maps.halves.take(&key)?
        && !is_ours(&taken)
    {
        maps.halves.insert(&key, &taken)?;
    }
    Ok(())
}

fn remove_expectation(maps: &Maps, key: &ExpectationKey, seen: &Expectation) -> Result<bool> {
    match maps.expectations.take(key)? {
        Some(taken) if taken == *seen => Ok(true),
        Some(taken) => maps.expectations.insert(key, &taken).map(|_| false),
        None => Ok(false),
    }
}

/// Removes a connection if both of its flows have expired. Gives those that were
/// there.
fn remove_connection(maps: &Maps, keys: [Tuple; 2], now_ns: u64) -> Result<[Option<Flow>; 2]> {
    for key in keys {
        if maps
            .flows
            .get(&key)?
            .is_some_and(|flow| !flow.expired(now_ns))
        {
            return Ok([None; 2]);
        }
    }
    let mut removed = [None; 2];
    for (key, removed) in keys.iter().zip(&mut removed) {
        match maps.flows.take(key)? {
            Some(flow) if flow.expired(now_ns) => *removed = Some(flow),
            Some(flow) => drop(maps.flows.insert(key, &flow)?),
            None => {}
        }
    }
    Ok(removed)
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
    const BOTH_FINS: u32 = FLOW_FIN | FLOW_PEER_FIN;
    let [Some(flow), peer] = removed else {
        return None;
    };
    if flow.flags & FLOW_RST != 0 || flow.flags & BOTH_FINS == BOTH_FINS {
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

#[cfg(test)]
pub(super) mod tests {
    use ftp_nat_common::{
        addr::{Addr, Port, Tuple},
        line::Requests,
        session::{SESSION_FIN, SESSION_FIN_SERVER, SESSION_TRUSTED},
        stream::Edits,
        translation::{FLOW_ESTABLISHED, Flow, SECOND},
    };

    use super::*;

    pub(crate) const NOW: u64 = 1_000_000 * SECOND;

    pub(crate) fn sweep(maps: &Maps) -> Swept {
        let mut sweep = Sweep::default();
        for _ in 0..1000 {
            // Pages of 2, so that walks go over many steps.
            if let Some(swept) = sweep.step(maps, NOW, 2).unwrap() {
                return swept;
            }
        }
        panic!("no end: {sweep:?}");
    }

    /// Session `id`, with halves and edits as the kernel side makes them.
    pub(crate) fn add_session(maps: &Maps, id: u64, idle_seconds: u64, flags: u32) -> Session {
        let session = Session {
            id,
            flags: SESSION_TRUSTED | flags,
            last_ns: NOW - idle_seconds * SECOND,
            real: [Addr::from_v4([10, 0, 0, 1]), Addr::from_v4([192, 0, 2, 1])],
            seen: [Addr::from_v4([192, 0, 2, 9]), Addr::from_v4([192, 0, 2, 1])],
            real_port: [Port::new(1000 + id as u16), Port::new(21)],
            seen_port: [Port::new(2000 + id as u16), Port::new(21)],
            ..Session::default()
        };
        maps.sessions.set(&id, &session).unwrap();
        for role in [CLIENT, SERVER] {
            let half = HalfRef {
                session: id,
                role: role as u32,
                _pad: 0,
            };
            maps.halves.set(&session.half_key(role), &half).unwrap();
            let key = EditsKey {
                session: id,
                role: role as u32,
                _pad: 0,
            };
            maps.edits.set(&key, &Edits::default()).unwrap();
        }
        session
    }

    #[test]
    fn a_session_goes_with_its_halves_and_edits() {
        let maps = Maps::in_memory(&[]);
        add_session(&maps, 1, 3600, 0);
        add_session(&maps, 2, 25 * 3600, 0);
        add_session(&maps, 3, 246, SESSION_FIN | SESSION_FIN_SERVER);
        assert_eq!(sweep(&maps).sessions, 2);
        assert!(
            maps.sessions.get(&1).unwrap().is_some(),
            "an hour's silence is no end"
        );
        let left = (maps.halves.count().unwrap(), maps.edits.count().unwrap());
        assert_eq!(left, (2, 2));
    }

    #[test]
    fn a_session_takes_its_expectation_with_it_and_no_other() {
        let maps = Maps::in_memory(&[]);
        for (id, owner) in [(1, 1), (2, 9)] {
            let mut session = add_session(&maps, id, 25 * 3600, 0);
            session.seen[CLIENT] = Addr::from_v4([192, 0, 2, 9]);
            let port = Port::new(5000 + id as u16);
            session.pending.add(CLIENT, port, &Requests::default());
            maps.sessions.set(&id, &session).unwrap();
            let expectation = Expectation {
                session: owner,
                made_ns: NOW,
                ..Expectation::default()
            };
            let key = session.expectation(0);
            maps.expectations.set(&key, &expectation).unwrap();
        }
        assert_eq!(sweep(&maps).sessions, 2);
        let left = maps.expectations.all().unwrap();
        let owners: Vec<_> = left.iter().map(|(_, e)| e.session).collect();
        assert_eq!(owners, [9], "the port has passed to another session");
    }

    #[test]
    fn the_halves_of_a_newer_session_on_the_same_addresses_stay() {
        let maps = Maps::in_memory(&[]);
        let old = add_session(&maps, 1, 25 * 3600, 0);
        let newer = HalfRef {
            session: 9,
            ..HalfRef::default()
        };
        maps.halves.set(&old.half_key(CLIENT), &newer).unwrap();
        assert_eq!(sweep(&maps).sessions, 1);
        assert_eq!(maps.halves.get(&old.half_key(CLIENT)).unwrap(), Some(newer));
        assert_eq!(maps.halves.get(&old.half_key(SERVER)).unwrap(), None);
    }

    #[test]
    fn an_encrypted_session_is_not_found_by_its_ends_any_more() {
        let maps = Maps::in_memory(&[]);
        for (id, owner) in [(1, 1), (2, 9)] {
            let mut session = add_session(&maps, id, 25 * 3600, 0);
            session.encrypted_slot = id as u16;
            maps.sessions.set(&id, &session).unwrap();
            let key = session.encrypted_key(id as u32);
            maps.encrypted.set(&key, &owner).unwrap();
        }
        assert_eq!(sweep(&maps).sessions, 2);
        let left = maps.encrypted.all().unwrap();
        let owners: Vec<_> = left.iter().map(|(_, id)| *id).collect();
        assert_eq!(owners, [9], "the slot has passed to another session");
    }

    #[test]
    fn an_expectation_goes_after_its_time() {
        let maps = Maps::in_memory(&[]);
        let key = |domain| ExpectationKey {
            domain,
            ..ExpectationKey::default()
        };
        for (n, age) in [(1, 59), (2, 61), (3, 3600)] {
            let made_ns = NOW - age * SECOND;
            maps.expectations
                .set(
                    &key(n),
                    &Expectation {
                        made_ns,
                        ..Default::default()
                    },
                )
                .unwrap();
        }
        assert_eq!(sweep(&maps).expectations, 2);
        assert!(maps.expectations.get(&key(1)).unwrap().is_some());
    }

    #[test]
    fn an_expectation_made_anew_meanwhile_stays() {
        let maps = Maps::in_memory(&[]);
        let key = ExpectationKey::default();
        let newer = Expectation {
            made_ns: NOW,
            ..Expectation::default()
        };
        maps.expectations.set(&key, &newer).unwrap();
        assert!(!remove_expectation(&maps, &key, &Expectation::default()).unwrap());
        assert_eq!(maps.expectations.get(&key).unwrap(), Some(newer));
    }

    #[test]
    fn both_flows_go_together_and_only_when_both_are_over() {
        let maps = Maps::in_memory(&[]);
        let add = |n: u16, idle_seconds: [u64; 2]| {
            let out = Tuple {
                sport: Port::new(n),
                dport: Port::new(1),
                ..Tuple::default()
            };
            let to = Tuple {
                sport: Port::new(n),
                dport: Port::new(2),
                ..Tuple::default()
            };
            let flow = |to, idle: u64| Flow {
                to,
                last_ns: NOW - idle * SECOND,
                flags: FLOW_ESTABLISHED,
                ..Flow::default()
            };
            maps.flows.set(&out, &flow(to, idle_seconds[0])).unwrap();
            maps.flows
                .set(&to.reversed(), &flow(out.reversed(), idle_seconds[1]))
                .unwrap();
        };
        let hours = 3600;
        add(10, [3 * hours, 3 * hours]);
        // An upload: one direction may be silent for long.
        add(11, [3 * hours, 1]);
        add(12, [1, 3 * hours]);
        assert_eq!(sweep(&maps).connections, 1);
        assert_eq!(maps.flows.count().unwrap(), 4);
    }

    #[test]
    fn a_flow_whose_other_half_is_missing_goes_too() {
        let maps = Maps::in_memory(&[]);
        let flow = Flow {
            last_ns: 1,
            ..Flow::default()
        };
        let key = Tuple {
            sport: Port::new(5),
            ..Tuple::default()
        };
        maps.flows.set(&key, &flow).unwrap();
        assert_eq!(sweep(&maps).connections, 1);
        assert_eq!(maps.flows.count().unwrap(), 0);
    }
}
