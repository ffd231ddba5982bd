//! What is over is swept up by userspace. Where nobody does that, because it
//! died, a full table is swept here before anything new is refused.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_for_each_map_elem;
use ftp_nat_common::{
    addr::Tuple,
    counter::Counter,
    session::{CLIENT, EditsKey, PENDING_MAX, SERVER, Session},
    source::{SourceKey, what},
    translation::{Expectation, ExpectationKey, Flow},
};

use crate::{
    data::{flow_is_over, forget_flow},
    event, learn,
    maps::{
        EDITS, ENCRYPTED, EXPECTATIONS, FLOWS, HALVES, SESSIONS, SETTINGS, Scratch, count, scratch,
    },
    sources,
};

/// A table is swept by a CPU no more often than this: it takes milliseconds.
const PAUSE_NS: u64 = 1_000_000_000;

/// A way through a table.
#[repr(C)]
pub struct Walk {
    /// The host whose entries are counted.
    pub key: SourceKey,
    /// How many there were.
    found: i32,
    /// Of `FLOWS`: how many were removed.
    removed: u32,
    /// When this CPU last went through `FLOWS`, `SESSIONS` and `EXPECTATIONS`.
    last_ns: [u64; 3],
}

const OF_FLOWS: usize = 0;
const OF_SESSIONS: usize = 1;
const OF_EXPECTATIONS: usize = 2;

/// The table was gone through a moment ago.
const NOT_DUE: i32 = -1;

/// Whether this CPU may go through the table now.
#[inline(always)]
fn is_due(walk: &mut Walk, table: usize) -> bool {
    let now = learn::now();
    if now.wrapping_sub(walk.last_ns[table]) < PAUSE_NS {
        return false;
    }
    walk.last_ns[table] = now;
    walk.found = 0;
    walk.removed = 0;
    true
}

/// Removes flows that are over, and those that give way; gives how many.
#[inline(never)]
pub fn flows() -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    if encrypted(scratch) == NOT_DUE {
        return 0;
    }
    // SAFETY: this CPU's own memory. The number is in a map, or the verifier would
    // follow each value.
    unsafe { (&raw const (*scratch).walk.removed).read_volatile() }
}

