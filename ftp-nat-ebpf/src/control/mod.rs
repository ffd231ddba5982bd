//! Control connections.
//!
//! | module | holds |
//! |---|---|
//! | [`segment`] | a segment from the near host, at ingress |
//! | [`parse`] | the engine's way over its payload |
//! | [`outstanding`] | the outstanding edits of a half |
//! | [`plan`] | what becomes of the segment |
//! | [`checksum`] | what arrives broken is not believed |
//! | [`edit`] | rebuilding a packet |
//! | [`ack`] | an acknowledgement to the near host, at egress |
//! | [`surroundings`] | what the engine asks for, and parts of it |
//! | [`glue`] | what these need to know of the session |
//! | [`expect`] | making and withdrawing expectations |

mod ack;
mod checksum;
mod edit;
mod expect;
mod glue;
mod outstanding;
mod parse;
mod plan;
mod segment;
mod surroundings;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    helpers::bpf_skb_load_bytes,
};
use ftp_nat_common::{
    addr::Tuple,
    counter::Counter,
    line::text::TEXT_MAX,
    session::{HalfRef, SESSION_LOCAL, Session},
    stream::ingress::OUTPUT_MAX,
    tcp::{clamped_mss, flag},
};

pub use glue::Glue;
pub use outstanding::of as outstanding_edits;
pub use parse::Progressing;
pub use plan::Plan;

use crate::{
    learn,
    maps::{CANDIDATES, CHUNK, HALVES, SESSIONS, SIDE_UNKNOWN, count, is_watched, scratch, side},
    options,
    packet::{Packet, bounded_from_one, l2_len, load},
    sync,
};

/// Drops the packet: TCP will send it again.
#[inline(always)]
pub fn drop_for(counter: Counter) -> i32 {
    count(counter);
    TC_ACT_SHOT as i32
}

/// A half's session, its role, and the session's id.
type Known = (*mut Session, usize, u64);

/// It is locked.
const LOCKED: u32 = 0;
/// Another CPU has it.
const BUSY: u32 = 1;
/// It was removed, and another session has its place now.
const GONE: u32 = 2;

/// Locks the session `id`, if it can be had at all. A function of its own,
/// because the stack is short.
#[inline(never)]
fn lock(session: *mut Session, id: u64) -> u32 {
    // SAFETY: live map value.
    let lock = unsafe { &raw mut (*session).lock };
    // SAFETY: live map value.
    let locked = unsafe { sync::lock(lock) };
    if !locked {
        return BUSY;
    }
    // SAFETY: live map value.
    if unsafe { (*session).id } == id {
        return LOCKED;
    }
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(lock) };
    GONE
}

/// The half whose key is `tuple`.
#[inline(always)]
pub fn half(tuple: &Tuple) -> Option<Known> {
    // SAFETY: copied at once.
    let half: HalfRef = unsafe { HALVES.get(tuple) }.copied()?;
    let id = half.session();
    let session = SESSIONS.get_ptr_mut(id)?;
    let now = learn::now();
    if let Some(scratch) = scratch() {
        // SAFETY: this CPU's own memory.
        unsafe { (*scratch).now_ns = now };
    }
    // Nobody may be there to sweep up what is over.
    // SAFETY: a live map value.
    if unsafe { (*session).expired(now) } {
        return None;
    }
    Some((session, half.role() & 1, id))
}

/// The packet isn't one of a control connection that is followed.
pub const NOT_CONTROL: i32 = i32::MIN;
/// Its connection isn't known, but may be learned from it.
pub const UNKNOWN: i32 = i32::MIN + 1;
/// It has to be rebuilt.
pub const REBUILT: i32 = i32::MIN + 2;

