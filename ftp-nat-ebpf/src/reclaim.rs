//! What is over is swept up by userspace. Where nobody does that, because it
//! died, a full table is swept here before anything new is refused.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_for_each_map_elem;
use ftp_nat_common::{
    addr::Tuple,
    session::{CLIENT, EditsKey, SERVER, Session},
    translation::Flow,
};

use crate::{
    data::flow_is_over,
    learn,
    maps::{EDITS, FLOWS, HALVES, SESSIONS, scratch},
};

/// A table is swept by a CPU no more often than this: it takes milliseconds.
const PAUSE_NS: u64 = 1_000_000_000;

/// Whether this CPU may sweep now.
#[inline(always)]
fn is_due() -> bool {
    let Some(scratch) = scratch() else {
        return false;
    };
    let now = learn::now();
    // SAFETY: this CPU's own memory.
    let last = unsafe { &mut (*scratch).reclaimed_ns };
    if now.wrapping_sub(*last) < PAUSE_NS {
        return false;
    }
    *last = now;
    true
}

/// Removes flows that are over.
#[inline(never)]
pub fn flows() -> u32 {
    if !is_due() {
        return 0;
    }
    // SAFETY: the callback takes what the helper gives for this map.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const FLOWS).cast_mut().cast(),
            flow as *mut c_void,
            core::ptr::null_mut(),
            0,
        ) as u32
    }
}

extern "C" fn flow(_map: *mut c_void, key: *mut c_void, value: *mut c_void, _: *mut c_void) -> i64 {
    // SAFETY: key and value of the map, valid during the callback.
    let (key, flow) = unsafe { (&*key.cast::<Tuple>(), &*value.cast::<Flow>()) };
    let now = learn::now();
    if flow.expired(now) && flow_is_over(flow, now) {
        let _ = FLOWS.remove(key);
    }
    0
}

/// Removes sessions that are over, with all that belongs to them.
#[inline(never)]
pub fn sessions() -> u32 {
    if !is_due() {
        return 0;
    }
    // SAFETY: the callback takes what the helper gives for this map.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const SESSIONS).cast_mut().cast(),
            session as *mut c_void,
            core::ptr::null_mut(),
            0,
        ) as u32
    }
}

extern "C" fn session(
    _map: *mut c_void,
    key: *mut c_void,
    value: *mut c_void,
    _: *mut c_void,
) -> i64 {
    // SAFETY: key and value of the map, valid during the callback.
    let (key, session) = unsafe { (&*key.cast::<u64>(), &*value.cast::<Session>()) };
    if session.expired(learn::now()) {
        forget(session, CLIENT);
        forget(session, SERVER);
        let _ = SESSIONS.remove(key);
    }
    0
}

#[inline(never)]
fn forget(session: &Session, role: usize) {
    let _ = EDITS.remove(EditsKey {
        session: session.id,
        role: role as u32,
        _pad: 0,
    });
    let key = session.half_key(role);
    // SAFETY: read at once.
    let own = match unsafe { HALVES.get(key) } {
        Some(half) => half.session == session.id,
        None => false,
    };
    if own {
        let _ = HALVES.remove(key);
    }
}
