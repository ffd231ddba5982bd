//! Learning from packets of a connection whose handshake was not seen: ftp-nat
//! was started, or its port added, after it began.

use ftp_nat_common::{
    counter::Counter,
    pairing::{MIDWAY, MIDWAY_AT_LINE_END, SIGHTING_MAX_AGE_NS},
    tcp::flag,
};

use super::{now, pair, session};
use crate::{
    log,
    maps::{CANDIDATES, REPLACE, count, is_control_port, is_watched, learn_port, scratch},
    packet::{Packet, load},
};

/// Notes a packet at ingress: the client's first, then the server's whose
/// connection the client's packet made a candidate.
#[inline(never)]
pub fn sight(packet: Packet) {
    let ordinary = packet.flags & (flag::ACK | flag::RST | flag::FIN) == flag::ACK;
    // SAFETY: only its presence matters.
    let wanted = ordinary
        && (is_watched(packet.tuple.dport) || unsafe { CANDIDATES.get(packet.tuple) }.is_some());
    if wanted {
        super::sight(packet);
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
    // SAFETY: a live map value and this CPU's own memory.
    let (sighting, candidate) = unsafe { (&*sighting, &mut (*scratch).candidate) };
    if let Some(found) = CANDIDATES.get_ptr(sighting.tuple) {
        // SAFETY: a live map value.
        *candidate = unsafe { *found };
        // Twenty times as long as a sighting: the other end may have to think.
        let fresh = now().wrapping_sub(candidate.at_ns) < 20 * SIGHTING_MAX_AGE_NS;
        if candidate.midway == 0 || !fresh {
            return;
        }
        if packet.tuple != candidate.before.reversed() {
            count(Counter::PairingMismatches);
            return;
        }
        if let Some(id) = session::from_midway(packet, candidate) {
            session::enter(scratch, id);
            count(Counter::SessionsTrusted);
            // SAFETY: this CPU's own memory.
            log::learned(packet.skb, unsafe { &(*scratch).session });
        }
        return;
    }
    if !is_control_port(sighting.tuple.dport) {
        return;
    }
    candidate.before = sighting.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = sighting.ifindex;
    candidate.server_ifindex = packet.ifindex();
    candidate.client_isn = 0;
    candidate.client_next = packet.seq.wrapping_add(packet.payload_len());
    candidate.client_ack = packet.ack;
    candidate.midway = if ends_line(packet) {
        MIDWAY_AT_LINE_END
    } else {
        MIDWAY
    };
    if !is_watched(packet.tuple.dport) {
        learn_port(packet.tuple.dport);
    }
    let _ = CANDIDATES.insert(packet.tuple.reversed(), &*candidate, REPLACE);
}