/// The same; gives how many of `walk.key`'s data connections to declared ports
/// are left, or [`NOT_DUE`].
#[inline(never)]
pub fn encrypted(scratch: *mut Scratch) -> i32 {
    // SAFETY: this CPU's own memory; the callback takes what the helper gives for
    // this map.
    unsafe {
        let walk = &raw mut (*scratch).walk;
        if !is_due(&mut *walk, OF_FLOWS) {
            return NOT_DUE;
        }
        bpf_for_each_map_elem(
            (&raw const FLOWS).cast_mut().cast(),
            flow as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
        (&raw const (*walk).found).read_volatile()
    }
}

extern "C" fn flow(_map: *mut c_void, key: *mut c_void, value: *mut c_void, _: *mut c_void) -> i64 {
    // SAFETY: key and value of the map, valid during the callback.
    let (key, flow) = unsafe { (&*key.cast::<Tuple>(), &*value.cast::<Flow>()) };
    let now = learn::now();
    if flow.gives_way(now) && flow_is_over(flow, now) {
        forget_flow(key, flow);
        if let Some(scratch) = scratch() {
            // SAFETY: this CPU's own memory.
            unsafe { (*scratch).walk.removed += 1 };
        }
    } else if let Some(client) = flow.encrypted_client(key) {
        note(&client.addr, client.domain);
    }
    0
}

/// Removes sessions that are over, with all that belongs to them. Gives how
/// many of `walk.key` there are, or [`NOT_DUE`].
#[inline(never)]
pub fn sessions(scratch: *mut Scratch) -> i32 {
    // SAFETY: this CPU's own memory.
    let walk = unsafe { &raw mut (*scratch).walk };
    // SAFETY: as above; the callback takes what the helper gives for this map.
    unsafe {
        if !is_due(&mut *walk, OF_SESSIONS) {
            return NOT_DUE;
        }
        bpf_for_each_map_elem(
            (&raw const SESSIONS).cast_mut().cast(),
            session as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
        (&raw const (*walk).found).read_volatile()
    }
}

extern "C" fn session(
    _map: *mut c_void,
    _key: *mut c_void,
    value: *mut c_void,
    _: *mut c_void,
) -> i64 {
    // SAFETY: a value of the map, valid during the callback.
    let session = unsafe { &*value.cast::<Session>() };
    if session.expired(learn::now()) {
        forget(session);
    } else {
        note(&session.real[CLIENT], session.domain[CLIENT]);
    }
    0
}

/// Removes expectations that are over. Gives how many of `walk.key` there are,
/// or [`NOT_DUE`].
#[inline(never)]
pub fn expectations(scratch: *mut Scratch) -> i32 {
    // SAFETY: this CPU's own memory.
    let walk = unsafe { &raw mut (*scratch).walk };
    // SAFETY: as above; the callback takes what the helper gives for this map.
    unsafe {
        if !is_due(&mut *walk, OF_EXPECTATIONS) {
            return NOT_DUE;
        }
        bpf_for_each_map_elem(
            (&raw const EXPECTATIONS).cast_mut().cast(),
            expectation as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
        (&raw const (*walk).found).read_volatile()
    }
}

extern "C" fn expectation(
    _map: *mut c_void,
    key: *mut c_void,
    value: *mut c_void,
    _: *mut c_void,
) -> i64 {
    // SAFETY: key and value of the map, valid during the callback.
    let (key, expected) = unsafe {
        (
            &*key.cast::<ExpectationKey>(),
            &*value.cast::<Expectation>(),
        )
    };
    let timeout = match SETTINGS.get(0) {
        Some(settings) => settings.expect_timeout_ns,
        None => 0,
    };
    let now = learn::now();
    if now > expected.made_ns && now - expected.made_ns > timeout {
        let near = expected.source();
        if EXPECTATIONS.remove(key).is_ok() {
            sources::give(&near, what::EXPECTATIONS);
        }
    } else {
        note(&expected.near, expected.near_domain);
    }
    0
}

/// Counts an entry of a host's, if that is the one that is counted.
#[inline(never)]
fn note(addr: &ftp_nat_common::addr::Addr, domain: u32) {
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory.
    let walk = unsafe { &mut (*scratch).walk };
    if walk.key.addr == *addr && walk.key.domain == domain {
        walk.found += 1;
    }
}

/// Removes a session, whose connection a new one takes the place of.
#[inline(never)]
pub fn close(id: u64) {
    if let Some(session) = SESSIONS.get_ptr(id) {
        event::ftp_nat_replaced(id as u32, (id >> 32) as u32);
        // SAFETY: a live map value.
        forget(unsafe { &*session });
    }
}

/// Removes a session and all that belongs to it. What is removed may be
/// another entry the next moment, so all that is needed of it is read before.
#[inline(always)]
fn forget(session: &Session) {
    let id = session.id;
    forget_half(session, CLIENT);
    forget_half(session, SERVER);
    forget_encrypted(session);
    let mut n = 0;
    while n < PENDING_MAX {
        let key = session.expectation(n);
        if key.port.0 != 0 {
            withdraw(&key, id);
        }
        n += 1;
    }
    let client = SourceKey {
        addr: session.real[CLIENT],
        domain: session.domain[CLIENT],
    };
    // Of several CPUs, the one that removes it counts it.
    if SESSIONS.remove(id).is_ok() {
        sources::give(&client, what::SESSIONS);
    }
}

/// Withdraws an expectation, if it is still the session's.
#[inline(always)]
fn withdraw(key: &ExpectationKey, session: u64) {
    let Some(found) = EXPECTATIONS.get_ptr(key) else {
        return;
    };
    // SAFETY: a live map value, read before it is removed.
    let (owner, near) = unsafe { ((*found).session, (*found).source()) };
    if owner == session && EXPECTATIONS.remove(key).is_ok() {
        sources::give(&near, what::EXPECTATIONS);
        count(Counter::ExpectationsWithdrawn);
    }
}

#[inline(never)]
fn forget_encrypted(session: &Session) {
    if session.encrypted_slot == 0 {
        return;
    }
    let key = session.encrypted_key(u32::from(session.encrypted_slot));
    // SAFETY: read at once.
    if unsafe { ENCRYPTED.get(&key) }.copied() == Some(session.id) {
        let _ = ENCRYPTED.remove(&key);
    }
}

#[inline(never)]
fn forget_half(session: &Session, role: usize) {
    let id = session.id;
    let _ = EDITS.remove(EditsKey {
        session: id,
        role: role as u32,
        _pad: 0,
    });
    let key = session.half_key(role);
    // SAFETY: read at once.
    let own = match unsafe { HALVES.get(&key) } {
        Some(half) => half.session() == id,
        None => false,
    };
    if own {
        let _ = HALVES.remove(&key);
    }
}
