//! The outstanding edits of a half, which only halves that need some have.

use ftp_nat_common::{
    session::{EditsKey, Session},
    stream::{
        self as ring, Edits, Half,
        ingress::{RUN_NO_EDITS, Run},
    },
};

use super::parse::{Progressing, Work};
use crate::{
    maps::{CREATE, EDITS, Scratch},
    memory,
    packet::bounded,
};

#[inline(always)]
fn key(session: &Session, role: usize) -> EditsKey {
    EditsKey {
        session: session.id,
        role: role as u32,
        _pad: 0,
    }
}

/// The outstanding edits of a half, if there are any.
#[inline(always)]
pub fn of(session: &Session, role: usize) -> Option<*mut Edits> {
    let half = &session.half[role & 1];
    if half.edits_len == 0 && half.held_len == 0 {
        return None;
    }
    EDITS.get_ptr_mut(key(session, role))
}

/// Frees the edits of a half that has none outstanding.
#[inline(always)]
pub fn release(session: &Session, role: usize) {
    let half = &session.half[role & 1];
    if half.edits_len == 0 && half.held_len == 0 && !session.line[role & 1].armed() {
        let _ = EDITS.remove(key(session, role));
    }
}

/// Copies those of a half's edits that are outstanding.
///
/// # Safety
/// Both are live, and nobody else works on them.
#[inline(never)]
unsafe fn copy(half: &Half, to: *mut Edits, from: *const Edits) {
    let mut n = 0;
    while n < ring::EDITS as u32 {
        if n >= u32::from(half.edits_len) {
            break;
        }
        let slot = bounded(half.slot(n) as u32, ring::EDITS as u32 - 1) as usize;
        // SAFETY: as the caller promises.
        unsafe { memory::copy(&raw mut (*to).slot[slot], &raw const (*from).slot[slot]) };
        n += 1;
    }
}

/// Copies the outstanding edits into scratch memory: to the verifier they are
/// then in one place, whether there were any or not.
#[inline(never)]
pub fn take(scratch: *mut Scratch, s: &Session, role: usize) {
    // SAFETY: this CPU's own memory.
    let (now, edits) = unsafe { (&mut (*scratch).progress, &raw mut (*scratch).edits) };
    now.role = role as u32;
    now.have_edits = 0;
    now.announcements = s.announcements;
    now.refusals = s.refusals;
    if let Some(found) = of(s, role) {
        // SAFETY: the edits belong to the locked session.
        unsafe { copy(&s.half[role & 1], edits, found) };
        now.have_edits = 1;
    }
}

/// Fetches or makes the edits of a half whose line can announce something.
#[inline(always)]
pub fn fetch(w: &mut Work, run: &mut Run, now: &mut Progressing) {
    // SAFETY: a locked session.
    let key = key(unsafe { &*w.session }, now.role as usize);
    // SAFETY: this CPU's own memory, all zero.
    let fresh = unsafe { &(*w.scratch).no_edits };
    // Fails where there are some already, or no more can be had.
    if EDITS.insert(key, fresh, CREATE).is_ok() || EDITS.get_ptr(key).is_some() {
        now.have_edits = 1;
    } else {
        run.flags |= RUN_NO_EDITS;
    }
}

/// Puts the edits back into their map, or takes them out of it where none is
/// outstanding any more.
#[inline(never)]
pub fn put_back(scratch: *mut Scratch, s: &Session) {
    // SAFETY: this CPU's own memory.
    let (now, edits) = unsafe { (&(*scratch).progress, &raw const (*scratch).edits) };
    if now.have_edits == 0 {
        return;
    }
    let role = now.role as usize & 1;
    let half = &s.half[role];
    if half.edits_len == 0 && half.held_len == 0 {
        let _ = EDITS.remove(key(s, role));
    } else if let Some(place) = EDITS.get_ptr_mut(key(s, role)) {
        // In place: replacing would ask for a new element, and might get none.
        // SAFETY: a live map value that belongs to the locked session.
        unsafe { copy(half, place, edits) };
    }
}
