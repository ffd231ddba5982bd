//! What one host has in the tables: counted, and kept below a limit.

use ftp_nat_common::source::{Source, SourceKey, what};

use crate::{
    maps::{CREATE, SETTINGS, SOURCES, Scratch},
    reclaim, sync,
};

/// One of the numbers of a host.
#[inline(always)]
fn number(key: &SourceKey, of: u32) -> Option<*mut i32> {
    let source = SOURCES.get_ptr_mut(key)?;
    // SAFETY: a live map value.
    unsafe {
        Some(match of {
            what::SESSIONS => &raw mut (*source).sessions,
            what::EXPECTATIONS => &raw mut (*source).expectations,
            _ => &raw mut (*source).encrypted,
        })
    }
}

/// How many a host may have.
#[inline(always)]
fn limit(of: u32) -> i32 {
    let limit = match SETTINGS.get(0) {
        Some(settings) if of == what::SESSIONS => settings.max_sessions_per_source,
        Some(settings) => settings.max_expectations_per_source,
        None => 0,
    };
    limit.min(i32::MAX as u32) as i32
}

/// Counts one more of a host's. Gives 0, and counts nothing, if it has as many
/// as it may have.
#[inline(never)]
pub fn take(key: &SourceKey, of: u32) -> u32 {
    let mut found = number(key, of);
    if found.is_none() {
        let _ = SOURCES.insert(key, Source::default(), CREATE);
        found = number(key, of);
    }
    let Some(n) = found else {
        // The table has room for more hosts than there can be in the others.
        // Where hosts that have gone still fill it, because userspace died, no
        // one is counted until some have been removed.
        return 1;
    };
    // SAFETY: a live map value.
    unsafe {
        if sync::add_i32(n, 1) < limit(of) {
            return 1;
        }
        sync::add_i32(n, -1);
    }
    0
}

/// Counts one less. Inlined: who calls it is deep in calls already.
#[inline(always)]
pub fn give(key: &SourceKey, of: u32) {
    if let Some(n) = number(key, of) {
        // SAFETY: a live map value.
        unsafe { sync::add_i32(n, -1) };
    }
}

/// Counts the host's of `walk.key` anew, if it has as many as it may have: some
/// of them may be over. This takes milliseconds, so it isn't done often.
#[inline(never)]
pub fn recount(scratch: *mut Scratch, of: u32) {
    // SAFETY: this CPU's own memory.
    let key = unsafe { &(*scratch).walk.key };
    let Some(n) = number(key, of) else { return };
    // SAFETY: a live map value.
    if unsafe { n.read_volatile() } < limit(of) {
        return;
    }
    let counted = match of {
        what::SESSIONS => reclaim::sessions(scratch),
        what::EXPECTATIONS => reclaim::expectations(scratch),
        _ => reclaim::encrypted(scratch),
    };
    if counted >= 0 {
        // SAFETY: a live map value.
        unsafe { n.write_volatile(counted) };
    }
}
