//! Learning from packets of a connection whose handshake was not seen: ftp-nat
//! was started, or its port added, after it began. That is a while ago at most
//! (`PICKUP_NS`).

use ftp_nat_common::{
    counter::Counter,
    pairing::{
        ANSWERED, Candidate, MIDWAY, MIDWAY_AT_LINE_END, REFUSED, SIGHTING_MAX_AGE_NS, SYN,
        Sighting,
    },
    tcp::flag,
};

use super::{now, pair, session};
use crate::{
    maps::{
        CANDIDATES, CREATE, REPLACE, SETTINGS, Scratch, count, is_control_port, is_watched,
        learn_port, scratch,
    },
    memory, options,
    packet::{Packet, load},
};

/// Notes a packet at ingress: the client's first, then the server's whose
/// connection the client's packet made a candidate.
#[inline(never)]
pub fn sight(packet: Packet) {
    let ordinary = packet.flags & (flag::ACK | flag::RST | flag::FIN) == flag::ACK;
    // SAFETY: only its presence matters.
    let wanted = ordinary
        && (is_watched(packet.tuple.dport) || unsafe { CANDIDATES.get(&packet.tuple) }.is_some())
        && is_time();
    if !wanted {
        return;
    }
    if options::is_signed(&packet) {
        leave(packet);
    } else {
        super::sight(packet);
    }
}

/// Whether connections from before may still be learned.
#[inline(always)]
pub(super) fn is_time() -> bool {
    SETTINGS
        .get(0)
        .is_some_and(|settings| now() < settings.pickup_until_ns)
}

/// A signed connection is never learned, from whichever packet. It is counted
/// once, as far as there is room to remember it.
#[inline(always)]
fn leave(packet: Packet) {
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory.
    let (key, candidate) = unsafe { (&mut (*scratch).key, &mut (*scratch).candidate) };
    *key = packet.tuple;
    candidate.at_ns = now();
    candidate.state = REFUSED;
    if CANDIDATES.insert(&*key, &*candidate, CREATE).is_ok() {
        count(Counter::Signed);
    }
}

/// Whether the packet's last byte is a line's.
#[inline(always)]
pub fn ends_line(packet: &Packet) -> bool {
    packet.payload_len() > 0 && load::<u8>(packet.skb, packet.l3 + packet.l3_len - 1) == Some(b'\n')
}

/// Learns from a tagged packet at egress.
#[inline(never)]
pub fn at_egress(packet: Packet) {
    let packet = &packet;
    let (Some(sighting), Some(scratch)) = (pair(packet), scratch()) else {
        return;
    };
    // SAFETY: a live map value.
    let sighting = unsafe { &*sighting };
    let known = state(CANDIDATES.get_ptr(&sighting.tuple));
    if known == MIDWAY || known == MIDWAY_AT_LINE_END {
        answer(*packet, scratch, sighting);
        return;
    }
    // A connection whose SYN was seen is learned from its handshake or not at
    // all. A server could keep that from being learned, to have a stream parsed
    // whose first lines would have told that it isn't FTP.
    if known != NONE || !is_control_port(sighting.tuple.dport) {
        return;
    }
    // SAFETY: this CPU's own memory.
    let (key, candidate) = unsafe { (&mut (*scratch).key, &mut (*scratch).candidate) };
    *key = packet.tuple.reversed();
    if state(CANDIDATES.get_ptr(&*key)) == SYN {
        return;
    }
    candidate.before = sighting.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = sighting.ifindex;
    candidate.server_ifindex = packet.ifindex();
    candidate.client_isn = 0;
    candidate.server_isn = 0;
    candidate.client_next = packet.seq.wrapping_add(packet.payload_len());
    candidate.server_next = 0;
    candidate.client_ack = packet.ack;
    candidate.state = if ends_line(packet) {
        MIDWAY_AT_LINE_END
    } else {
        MIDWAY
    };
    candidate.ends_line = [0; 2];
    if !is_watched(packet.tuple.dport) {
        learn_port(packet.tuple.dport);
    }
    let _ = CANDIDATES.insert(&*key, &*candidate, REPLACE);
}

/// No candidate.
const NONE: u32 = u32::MAX;
const _: () = assert!(NONE != ANSWERED && NONE != REFUSED);

#[inline(always)]
fn state(found: Option<*const Candidate>) -> u32 {
    match found {
        // SAFETY: a live map value.
        Some(found) => unsafe { (*found).state },
        None => NONE,
    }
}

/// The server's packet that a candidate waits for makes the session.
#[inline(always)]
fn answer(packet: Packet, scratch: *mut Scratch, sighting: &Sighting) {
    let packet = &packet;
    let Some(found) = CANDIDATES.get_ptr(&sighting.tuple) else {
        return;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let candidate = unsafe {
        memory::copy(&raw mut (*scratch).candidate, found);
        &(*scratch).candidate
    };
    // Twenty times as long as a sighting: the other end may have to think.
    if now().wrapping_sub(candidate.at_ns) > 20 * SIGHTING_MAX_AGE_NS {
        return;
    }
    if packet.tuple != candidate.before.reversed() {
        count(Counter::PairingMismatches);
        return;
    }
    if let Some(id) = session::from_midway(packet, candidate) {
        session::enter(scratch, id);
    }
}
