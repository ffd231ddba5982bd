//! A segment from the near host: the engine is run over its payload, and the
//! packet becomes what the engine says.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    helpers::bpf_check_mtu,
};
use ftp_nat_common::{
    counter::Counter,
    seq::Seq,
    session::{CLIENT, SERVER, SESSION_FIN, SESSION_RST, SESSION_TRUSTED, Session},
    stream::ingress::{OUTPUT_MAX, Segment},
    tcp::flag,
};

use super::{
    edit, outstanding, parse,
    plan::{PLAN_DROP, PLAN_REBUILD, PLAN_RENUMBER},
};
use crate::{
    learn, log,
    maps::{Scratch, count, count_raw, scratch},
    packet::Packet,
};

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
    outstanding::take(scratch, s, role);
    if !parse::start(scratch, session) {
        return;
    }
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    let (announcements, refusals) = (s.announcements, s.refusals);
    glue.begin(s, role);
    parse::run(packet, scratch, session);
    glue.end(s);
    outstanding::put_back(scratch, s);
    if s.announcements != announcements {
        log::announced(packet.skb, s);
    }
    if s.refusals != refusals {
        log::refused(packet.skb, s);
    }
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
