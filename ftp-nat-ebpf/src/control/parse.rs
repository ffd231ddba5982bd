//! The engine's way over a payload: a `bpf_loop` over chunks, and in each one
//! over bytes.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{bpf_loop, bpf_skb_load_bytes},
};
use ftp_nat_common::{
    counter::Counter,
    session::Session,
    stream::{
        Edits,
        ingress::{
            Begun, Outcome, Progress, RUN_WOULD_HOLD, Segment, begin, finish, gather, may_gather,
            may_skim, skim, step,
        },
    },
    tcp::flag,
};

use super::{
    outstanding,
    plan::{PLAN_REBUILD, plan},
    surroundings::Surroundings,
};
use crate::{
    maps::{CHUNK, Scratch, count, scratch},
    memory,
    packet::{Packet, bounded, bounded_from_one},
};

/// What the callbacks of `bpf_loop` work on: the pointers, which can't be kept
/// in a map.
pub struct Work {
    pub skb: *mut __sk_buff,
    pub scratch: *mut Scratch,
    pub session: *mut Session,
}

/// What the callbacks know besides. It is kept in a map, so that the verifier
/// goes over them once and not once for every value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Progressing {
    /// The whole segment, where only the first of several merged ones is looked at.
    whole: Segment,
    /// The end the segment comes from.
    pub role: u32,
    /// Offset of the payload in the packet.
    payload: u32,
    /// Offset of the chunk in the payload.
    base: u32,
    pub have_edits: u32,
    /// The engine has seen all it was told to look at.
    done: u32,
    /// One of `LOOK_*`.
    look: u32,
    /// What the session had announced, and was refused, before the segment.
    pub announcements: u32,
    pub refusals: u32,
    /// Bytes of the first of several merged segments.
    first_len: u32,
    /// Notes that were made of it.
    notes: u32,
    /// Events that were counted of it.
    counted: u32,
}

impl Progressing {
    /// `edits`, if there are any. Else null, and that is what callers compare:
    /// the compiler would look at the number again, and not every verifier sees
    /// that pointer and number belong together (seen with Linux 6.1).
    #[inline(always)]
    pub fn edits<'a>(&self, edits: *mut Edits) -> Option<&'a mut Edits> {
        let some = if self.have_edits != 0 {
            edits
        } else {
            core::ptr::null_mut()
        };
        // SAFETY: this CPU's own memory, or null.
        unsafe { core::hint::black_box(some).as_mut() }
    }
}

/// The segment is looked at as a whole.
const LOOK_ALL: u32 = 0;
/// It is merged of several; the first of them is looked at.
const LOOK_FIRST: u32 = 1;
/// The first of them stays as it is; the others are looked at.
const LOOK_REST: u32 = 2;

/// Rounds of chunks in one packet: 64 KiB, and some for edits to be fetched.
const ROUNDS: u32 = 48;

/// Looks at the header. `false`: the plan is made already.
#[inline(never)]
pub fn start(scratch: *mut Scratch, session: *mut Session) -> bool {
    // SAFETY: this CPU's own memory and a locked session.
    let (run, segment, s, now, edits) = unsafe {
        (
            &mut (*scratch).run,
            &(*scratch).segment,
            &mut *session,
            &(*scratch).progress,
            &raw mut (*scratch).edits,
        )
    };
    let edits = now.edits(edits);
    match begin(run, s, now.role as usize, edits.as_deref(), segment) {
        Begun::Parse => true,
        Begun::Done(outcome) => {
            plan(scratch, outcome);
            false
        }
    }
}

/// Tells the callbacks what to look at.
#[inline(never)]
fn prepare(packet: Packet, scratch: *mut Scratch) {
    // SAFETY: this CPU's own memory.
    let (now, run, segment) = unsafe {
        (
            &mut (*scratch).progress,
            &mut (*scratch).run,
            &mut (*scratch).segment,
        )
    };
    now.whole = *segment;
    now.payload = packet.payload;
    now.done = 0;
    now.look = LOOK_ALL;
    let gso_size = packet.gso_size();
    if gso_size != 0 && segment.len > gso_size {
        // Several segments in one. They can't change their length together, so
        // the first one is edited alone if need be, and TCP sends the rest again.
        now.look = LOOK_FIRST;
        segment.len = gso_size;
        segment.flags &= !flag::FIN;
        run.first(gso_size);
        now.first_len = run.len;
    }
}

