//! Learning how the gateway translates a connection: its SYN and its SYN-ACK
//! are each seen at ingress and at egress.

use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_ns};
use ftp_nat_common::{
    counter::Counter,
    line::Line,
    pairing::{Candidate, PairingKey, SIGHTING_MAX_AGE_NS, Sighting},
    seq::Seq,
    session::{CLIENT, EditsKey, HalfRef, SERVER},
    stream::Half,
    tcp::flag,
};

use crate::{
    log,
    maps::{
        CANDIDATES, CREATE, EDITS, HALVES, REPLACE, SESSIONS, SIGHTINGS, Scratch, count,
        is_watched, learn_port, scratch,
    },
    packet::Packet,
};

/// A monotonic time in ns.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: a helper call without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// A random number.
#[inline(always)]
pub fn random() -> u32 {
    // SAFETY: a helper call without arguments.
    unsafe { bpf_get_prandom_u32() }
}

#[inline(always)]
fn key(packet: &Packet) -> PairingKey {
    PairingKey {
        seq: packet.seq,
        ack: packet.ack,
        flags: u32::from(packet.flags & !flag::ECN),
    }
}

/// Notes a packet that may teach a translation, and tags it.
#[inline(never)]
pub fn sight(packet: Packet) {
    let packet = &packet;
    let at_ns = now();
    let key = key(packet);
    if let Some(other) = SIGHTINGS.get_ptr_mut(key) {
        // SAFETY: a live map value.
        let other = unsafe { &mut *other };
        if other.tuple != packet.tuple && at_ns.wrapping_sub(other.at_ns) < SIGHTING_MAX_AGE_NS {
            // Two hosts use the same numbers at the same time, perhaps to
            // confuse: neither is believed.
            other.poisoned = 1;
            count(Counter::PairingCollisions);
            return;
        }
    }
    let tag = (random() & 0xffff) | 1;
    let sighting = Sighting {
        tuple: packet.tuple,
        at_ns,
        ifindex: packet.ifindex(),
        tag,
        ip_id_window: id_window(packet),
        payload_len: packet.payload_len(),
        timestamp: 0,
        poisoned: 0,
    };
    if SIGHTINGS.insert(key, sighting, REPLACE).is_ok() {
        // SAFETY: the context is valid for the whole run.
        unsafe { (*packet.skb).tc_index = tag };
    }
}

#[inline(always)]
fn id_window(packet: &Packet) -> u32 {
    (u32::from(packet.ip_id) << 16) | u32::from(packet.window)
}

/// Finds what ingress saw of this packet.
#[inline(always)]
fn pair(packet: &Packet) -> Option<*const Sighting> {
    // SAFETY: the context is valid for the whole run.
    let (tag, ingress_ifindex) = unsafe { ((*packet.skb).tc_index, (*packet.skb).ingress_ifindex) };
    let found = SIGHTINGS.get_ptr(key(packet))?;
    // SAFETY: a live map value. The LRU may reuse the element at any time: then
    // the tag or the tuples don't agree.
    let sighting = unsafe { &*found };
    if sighting.poisoned != 0 || now().wrapping_sub(sighting.at_ns) > SIGHTING_MAX_AGE_NS {
        return None;
    }
    let same = if tag != 0 {
        tag == sighting.tag
    } else {
        // Another program cleared the tag: all that NAT leaves alone must agree.
        sighting.ip_id_window == id_window(packet) && sighting.payload_len == packet.payload_len()
    };
    if !same || ingress_ifindex != sighting.ifindex {
        return None;
    }
    if tag != 0 {
        // SAFETY: the context is valid for the whole run.
        unsafe { (*packet.skb).tc_index = 0 };
    }
    Some(found)
}

/// Learns from a SYN or a SYN-ACK that leaves.
#[inline(always)]
pub fn at_egress(packet: Packet) {
    // Only handshakes teach; whoever else uses tags is left alone.
    if packet.flags & flag::SYN == 0 {
        return;
    }
    if packet.flags & flag::ACK == 0 {
        syn(packet);
    } else {
        syn_ack(packet);
    }
}

