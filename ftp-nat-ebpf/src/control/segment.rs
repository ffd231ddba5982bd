//! A segment from the near host: the engine is run over its payload, and the
//! packet becomes what the engine says.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC},
    helpers::{bpf_check_mtu, bpf_loop, bpf_skb_load_bytes},
};
use ftp_nat_common::{
    counter::Counter,
    seq::Seq,
    session::{CLIENT, EditsKey, SERVER, SESSION_FIN, SESSION_RST, SESSION_TRUSTED, Session},
    stream::{
        Edits,
        ingress::{
            Begun, OUTPUT_MAX, Outcome, Progress, RUN_NO_EDITS, RUN_WOULD_HOLD, Run, Segment,
            begin, finish, step,
        },
    },
    tcp::flag,
};

use super::{edit, expect::Surroundings};
use crate::{
    learn,
    maps::{CHUNK, CREATE, EDITS, REPLACE, Scratch, count, count_raw, scratch},
    packet::{Packet, bounded},
};

/// What the callbacks of `bpf_loop` work on: the pointers, which can't be kept
/// in a map.
struct Work {
    skb: *mut __sk_buff,
    scratch: *mut Scratch,
    session: *mut Session,
}

/// What the callbacks know besides. It is kept in a map, so that the verifier
/// goes over them once and not once for every value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Progressing {
    /// The whole segment, where only the first of several merged ones is looked at.
    whole: Segment,
    /// The end the segment comes from.
    role: u32,
    /// Offset of the payload in the packet.
    payload: u32,
    /// Offset of the chunk in the payload.
    base: u32,
    have_edits: u32,
    /// The engine has seen all it was told to look at.
    done: u32,
    /// One of `LOOK_*`.
    look: u32,
    /// Bytes of the first of several merged segments.
    first_len: u32,
}

/// The segment is looked at as a whole.
const LOOK_ALL: u32 = 0;
/// It is merged of several; the first of them is looked at.
const LOOK_FIRST: u32 = 1;
/// The first of them stays as it is; the others are looked at.
const LOOK_REST: u32 = 2;

/// Rounds of chunks in one packet: 64 KiB, and some for edits to be fetched.
const ROUNDS: u32 = 48;

#[inline(always)]
fn edits_key(session: &Session, role: usize) -> EditsKey {
    EditsKey {
        session: session.id,
        role: role as u32,
        _pad: 0,
    }
}

/// The outstanding edits of a half, if there are any.
#[inline(always)]
pub fn edits_of(session: &Session, role: usize) -> Option<*mut Edits> {
    let half = &session.half[role & 1];
    if half.edits_len == 0 && half.held_len == 0 {
        return None;
    }
    EDITS.get_ptr_mut(edits_key(session, role))
}

/// Frees the edits of a half that has none outstanding.
#[inline(always)]
pub fn release_edits(session: &Session, role: usize) {
    let half = &session.half[role & 1];
    if half.edits_len == 0 && half.held_len == 0 && !session.line[role & 1].armed() {
        let _ = EDITS.remove(edits_key(session, role));
    }
}

/// What becomes of the segment. It is handed over in memory, so that the
/// verifier looks at the editing once and not once for every way to it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Plan {
    /// One of `PLAN_*`.
    pub action: u32,
    /// The sequence number.
    pub seq: u32,
    /// Payload bytes.
    pub len: u32,
    /// 1 with a FIN; the counter of a drop.
    pub detail: u32,
}

const PLAN_RENUMBER: u32 = 0;
const PLAN_REBUILD: u32 = 1;
const PLAN_DROP: u32 = 2;

/// Handles a segment whose session is locked.
#[inline(always)]
pub fn handle(packet: &Packet, session: *mut Session, role: usize) -> i32 {
    let Some(scratch) = scratch() else {
        return TC_ACT_UNSPEC;
    };
    decide(*packet, scratch, session, role as u32);
    // SAFETY: this CPU's own memory, just written.
    let plan = unsafe { (&raw const (*scratch).plan).read_volatile() };
    match plan.action {
        PLAN_RENUMBER => edit::renumber(*packet, plan.seq),
        PLAN_REBUILD => edit::rebuild(*packet, scratch),
        _ => {
            count_raw(plan.detail);
            TC_ACT_SHOT as i32
        }
    }
}

