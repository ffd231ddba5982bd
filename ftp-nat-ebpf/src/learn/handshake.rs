//! Learning from a handshake: its SYN makes a candidate, its SYN-ACK answers
//! it, and its ACK makes the session. A host that only sends SYNs gets none.

use ftp_nat_common::{
    counter::Counter,
    pairing::{ANSWERED, Candidate, HANDSHAKE_MAX_AGE_NS, SYN},
    session::{CLIENT, SERVER},
    tcp::flag,
};

use super::{now, pair, pickup::ends_line, session};
use crate::{
    data::stack,
    maps::{CANDIDATES, HALVES, REPLACE, SESSIONS, count, is_watched, learn_port, scratch},
    memory,
    packet::Packet,
};

/// A SYN seen at both hooks makes a candidate, or tells what the stack makes of
/// a data connection; then the result is that of [`stack::learn`].
#[inline(never)]
pub fn syn(packet: Packet) -> u32 {
    let packet = &packet;
    let (Some(sighting), Some(scratch)) = (pair(packet), scratch()) else {
        return stack::NOT_DATA;
    };
    // SAFETY: a live map value.
    let learned = stack::learn(*packet, unsafe { &*sighting });
    if learned != stack::NOT_DATA {
        return learned;
    }
    // SAFETY: a live map value and this CPU's own memory.
    let (sighting, candidate) = unsafe { (&*sighting, &mut (*scratch).candidate) };
    candidate.before = sighting.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = sighting.ifindex;
    candidate.server_ifindex = packet.ifindex();
    candidate.client_isn = packet.seq;
    candidate.server_isn = 0;
    candidate.client_next = packet.seq.wrapping_add(1 + packet.payload_len());
    candidate.server_next = 0;
    candidate.client_ack = 0;
    candidate.state = SYN;
    candidate.ends_line = [u32::from(ends_line(packet)), 0];
    if !is_watched(packet.tuple.dport) {
        learn_port(packet.tuple.dport);
    }
    let key = session::after_reversed(scratch);
    if CANDIDATES.insert(key, &*candidate, REPLACE).is_err() {
        count(Counter::SessionsTableFull);
    }
    stack::NOT_DATA
}

/// The SYN-ACK of a candidate, seen at both hooks, answers it.
#[inline(never)]
pub fn syn_ack(packet: Packet) {
    let packet = &packet;
    let (Some(sighting), Some(scratch)) = (pair(packet), scratch()) else {
        return;
    };
    // SAFETY: a live map value.
    let sighting = unsafe { &*sighting };
    let Some(found) = CANDIDATES.get_ptr(&sighting.tuple) else {
        return;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let candidate = unsafe {
        memory::copy(&raw mut (*scratch).candidate, found);
        &mut (*scratch).candidate
    };
    if candidate.state != SYN {
        return;
    }
    if packet.tuple != candidate.before.reversed() {
        count(Counter::PairingMismatches);
        return;
    }
    // It acknowledges the SYN and perhaps data in it (RFC 7413), nothing else:
    // who didn't see the SYN can't answer it.
    let first = candidate.client_isn.wrapping_add(1);
    let most = candidate.client_next.wrapping_sub(first);
    if packet.ack.wrapping_sub(first) > most {
        return;
    }
    candidate.at_ns = now();
    candidate.state = ANSWERED;
    answer_line_ends(candidate, packet);
    candidate.client_next = packet.ack;
    candidate.server_isn = packet.seq;
    candidate.server_next = packet.seq.wrapping_add(1 + packet.payload_len());
    if is_made(candidate) {
        // It was sent again.
        return;
    }
    let _ = CANDIDATES.insert(&candidate.before, &*candidate, REPLACE);
}

/// Notes where the SYN-ACK leaves the lines: what it doesn't acknowledge of the
/// SYN's data comes again.
#[inline(always)]
pub(super) fn answer_line_ends(candidate: &mut Candidate, packet: &Packet) {
    if packet.ack != candidate.client_next {
        candidate.ends_line[CLIENT] = 0;
    }
    candidate.ends_line[SERVER] = u32::from(ends_line(packet));
}

/// Whether there is a session of this very handshake. One of another handshake
/// between the same ends is told that it will be replaced.
#[inline(always)]
pub(super) fn is_made(candidate: &Candidate) -> bool {
    // SAFETY: copied at once.
    let Some(known) = unsafe { HALVES.get(&candidate.before) }.copied() else {
        return false;
    };
    let Some(session) = SESSIONS.get_ptr_mut(known.session()) else {
        return false;
    };
    // SAFETY: a live map value; the word is written here only.
    unsafe {
        if (*session).isn == [candidate.client_isn, candidate.server_isn] {
            return true;
        }
        (*session).replaced = 1;
    }
    false
}

/// A packet of a client's, at ingress, that belongs to no session yet: if it is
/// the ACK that a SYN-ACK asks for, it makes one. Gives 1 then, 0 otherwise.
#[inline(never)]
pub fn complete(packet: Packet) -> u32 {
    let packet = &packet;
    if packet.flags & (flag::ACK | flag::RST) != flag::ACK {
        return 0;
    }
    let (Some(found), Some(scratch)) = (CANDIDATES.get_ptr(&packet.tuple), scratch()) else {
        return 0;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let candidate = unsafe {
        memory::copy(&raw mut (*scratch).candidate, found);
        &(*scratch).candidate
    };
    // Both numbers exactly: only who saw the SYN-ACK knows them.
    if candidate.state != ANSWERED
        || packet.seq != candidate.client_next
        || packet.ack != candidate.server_next
        || now().wrapping_sub(candidate.at_ns) > HANDSHAKE_MAX_AGE_NS
    {
        return 0;
    }
    // Of several CPUs, the one that removes the candidate makes the session.
    if CANDIDATES.remove(&packet.tuple).is_err() {
        return 0;
    }
    let _ = CANDIDATES.remove(session::after_reversed(scratch));
    let Some(id) = session::from_handshake(candidate) else {
        return 0;
    };
    session::enter(scratch, id)
}