/// A segment from or to a control port, before NAT. `again`: its connection was
/// learned just now, if it can be.
#[inline(always)]
pub fn ingress(packet: Packet, again: bool) -> i32 {
    if packet.is_fragment {
        return first_fragment(packet);
    }
    if !again && !checksum::is_right(packet) {
        return drop_for(Counter::DroppedBadChecksum);
    }
    let known = half(&packet.tuple);
    let is_new = match known {
        // SAFETY: a live map value.
        Some((session, ..)) => unsafe { (*session).replaced != 0 },
        None => true,
    };
    if is_new && !again {
        wipe(packet);
        return UNKNOWN;
    }
    let Some((session, role, id)) = known else {
        return outside(packet);
    };
    match lock(session, id) {
        LOCKED => {}
        GONE => return outside(packet),
        _ if packet.flags & flag::RST != 0 => return reset_meanwhile(packet),
        _ => return drop_for(Counter::DroppedLockBusy),
    }
    let verdict = match whose(packet, session, role as u32) {
        GO_ON => segment::handle(&packet, session, role),
        PASS => TC_ACT_UNSPEC,
        _ => TC_ACT_SHOT as i32,
    };
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    if verdict != REBUILT {
        wipe(packet);
    }
    verdict
}

/// The first fragment of a segment, which is the only one with numbers.
#[inline(never)]
fn first_fragment(packet: Packet) -> i32 {
    let Some((session, role, id)) = half(&packet.tuple) else {
        return NOT_CONTROL;
    };
    match lock(session, id) {
        LOCKED => {}
        GONE => return NOT_CONTROL,
        _ => return drop_for(Counter::DroppedLockBusy),
    }
    let verdict = match whose(packet, session, role as u32) {
        GO_ON => segment::renumber_fragment(packet, session, role),
        PASS => TC_ACT_UNSPEC,
        _ => TC_ACT_SHOT as i32,
    };
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    verdict
}

/// What becomes of a segment that is of no session.
#[inline(always)]
fn outside(packet: Packet) -> i32 {
    if packet.from_egress {
        TC_ACT_UNSPEC
    } else {
        NOT_CONTROL
    }
}

/// Rebuilds a segment as its plan in scratch memory says.
#[inline(always)]
pub fn edit(packet: Packet) -> i32 {
    let Some(scratch) = scratch() else {
        return TC_ACT_SHOT as i32;
    };
    let verdict = edit::rebuild(packet, scratch);
    wipe(packet);
    verdict
}

/// Whether the segment is its end's, `role`, and what it is to an end on the
/// gateway itself. [`TC_ACT_UNSPEC`], and `GO_ON`, are told from each other as
/// numbers, so that the verifier goes on from here once.
#[inline(never)]
fn whose(packet: Packet, session: *mut Session, role: u32) -> u32 {
    // SAFETY: a live map value, locked by the caller.
    let flags = unsafe { (*session).flags };
    let own = flags >> (role & 1) & SESSION_LOCAL;
    let other = flags >> (1 - (role & 1)) & SESSION_LOCAL;
    if packet.from_egress != (own != 0) {
        // Egress hands over what may be of a local end; and nobody else may
        // speak for one.
        return PASS;
    }
    if own == 0 && !comes_from_near(packet, session, role as usize) {
        return PASS;
    }
    if other == 0 || packet.flags & flag::ACK == 0 {
        return GO_ON;
    }
    // There is no egress to an end on the gateway itself.
    if ack::handle(&packet, session, 1 - (role as usize & 1)) == TC_ACT_UNSPEC {
        GO_ON
    } else {
        DROP
    }
}

/// The segment is worked on.
const GO_ON: u32 = 0;
/// It is none of ours.
const PASS: u32 = 1;
/// It can't be had right.
const DROP: u32 = 2;
/// Whether a packet of a locked session came in on its near end's side of the
/// gateway. Who is on the other side and takes on near's address isn't near.
#[inline(always)]
fn comes_from_near(packet: Packet, session: *mut Session, role: usize) -> bool {
    // SAFETY: a live map value, locked by the caller.
    let expected = unsafe { &mut (*session).ifindex[role & 1] };
    let in_by = packet.ifindex();
    if *expected == in_by {
        return true;
    }
    match side(*expected) {
        // It was removed, and perhaps made anew under another index.
        SIDE_UNKNOWN => {
            *expected = in_by;
            true
        }
        // There may be several ways to near.
        expected if expected == side(in_by) => true,
        _ => {
            count(Counter::WrongSide);
            false
        }
    }
}