/// Runs the engine, and writes its decision into the plan.
#[inline(never)]
fn decide(packet: Packet, scratch: *mut Scratch, session: *mut Session, role: u32) {
    let role = role as usize & 1;
    // SAFETY: a live map value, locked by the caller.
    let s = unsafe { &mut *session };
    count(Counter::ControlSegments);
    s.last_ns = learn::now();
    follow_state(&packet, s, role);
    let segment = Segment {
        seq: Seq(packet.seq),
        len: packet.payload_len(),
        flags: packet.flags,
        capacity: capacity(packet, s, role),
    };
    // SAFETY: this CPU's own memory. Until the engine has decided otherwise the
    // segment is dropped, and TCP sends it again.
    unsafe {
        (*scratch).segment = segment;
        (*scratch).plan.action = PLAN_DROP;
        (*scratch).plan.detail = Counter::DroppedEditFailed as u32;
    }
    take_edits(scratch, s, role);
    if !start(scratch, session) {
        return;
    }
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    glue.begin(s, role);
    let mut work = Work {
        skb: packet.skb,
        scratch,
        session,
    };
    prepare(packet, scratch);
    let work: *mut Work = &raw mut work;
    // SAFETY: the callback gets the pointer given here.
    unsafe { bpf_loop(ROUNDS, round as *mut c_void, work.cast(), 0) };
    glue.end(s);
    // SAFETY: this CPU's own memory.
    let (now, edits) = unsafe { (&(*scratch).progress, &(*scratch).edits) };
    if now.have_edits != 0 {
        let half = &s.half[role];
        if half.edits_len == 0 && half.held_len == 0 {
            let _ = EDITS.remove(edits_key(s, role));
        } else {
            // There is an element already, so this can't fail for want of room.
            let _ = EDITS.insert(edits_key(s, role), edits, REPLACE);
        }
    }
}