/// Runs the engine over the packet's payload; the plan is made by it.
#[inline(always)]
pub fn run(packet: Packet, scratch: *mut Scratch, session: *mut Session) {
    prepare(packet, scratch);
    let mut work = Work {
        skb: packet.skb,
        scratch,
        session,
    };
    let work: *mut Work = &raw mut work;
    // SAFETY: the callback gets the pointer given here.
    unsafe { bpf_loop(ROUNDS, round as *mut c_void, work.cast(), 0) };
}

/// One chunk. A `bpf_loop` callback: 1 ends the loop.
extern "C" fn round(_index: u32, work: *mut c_void) -> i64 {
    // SAFETY: the pointer that `run` gave.
    let w = unsafe { &mut *work.cast::<Work>() };
    // SAFETY: this CPU's own memory.
    let (run, now) = unsafe { (&mut (*w.scratch).run, &mut (*w.scratch).progress) };
    if now.done != 0 && !go_on(w.scratch, w.session) {
        return 1;
    }
    // SAFETY: this CPU's own memory.
    let is_there = unsafe { (*w.scratch).is_in_chunk } != 0;
    now.base = if is_there { 0 } else { run.pos };
    let left = run.len.saturating_sub(run.pos);
    if left > 0 && !is_there {
        let len = bounded_from_one(left.min(CHUNK as u32), CHUNK as u32 - 1);
        // SAFETY: at most `CHUNK` bytes go into the chunk.
        let failed = unsafe {
            bpf_skb_load_bytes(
                w.skb.cast(),
                now.payload + run.pos,
                (&raw mut (*w.scratch).chunk).cast(),
                len,
            )
        };
        if failed != 0 {
            return 1;
        }
    }
    // SAFETY: the callback gets the pointer given here.
    unsafe { bpf_loop(2 * CHUNK as u32, byte as *mut c_void, work, 0) };
    0
}

/// One byte. A `bpf_loop` callback: 1 ends the loop.
extern "C" fn byte(_index: u32, work: *mut c_void) -> i64 {
    // SAFETY: the pointer that `round` gave.
    let w = unsafe { &mut *work.cast::<Work>() };
    // SAFETY: this CPU's own memory.
    let (run, now) = unsafe { (&mut (*w.scratch).run, &mut (*w.scratch).progress) };
    let at = run.pos.wrapping_sub(now.base);
    if run.pos < run.len && at >= CHUNK as u32 {
        return 1;
    }
    // SAFETY: this CPU's own memory.
    let b = unsafe { (*w.scratch).chunk[at as usize & (CHUNK - 1)] };
    // SAFETY: a locked session.
    let (skims, gathers) = unsafe {
        let (s, role, have_edits) = (&*w.session, now.role as usize, now.have_edits != 0);
        (
            may_skim(run, s, role, b),
            may_gather(run, s, role, have_edits, b),
        )
    };
    if skims && ftp_nat_skim(w.session) != 0 {
        return 0;
    }
    if gathers && ftp_nat_gather(w.session) != 0 {
        return 0;
    }
    // SAFETY: this CPU's own memory and a locked session.
    let (s, edits) = unsafe { (&mut *w.session, &raw mut (*w.scratch).edits) };
    let edits = now.edits(edits);
    let mut surroundings = Surroundings { skb: w.skb };
    match step(run, s, now.role as usize, edits, b, &mut surroundings) {
        Progress::More => 0,
        Progress::WantEdits => {
            outstanding::fetch(w, run, now);
            0
        }
        Progress::Done => {
            now.done = 1;
            1
        }
    }
}

