//! Learning from the handshake of a client or a server on the gateway itself.
//! Each of its packets is seen at one hook only, with the addresses that the
//! other end knows: both views are the same.

use ftp_nat_common::{
    layout::SETTING_DRAINING,
    pairing::{ANSWERED, PROXIED, PairingKey, SIGHTING_MAX_AGE_NS, SYN, Sighting},
    tcp::{clamped_mss, flag},
};

use super::{
    handshake::{answer_line_ends, is_made},
    now,
    pickup::ends_line,
    proxied,
};
use crate::{
    maps::{CANDIDATES, REPLACE, SIGHTINGS, is_watched, scratch, settings},
    memory, options,
    packet::Packet,
};

/// Learns from a SYN or a SYN-ACK that the gateway itself sends.
#[inline(never)]
pub fn at_egress(packet: Packet) {
    let from_client = packet.flags & flag::ACK == 0;
    let port = if from_client {
        packet.tuple.dport
    } else {
        packet.tuple.sport
    };
    if settings().flags & SETTING_DRAINING != 0 || !is_watched(port) || options::is_signed(&packet)
    {
        return;
    }
    let known = match (from_client, has_socket(&packet)) {
        (true, true) => syn(packet),
        (true, false) => proxied::syn(packet),
        (false, true) => syn_ack(packet),
        // A cookie: it isn't the server that answers.
        (false, false) => 0,
    };
    if known != 0 {
        options::clamp_mss(&packet, clamped_mss);
    }
}

/// Whether a socket of the gateway's sent the packet, at egress, and not its
/// packet filter.
#[inline(always)]
pub(super) fn has_socket(packet: &Packet) -> bool {
    // SAFETY: the context is valid for the whole run; the pointer is only
    // compared.
    unsafe { !(*packet.skb).__bindgen_anon_2.sk.is_null() }
}

/// The SYN of a client on the gateway makes a candidate. Gives 1 if it did.
#[inline(never)]
fn syn(packet: Packet) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let (candidate, key) = unsafe { (&mut (*scratch).candidate, &mut (*scratch).key) };
    candidate.before = packet.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = 0;
    candidate.server_ifindex = packet.ifindex();
    candidate.client_isn = packet.seq;
    candidate.server_isn = 0;
    candidate.client_next = packet.seq.wrapping_add(1 + packet.payload_len());
    candidate.server_next = 0;
    candidate.client_ack = 0;
    candidate.state = SYN;
    candidate.ends_line = [u32::from(ends_line(&packet)), 0];
    *key = packet.tuple.reversed();
    u32::from(CANDIDATES.insert(&*key, &*candidate, REPLACE).is_ok())
}

/// The SYN-ACK that a client on the gateway gets, or its SYNPROXY for another
/// client, at ingress, answers their candidate.
#[inline(never)]
pub fn answered(packet: Packet) {
    let (Some(found), Some(scratch)) = (CANDIDATES.get_ptr(&packet.tuple), scratch()) else {
        return;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let candidate = unsafe {
        memory::copy(&raw mut (*scratch).candidate, found);
        &mut (*scratch).candidate
    };
    let local = candidate.state == SYN && candidate.client_ifindex == 0;
    if !local && candidate.state != PROXIED {
        return;
    }
    // As for any other handshake: who didn't see the SYN can't answer it.
    let first = candidate.client_isn.wrapping_add(1);
    let most = candidate.client_next.wrapping_sub(first);
    if packet.ack.wrapping_sub(first) > most {
        return;
    }
    answer(packet);
}

/// The SYN-ACK of a server on the gateway: ingress has seen the SYN. Gives 1 if
/// it did.
#[inline(never)]
fn syn_ack(packet: Packet) -> u32 {
    let (Some(found), Some(scratch)) = (syn_of(packet.ack.wrapping_sub(1)), scratch()) else {
        return 0;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let (sighting, candidate) = unsafe { (&*found, &mut (*scratch).candidate) };
    if now().wrapping_sub(sighting.at_ns) > SIGHTING_MAX_AGE_NS
        || sighting.tuple != packet.tuple.reversed()
    {
        return 0;
    }
    candidate.before = sighting.tuple;
    candidate.after = sighting.tuple;
    candidate.client_ifindex = sighting.ifindex;
    candidate.server_ifindex = 0;
    candidate.client_isn = sighting.seq;
    candidate.client_next = packet.ack;
    candidate.client_ack = 0;
    candidate.ends_line = [sighting.ends_line, 0];
    answer(packet);
    1
}

/// What ingress saw of the SYN that begins at `seq`, or whose data end there.
#[inline(always)]
pub(super) fn syn_of(seq: u32) -> Option<*const Sighting> {
    let found = SIGHTINGS.get_ptr(&PairingKey {
        seq,
        ack: 0,
        flags: u32::from(flag::SYN),
    })?;
    // SAFETY: a live map value.
    if unsafe { (*found).poisoned } != 0 {
        return None;
    }
    Some(found)
}

/// Enters the candidate in scratch memory as one that `packet` answers.
#[inline(never)]
fn answer(packet: Packet) {
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory.
    let candidate = unsafe { &mut (*scratch).candidate };
    candidate.at_ns = now();
    candidate.state = ANSWERED;
    answer_line_ends(candidate, &packet);
    candidate.client_next = packet.ack;
    candidate.server_isn = packet.seq;
    candidate.server_next = packet.seq.wrapping_add(1 + packet.payload_len());
    if !is_made(candidate) {
        // The client's ACK comes from here, where it is at egress already.
        let _ = CANDIDATES.insert(&candidate.after, &*candidate, REPLACE);
    }
}