/// Copies the outstanding edits into scratch memory: to the verifier they are
/// then in one place, whether there were any or not.
#[inline(never)]
fn take_edits(scratch: *mut Scratch, s: &Session, role: usize) {
    // SAFETY: this CPU's own memory.
    let (now, edits) = unsafe { (&mut (*scratch).progress, &mut (*scratch).edits) };
    now.role = role as u32;
    now.have_edits = 0;
    if let Some(found) = edits_of(s, role) {
        // SAFETY: the edits belong to the locked session.
        *edits = unsafe { *found };
        now.have_edits = 1;
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

/// Looks at the header. `false`: the plan is made already.
#[inline(never)]
fn start(scratch: *mut Scratch, session: *mut Session) -> bool {
    // SAFETY: this CPU's own memory and a locked session.
    let (run, segment, s, now, edits) = unsafe {
        (
            &mut (*scratch).run,
            &(*scratch).segment,
            &mut *session,
            &(*scratch).progress,
            &(*scratch).edits,
        )
    };
    let edits = if now.have_edits != 0 {
        Some(edits)
    } else {
        None
    };
    match begin(run, s, now.role as usize, edits, segment) {
        Begun::Parse => true,
        Begun::Done(outcome) => {
            plan(scratch, outcome);
            false
        }
    }
}

/// Writes an outcome down.
#[inline(always)]
fn plan(scratch: *mut Scratch, outcome: Outcome) {
    // SAFETY: this CPU's own memory.
    let (plan, out) = unsafe { (&mut (*scratch).plan, &mut (*scratch).run.out) };
    match outcome {
        Outcome::Untouched(seq) => {
            plan.action = PLAN_RENUMBER;
            plan.seq = seq.0;
        }
        Outcome::Rebuilt { seq, len, fin } => {
            plan.action = PLAN_REBUILD;
            plan.seq = seq.0;
            plan.len = len;
            plan.detail = fin as u32;
        }
        Outcome::Probe { seq, byte } => {
            count(Counter::Probes);
            out[0] = byte;
            plan.action = PLAN_REBUILD;
            plan.seq = seq.0;
            plan.len = 1;
            plan.detail = 0;
        }
        Outcome::Drop(counter) => {
            plan.action = PLAN_DROP;
            plan.detail = counter as u32;
        }
    }
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

/// The handshake's end, FIN and RST.
#[inline(always)]
fn follow_state(packet: &Packet, s: &mut Session, role: usize) {
    if s.flags & SESSION_TRUSTED == 0
        && role == CLIENT
        && packet.flags & (flag::ACK | flag::RST) == flag::ACK
        && Seq(packet.seq) == s.half[CLIENT].in_nxt
        && !Seq(packet.ack).before(Seq(s.isn[SERVER]).plus(1))
    {
        s.flags |= SESSION_TRUSTED;
        count(Counter::SessionsTrusted);
    }
    if packet.flags & flag::RST != 0 {
        s.flags |= SESSION_RST;
    } else if packet.flags & flag::FIN != 0 {
        s.flags |= SESSION_FIN << role;
    }
}

/// Payload bytes that fit into a packet to the far host.
#[inline(never)]
fn capacity(packet: Packet, s: &Session, role: usize) -> u32 {
    let mut mtu = 0u32;
    let ifindex = s.ifindex[1 - (role & 1)];
    // SAFETY: the helper writes the interface's MTU; on failure it stays 0.
    unsafe { bpf_check_mtu(packet.skb.cast(), ifindex, &raw mut mtu, 0, 0) };
    let headers = packet.payload - packet.l3;
    let room = mtu.saturating_sub(headers);
    let room = if mtu == 0 { packet.payload_len() } else { room };
    room.min(OUTPUT_MAX as u32 - 64)
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
        (*to).requests = (*from).requests;
        (*to).line = (*from).line;
        (*to).half = (*from).half;
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
            &mut (*scratch).plan
        };
        plan.action = PLAN_REBUILD;
        plan.seq = run.out_seq.0;
        plan.len = now.first_len;
        plan.detail = 0;
    }
    false
}

/// One chunk. A `bpf_loop` callback: 1 ends the loop.
extern "C" fn round(_index: u32, work: *mut c_void) -> i64 {
    // SAFETY: the pointer that `decide` gave.
    let w = unsafe { &mut *work.cast::<Work>() };
    // SAFETY: this CPU's own memory.
    let (run, now) = unsafe { (&mut (*w.scratch).run, &mut (*w.scratch).progress) };
    if now.done != 0 && !go_on(w.scratch, w.session) {
        return 1;
    }
    now.base = run.pos;
    let left = run.len.saturating_sub(run.pos);
    let len = bounded(left.min(CHUNK as u32), 2 * CHUNK as u32 - 1);
    if len > 0 {
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
    // SAFETY: this CPU's own memory and a locked session.
    let (glue, s, edits) = unsafe {
        (
            &mut (*w.scratch).glue,
            &mut *w.session,
            &mut (*w.scratch).edits,
        )
    };
    let edits = if now.have_edits != 0 {
        Some(edits)
    } else {
        None
    };
    let mut surroundings = Surroundings { skb: w.skb, glue };
    match step(run, s, now.role as usize, edits, b, &mut surroundings) {
        Progress::More => 0,
        Progress::WantEdits => {
            fetch_edits(w, run, now);
            1
        }
        Progress::Done => {
            now.done = 1;
            1
        }
    }
}

/// Fetches or makes the edits of a half whose line can announce something.
#[inline(always)]
fn fetch_edits(w: &mut Work, run: &mut Run, now: &mut Progressing) {
    // SAFETY: a locked session.
    let key = edits_key(unsafe { &*w.session }, now.role as usize);
    // SAFETY: this CPU's own memory, all zero.
    let fresh = unsafe { &(*w.scratch).no_edits };
    // Fails where there are some already, or no more can be had.
    let _ = EDITS.insert(key, fresh, CREATE);
    if EDITS.get_ptr(key).is_some() {
        now.have_edits = 1;
    } else {
        run.flags |= RUN_NO_EDITS;
    }
}
