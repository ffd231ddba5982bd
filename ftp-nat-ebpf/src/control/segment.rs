//! A segment from the near host: the engine is run over its payload, and the
//! packet becomes what the engine says.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    helpers::bpf_check_mtu,
};
use ftp_nat_common::{
    counter::Counter,
    event::notes::Note,
    line::text::TEXT_MAX,
    seq::Seq,
    session::{SESSION_FIN, SESSION_FIN_SERVER, SESSION_RST, Session},
    stream::{
        HALF_FIN,
        ingress::{OUTPUT_MAX, Segment, fragment},
        position::{reset_to_output, urgent_to_output},
    },
    tcp::flag,
};

use super::{
    REBUILT, drop_for, edit, outstanding, parse,
    plan::{PLAN_DROP, PLAN_REBUILD, PLAN_RENUMBER},
    surroundings::Surroundings,
};
use crate::{
    data::encrypted,
    event, learn, log,
    maps::{INTERFACES, Scratch, count, count_raw, scratch},
    packet::Packet,
    reclaim,
};

/// Handles a segment whose session is locked.
#[inline(always)]
pub fn handle(packet: &Packet, session: *mut Session, role: usize) -> i32 {
    let Some(scratch) = scratch() else {
        return TC_ACT_UNSPEC;
    };
    // The engine runs in this frame: everything that it calls shares the stack
    // with its callers.
    if prepare(*packet, scratch, session, role as u32) {
        parse::run(*packet, scratch, session);
        conclude(*packet, scratch, session, role as u32);
    }
    // SAFETY: this CPU's own memory, just written.
    let plan = unsafe { (&raw const (*scratch).plan).read_volatile() };
    match plan.action {
        PLAN_RENUMBER => edit::renumber(*packet, plan.seq),
        PLAN_REBUILD => REBUILT,
        _ => {
            count_raw(plan.detail);
            TC_ACT_SHOT as i32
        }
    }
}

/// Handles a RST whose session another CPU keeps: it gets the number that it has
/// by what can be read of the half just now. Where that is wrong far ignores the
/// RST (RFC 5961), which is no worse than dropping it: nobody sends it again.
#[inline(always)]
pub fn reset_meanwhile(packet: Packet, session: *mut Session, role: usize) -> i32 {
    // SAFETY: a live map value, which is only read; its numbers may change
    // meanwhile, and any are as good as others to whom reads them.
    let s = unsafe { &*session };
    let edits = outstanding::of(s, role);
    // SAFETY: a live map value, likewise.
    let edits = edits.map(|e| unsafe { &*e });
    let at = reset_to_output(&s.half[role & 1], edits, Seq(packet.seq));
    edit::renumber(packet, at.0)
}

/// Handles the first fragment of a segment whose session is locked.
#[inline(always)]
pub fn renumber_fragment(packet: Packet, session: *mut Session, role: usize) -> i32 {
    // SAFETY: a live map value, locked by the caller.
    let s = unsafe { &mut *session };
    let role = role & 1;
    s.last_ns = learn::now();
    let half = &mut s.half[role];
    let next = half.in_nxt;
    let len = packet.payload_len();
    match fragment(half, &mut s.line[role], Seq(packet.seq), len) {
        Some(seq) => {
            if half.in_nxt != next {
                tell_unread(session, role as u32);
            }
            edit::renumber(packet, seq.0)
        }
        None => drop_for(Counter::DroppedFragment),
    }
}

/// Tells that some text of the end `role` came in fragments.
#[inline(never)]
fn tell_unread(session: *mut Session, role: u32) {
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory, and a live map value, locked by the caller.
    let (glue, s) = unsafe { (&mut (*scratch).glue, &*session) };
    glue.reset(s);
    glue.notes
        .add(Note::unread(role as usize & 1, Counter::Fragments));
    event::ftp_nat_tell(session);
}

/// Tells the engine of the segment. `false`: the plan is made already.
#[inline(never)]
fn prepare(packet: Packet, scratch: *mut Scratch, session: *mut Session, role: u32) -> bool {
    let role = role as usize & 1;
    // SAFETY: a live map value, locked by the caller.
    let s = unsafe { &mut *session };
    count(Counter::ControlSegments);
    // SAFETY: this CPU's own memory.
    unsafe {
        (*scratch).glue.reset(s);
        s.last_ns = (*scratch).now_ns;
    }
    follow_state(&packet, s, role);
    if s.ifindex[role] != packet.ifindex() {
        follow_interfaces(s);
    }
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
    outstanding::take(scratch, s, role);
    if !parse::start(scratch, session) {
        note_end(s, role);
        withdraw_at_end(scratch, s);
        event::ftp_nat_tell(session);
        return false;
    }
    true
}

