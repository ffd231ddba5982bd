//! Learning from a SYN and its SYN-ACK.

use ftp_nat_common::counter::Counter;

use super::{now, pair, session};
use crate::{
    log,
    maps::{CANDIDATES, REPLACE, count, is_watched, learn_port, scratch},
    packet::Packet,
};

/// A SYN seen at both hooks makes a candidate.
#[inline(never)]
pub fn syn(packet: Packet) {
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
    candidate.midway = 0;
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
pub fn syn_ack(packet: Packet) {
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
    if candidate.midway != 0 {
        return;
    }
    if let Some(id) = session::from_handshake(packet, candidate) {
        session::enter(scratch, id);
        // SAFETY: this CPU's own memory.
        log::learned(packet.skb, unsafe { &(*scratch).session });
    }
}