/// A SYN seen at both hooks makes a candidate.
#[inline(never)]
fn syn(packet: Packet) {
    let packet = &packet;
    let (Some(sighting), Some(scratch)) = (pair(packet), scratch()) else {
        return;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let (sighting, candidate) = unsafe { (&*sighting, &mut (*scratch).candidate) };
    candidate.before = sighting.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = sighting.ifindex;
    candidate.server_ifindex = packet.ifindex();
    candidate.client_isn = packet.seq;
    if !is_watched(packet.tuple.dport) {
        learn_port(packet.tuple.dport);
    }
    if CANDIDATES
        .insert(packet.tuple.reversed(), &*candidate, REPLACE)
        .is_err()
    {
        count(Counter::SessionsTableFull);
    }
}

/// The SYN-ACK of a candidate, seen at both hooks, makes a session.
#[inline(never)]
fn syn_ack(packet: Packet) {
    let packet = &packet;
    let (Some(sighting), Some(scratch)) = (pair(packet), scratch()) else {
        return;
    };
    // SAFETY: a live map value.
    let sighting = unsafe { &*sighting };
    let Some(found) = CANDIDATES.get_ptr(sighting.tuple) else {
        return;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let candidate = unsafe {
        (*scratch).candidate = *found;
        &(*scratch).candidate
    };
    if packet.tuple != candidate.before.reversed() {
        count(Counter::PairingMismatches);
        return;
    }
    if let Some(id) = fill(packet, candidate) {
        enter(scratch, id);
        // SAFETY: this CPU's own memory.
        log::learned(packet.skb, unsafe { &(*scratch).session });
    }
}

/// Makes a session, in scratch memory, of a connection whose two views are
/// exact inverses; gives its id. `None`: it is known already.
#[inline(always)]
fn fill(packet: &Packet, candidate: &Candidate) -> Option<u64> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    let session = unsafe { &mut (*scratch).session };
    // SAFETY: copied at once.
    if let Some(known) = unsafe { HALVES.get(candidate.before) }.copied() {
        if let Some(old) = SESSIONS.get_ptr_mut(known.session) {
            // SAFETY: a live map value.
            if unsafe { (*old).isn } == [candidate.client_isn, packet.seq] {
                // The SYN-ACK was sent again.
                return None;
            }
        }
        close(known.session);
    }
    // SAFETY: plain numbers, of which all bits zero are a value.
    *session = unsafe { core::mem::zeroed() };
    let at_ns = now();
    let id = u64::from(random() | 1);
    session.id = id;
    session.made_ns = at_ns;
    session.last_ns = at_ns;
    session.real = [candidate.before.src, candidate.after.dst];
    session.seen = [candidate.after.src, candidate.before.dst];
    session.real_port = [candidate.before.sport, candidate.after.dport];
    session.seen_port = [candidate.after.sport, candidate.before.dport];
    session.ifindex = [candidate.client_ifindex, candidate.server_ifindex];
    session.domain = packet.tuple.domain;
    session.isn = [candidate.client_isn, packet.seq];
    // Data in a SYN (RFC 7413) that the server took went by unparsed.
    let client_next = Seq(packet.ack);
    start(&mut session.half[CLIENT], client_next);
    if client_next != Seq(candidate.client_isn).plus(1) {
        session.line[CLIENT] = Line::mid_stream();
    }
    let early = packet.payload_len();
    start(&mut session.half[SERVER], Seq(packet.seq).plus(1 + early));
    if early != 0 {
        session.line[SERVER] = Line::mid_stream();
    }
    Some(id)
}

/// Like `Half::starting_at`, in place: the half is all zero, and too large for
/// the stack.
#[inline(always)]
fn start(half: &mut Half, next: Seq) {
    half.in_nxt = next;
    half.out_nxt = next;
    half.far_una = next;
    half.snd_max = next;
    half.line_start = next;
}

/// Enters the session in scratch memory into the maps: all of it or nothing.
#[inline(never)]
fn enter(scratch: *mut Scratch, id: u64) {
    // SAFETY: this CPU's own memory.
    let (session, candidate) = unsafe { (&(*scratch).session, &(*scratch).candidate) };
    let half = |role: usize| HalfRef {
        session: id,
        role: role as u32,
        _pad: 0,
    };
    if SESSIONS.insert(id, session, CREATE).is_err() {
        count(Counter::SessionsTableFull);
        return;
    }
    if HALVES
        .insert(candidate.before, half(CLIENT), REPLACE)
        .is_err()
    {
        let _ = SESSIONS.remove(id);
        count(Counter::SessionsTableFull);
        return;
    }
    if HALVES
        .insert(candidate.after.reversed(), half(SERVER), REPLACE)
        .is_err()
    {
        let _ = HALVES.remove(candidate.before);
        let _ = SESSIONS.remove(id);
        count(Counter::SessionsTableFull);
        return;
    }
    count(Counter::SessionsLearned);
}

/// Forgets a session whose connection was replaced by a new one.
#[inline(never)]
fn close(id: u64) {
    let _ = EDITS.remove(EditsKey {
        session: id,
        role: CLIENT as u32,
        _pad: 0,
    });
    let _ = EDITS.remove(EditsKey {
        session: id,
        role: SERVER as u32,
        _pad: 0,
    });
    let _ = SESSIONS.remove(id);
}