/// Puts back what the engine has worked on.
#[inline(never)]
fn conclude(packet: Packet, scratch: *mut Scratch, session: *mut Session, role: u32) {
    let role = role as usize & 1;
    // SAFETY: a live map value, locked by the caller.
    let s = unsafe { &mut *session };
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    glue.settle();
    if s.pending.is_doomed() {
        glue.begin(s, role);
        s.pending.sweep(&mut Surroundings { skb: packet.skb });
    }
    glue.end(s);
    if glue.refused == Counter::RefusedTableFull as u32 + 1 {
        // Too late for this announcement; the next one finds room.
        reclaim::expectations(scratch);
    }
    if packet.flags & flag::URG != 0 {
        place_urgent(packet, scratch, s);
    }
    encrypted::enter(s);
    outstanding::put_back(scratch, s);
    note_end(s, role);
    if s.half[role].flags & HALF_FIN != 0 {
        withdraw_at_end(scratch, s);
    }
    report(packet, scratch, s);
    event::ftp_nat_tell(session);
}

/// Logs what the segment announced.
#[inline(never)]
fn report(packet: Packet, scratch: *mut Scratch, s: &Session) {
    // SAFETY: this CPU's own memory.
    let now = unsafe { &(*scratch).progress };
    if s.announcements != now.announcements {
        log::announced(packet.skb, s);
    }
}

/// Moves the urgent pointer with the byte it points to (RFC 6384 section 7.3
/// asks for it).
#[inline(never)]
fn place_urgent(packet: Packet, scratch: *mut Scratch, s: &Session) {
    // SAFETY: this CPU's own memory.
    let (plan, now, edits) = unsafe {
        (
            &mut (*scratch).plan,
            &(*scratch).progress,
            &raw mut (*scratch).edits,
        )
    };
    let edits = now.edits(edits);
    let input = Seq(packet.seq).plus(u32::from(packet.urgent));
    let half = &s.half[now.role as usize & 1];
    let ahead = match urgent_to_output(half, edits.as_deref(), input) {
        Some(output) => output.since(Seq(plan.seq)),
        None => 0,
    };
    plan.urgent = if ahead > 0 && ahead <= 0xffff {
        ahead as u32
    } else {
        0
    };
}

/// Whether near's stream has ended is for the engine to say.
#[inline(always)]
fn note_end(s: &mut Session, role: usize) {
    if s.half[role & 1].flags & HALF_FIN != 0 {
        s.flags |= SESSION_FIN << (role & 1);
    }
}

/// RST; a FIN is the engine's.
#[inline(always)]
fn follow_state(packet: &Packet, s: &mut Session, role: usize) {
    let half = &s.half[role & 1];
    // Exact, as far's own check is (RFC 5961 section 3.2): nobody who can't see
    // the connection ends it.
    let at = Seq(packet.seq);
    if packet.flags & flag::RST != 0 && (at == half.in_nxt || at == half.held_start()) {
        s.flags |= SESSION_RST;
    }
}

/// An interface that was removed and made anew has another number: userspace
/// says which, and the session, which nobody else may write, takes it over here.
#[inline(never)]
fn follow_interfaces(s: &mut Session) {
    let mut role = 0;
    while role < 2 {
        // SAFETY: read at once.
        if let Some(interface) = unsafe { INTERFACES.get(s.ifindex[role]) }
            && interface.moved_to != 0
        {
            s.ifindex[role] = interface.moved_to;
        }
        role += 1;
    }
}

/// A session that ends takes its pinhole with it.
#[inline(never)]
fn withdraw_at_end(scratch: *mut Scratch, s: &mut Session) {
    let over = SESSION_RST | SESSION_FIN | SESSION_FIN_SERVER;
    if s.flags & over == 0 || s.pending.is_empty() {
        return;
    }
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    glue.begin(s, 0);
    let skb = core::ptr::null_mut();
    s.pending.doom();
    s.pending.sweep(&mut Surroundings { skb });
}

/// Payload bytes that fit into a packet to the far host.
#[inline(never)]
fn capacity(packet: Packet, s: &mut Session, role: usize) -> u32 {
    let other = 1 - (role & 1);
    let mut mtu = 0u32;
    // SAFETY: the helper writes the interface's MTU; on failure it stays 0.
    unsafe { bpf_check_mtu(packet.skb.cast(), s.ifindex[other], &raw mut mtu, 0, 0) };
    if mtu == 0 {
        // Gone, and perhaps made anew under another number.
        follow_interfaces(s);
        // SAFETY: as above.
        unsafe { bpf_check_mtu(packet.skb.cast(), s.ifindex[other], &raw mut mtu, 0, 0) };
    }
    let headers = packet.payload - packet.l3;
    let room = mtu.saturating_sub(headers);
    // Of a merged packet one part, for no more than that is ever rebuilt.
    let gso_size = packet.gso_size();
    let one = if gso_size == 0 {
        packet.payload_len()
    } else {
        gso_size
    };
    // Where the interface is gone, and where near sends more than fits: the
    // stack answers that.
    let room = if mtu == 0 {
        one + TEXT_MAX as u32
    } else {
        room.max(one)
    };
    room.min(OUTPUT_MAX as u32 - 64)
}