/// Forgets what was said in the packet: passwords are, and the memory can be
/// read by whoever may read maps.
#[inline(never)]
pub fn wipe(packet: Packet) {
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory.
    let (chunk, run) = unsafe { (&raw mut (*scratch).chunk, &raw mut (*scratch).run) };
    // No packet reaches so far: the helper fails, and clears what it was given
    // (`bpf_skb_load_bytes` in net/core/filter.c). No loop does it faster.
    const NOWHERE: u32 = u32::MAX;
    // SAFETY: the lengths are those of the buffers, or less.
    unsafe {
        // What was read, in its longest chunk; of no payload nothing was.
        (*scratch).is_in_chunk = 0;
        let len = packet.payload_len().min(CHUNK as u32);
        let len = bounded_from_one(len.max(1), CHUNK as u32 - 1);
        bpf_skb_load_bytes(packet.skb.cast(), NOWHERE, chunk.cast(), len);
        // What was written: many texts that grew are longer than one that came.
        let len = packet.payload_len().max((*run).out_len) + TEXT_MAX as u32;
        (*run).out_len = 0;
        let len = bounded_from_one(len.min(OUTPUT_MAX as u32), OUTPUT_MAX as u32 - 1);
        bpf_skb_load_bytes(
            packet.skb.cast(),
            NOWHERE,
            (&raw mut (*run).out).cast(),
            len,
        );
    }
}

/// A RST whose session another CPU keeps.
#[inline(never)]
fn reset_meanwhile(packet: Packet) -> i32 {
    match half(&packet.tuple) {
        Some((session, role, _)) => segment::reset_meanwhile(packet, session, role),
        None => TC_ACT_UNSPEC,
    }
}

/// SYN and SYN-ACK: noted for learning, and their MSS made smaller, because a
/// text that was held back is added to the segment that follows it.
#[inline(never)]
pub fn handshake(packet: Packet) -> i32 {
    let packet = &packet;
    let from_client = packet.flags & flag::ACK == 0;
    let wanted = if from_client {
        is_watched(packet.tuple.dport)
    } else {
        // SAFETY: only its presence matters.
        unsafe { CANDIDATES.get(packet.tuple) }.is_some()
    };
    if !wanted {
        return NOT_CONTROL;
    }
    if options::is_signed(packet) {
        count(Counter::Signed);
        return NOT_CONTROL;
    }
    learn::sight(*packet);
    if !from_client {
        learn::answered(*packet);
    }
    options::clamp_mss(packet, clamped_mss);
    TC_ACT_UNSPEC
}

/// A packet from or to a control port, after NAT.
#[inline(never)]
pub fn egress(packet: Packet) -> i32 {
    if packet.flags & flag::ACK == 0 || packet.flags & flag::SYN != 0 {
        return TC_ACT_UNSPEC;
    }
    let Some(known) = half(&packet.tuple.reversed()) else {
        return TC_ACT_UNSPEC;
    };
    let (session, role, id) = known;
    match lock(session, id) {
        LOCKED => {}
        GONE => return TC_ACT_UNSPEC,
        // Nobody looks at the acknowledgement of a RST (RFC 9293 section 3.10.7.4).
        _ if packet.flags & flag::RST != 0 => return TC_ACT_UNSPEC,
        _ => return drop_for(Counter::DroppedLockBusy),
    }
    if l2_len() != 0
        && let Some(link) = load::<[u8; 12]>(packet.skb, 0)
    {
        // SAFETY: live map value, locked above.
        unsafe { (*session).link[role & 1] = link };
    }
    let verdict = ack::handle(&packet, session, role);
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    verdict
}
