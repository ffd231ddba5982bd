//! Removing an entry with all that belongs to it, if it is still what it was.

use ftp_nat_common::{
    addr::Tuple,
    session::{CLIENT, EditsKey, HalfRef, PENDING_MAX, SERVER, Session},
    translation::{Expectation, ExpectationKey, Flow},
};

use crate::{error::Result, maps::Maps};

/// Removes a session and all that refers to it.
pub(super) fn remove_session(maps: &Maps, id: u64, now_ns: u64) -> Result<bool> {
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
    let is_ours = |half: &HalfRef| half.session() == id;
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

pub(super) fn remove_expectation(
    maps: &Maps,
    key: &ExpectationKey,
    seen: &Expectation,
) -> Result<bool> {
    match maps.expectations.take(key)? {
        Some(taken) if taken == *seen => Ok(true),
        Some(taken) => maps.expectations.insert(key, &taken).map(|_| false),
        None => Ok(false),
    }
}

/// Removes a connection if both of its flows have expired. Gives those that were
/// there.
pub(super) fn remove_connection(
    maps: &Maps,
    keys: [Tuple; 2],
    now_ns: u64,
) -> Result<[Option<Flow>; 2]> {
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