/// Takes bytes that can't matter; gives how many. A global function: the verifier
/// looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_skim(session: *mut Session) -> u32 {
    // SAFETY: the callers' pointer, or null.
    let (Some(scratch), Some(s)) = (scratch(), unsafe { session.as_mut() }) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let (run, now, chunk) =
        unsafe { (&mut (*scratch).run, &(*scratch).progress, &(*scratch).chunk) };
    let from = run.pos.wrapping_sub(now.base);
    skim(run, s, now.role as usize, following(chunk, from))
}

/// Takes bytes that only go on with a verb or an address; gives how many. Global
/// for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_gather(session: *mut Session) -> u32 {
    // SAFETY: the callers' pointer, or null.
    let (Some(scratch), Some(s)) = (scratch(), unsafe { session.as_mut() }) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let (run, now, chunk) =
        unsafe { (&mut (*scratch).run, &(*scratch).progress, &(*scratch).chunk) };
    let from = run.pos.wrapping_sub(now.base);
    gather(run, s, now.role as usize, following(chunk, from))
}

/// The bytes of a chunk from one on.
#[inline(always)]
fn following(chunk: &[u8; CHUNK], from: u32) -> impl Fn(u32) -> Option<u8> {
    move |n| {
        let at = from.wrapping_add(n);
        if at < CHUNK as u32 {
            Some(chunk[bounded(at, CHUNK as u32 - 1) as usize])
        } else {
            None
        }
    }
}

/// The engine has seen what it was told to look at. `false`: there is no more.
#[inline(never)]
fn go_on(scratch: *mut Scratch, session: *mut Session) -> bool {
    // SAFETY: this CPU's own memory.
    let (now, run, segment) = unsafe {
        (
            &mut (*scratch).progress,
            &mut (*scratch).run,
            &mut (*scratch).segment,
        )
    };
    let untouched = end(scratch, session, now.role);
    if now.look == LOOK_FIRST && untouched {
        // SAFETY: this CPU's own memory and a locked session.
        unsafe { copy_session(&raw mut (*scratch).session, session) };
        // SAFETY: this CPU's own memory.
        (now.notes, now.counted) =
            unsafe { ((*scratch).glue.notes.made(), (*scratch).glue.counted) };
        *segment = now.whole;
        run.extend(segment.len, segment.flags & flag::FIN != 0);
        now.look = LOOK_REST;
        now.done = 0;
        return true;
    }
    if now.look == LOOK_REST && (!untouched || run.flags & RUN_WOULD_HOLD != 0) {
        // SAFETY: this CPU's own memory and a locked session.
        let plan = unsafe {
            copy_session(session, &raw const (*scratch).session);
            (*scratch).glue.notes.back_to(now.notes);
            (*scratch).glue.counted = now.counted;
            &mut (*scratch).plan
        };
        count(Counter::SegmentsCut);
        plan.action = PLAN_REBUILD;
        plan.seq = run.out_seq.0;
        plan.len = now.first_len;
        plan.detail = 0;
    }
    false
}

/// Ends the engine's run over the segment. `true`: nothing has to be rebuilt.
#[inline(never)]
fn end(scratch: *mut Scratch, session: *mut Session, role: u32) -> bool {
    // SAFETY: this CPU's own memory and a locked session.
    let (run, segment, s) = unsafe { (&mut (*scratch).run, &(*scratch).segment, &mut *session) };
    let outcome = finish(run, &mut s.half[role as usize & 1], segment);
    plan(scratch, outcome);
    matches!(outcome, Outcome::Untouched(_))
}

/// Copies what the engine changes of a session.
///
/// # Safety
/// Both point to live sessions that no other CPU works on.
#[inline(always)]
unsafe fn copy_session(to: *mut Session, from: *const Session) {
    // SAFETY: as the caller promises.
    unsafe {
        (*to).flags = (*from).flags;
        (*to).refusals = (*from).refusals;
        (*to).last_refusal = (*from).last_refusal;
        memory::copy_by_fours(&raw mut (*to).pending, &raw const (*from).pending);
        memory::copy(&raw mut (*to).requests, &raw const (*from).requests);
        memory::copy(&raw mut (*to).line, &raw const (*from).line);
        memory::copy(&raw mut (*to).half, &raw const (*from).half);
    }
}
