//! Learning a connection of a client or a server on the gateway itself whose
//! handshake was not seen. Each of its packets is seen at one hook only: one that
//! is sent at egress, one that is received at ingress, and both views are the same.

use aya_ebpf::helpers::{bpf_sk_release, bpf_skc_lookup_tcp};
use ftp_nat_common::{
    addr::Tuple,
    layout::SETTING_DRAINING,
    pairing::{Candidate, MIDWAY, MIDWAY_AT_LINE_END, SIGHTING_MAX_AGE_NS},
    tcp::flag,
};

use super::{
    local::has_socket,
    now,
    pickup::{ends_line, is_time},
    session,
};
use crate::{
    maps::{CANDIDATES, REPLACE, Scratch, is_watched, scratch, setting},
    memory, options,
    packet::Packet,
};

/// A packet that the gateway itself sends, of no session yet.
#[inline(always)]
pub fn at_egress(packet: Packet) {
    if is_ordinary(&packet) && has_socket(&packet) && !answers(packet, Side::Sent as u32) {
        begins(packet, Side::Sent as u32);
    }
}

/// A packet that came in, of no session yet. `false`: it isn't for the gateway.
#[inline(always)]
pub fn at_ingress(packet: Packet) -> bool {
    is_ordinary(&packet)
        && (answers(packet, Side::Received as u32)
            || (is_watched(packet.tuple.dport)
                && is_received(packet)
                && begins(packet, Side::Received as u32)))
}

/// Where the end on the gateway is.
enum Side {
    /// It sends the packet.
    Sent = 0,
    /// It gets it.
    Received = 1,
}

#[inline(always)]
fn is_ordinary(packet: &Packet) -> bool {
    packet.flags & (flag::ACK | flag::RST | flag::FIN | flag::SYN) == flag::ACK
        && !setting(SETTING_DRAINING)
        && is_time()
        && !options::is_signed(packet)
}

/// The client's packet makes a candidate, if there is none of this connection.
#[inline(never)]
fn begins(packet: Packet, side: u32) -> bool {
    let Some(scratch) = scratch() else {
        return false;
    };
    if !is_watched(packet.tuple.dport) {
        return false;
    }
    // SAFETY: this CPU's own memory.
    let (key, candidate) = unsafe { (&mut (*scratch).key, &mut (*scratch).candidate) };
    *key = packet.tuple.reversed();
    if is_handshake(&packet.tuple) || is_handshake(key) {
        // Its SYN was seen: it is learned from its handshake or not at all.
        return false;
    }
    let ifindex = packet.ifindex();
    let (client, server) = if side == Side::Sent as u32 {
        (0, ifindex)
    } else {
        (ifindex, 0)
    };
    candidate.before = packet.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = client;
    candidate.server_ifindex = server;
    candidate.client_isn = 0;
    candidate.server_isn = 0;
    candidate.client_next = packet.seq.wrapping_add(packet.payload_len());
    candidate.server_next = 0;
    candidate.client_ack = packet.ack;
    candidate.state = if ends_line(&packet) {
        MIDWAY_AT_LINE_END
    } else {
        MIDWAY
    };
    candidate.ends_line = [0; 2];
    CANDIDATES.insert(&*key, &*candidate, REPLACE).is_ok()
}

/// Whether there is a candidate from a handshake.
#[inline(never)]
fn is_handshake(key: &Tuple) -> bool {
    match CANDIDATES.get_ptr(key) {
        // SAFETY: a live map value.
        Some(found) => unsafe { (*found).state != MIDWAY && (*found).state != MIDWAY_AT_LINE_END },
        None => false,
    }
}

/// The server's packet makes the session that a candidate waits for.
#[inline(never)]
fn answers(packet: Packet, side: u32) -> bool {
    let (Some(found), Some(scratch)) = (CANDIDATES.get_ptr(&packet.tuple), scratch()) else {
        return false;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let candidate = unsafe {
        memory::copy(&raw mut (*scratch).candidate, found);
        &(*scratch).candidate
    };
    if !waits(candidate, side) {
        return false;
    }
    make(packet, scratch);
    true
}

/// Whether the candidate is one of an end on the gateway that gets, or sends,
/// such a packet.
#[inline(always)]
fn waits(candidate: &Candidate, side: u32) -> bool {
    let local = if side == Side::Sent as u32 {
        candidate.server_ifindex
    } else {
        candidate.client_ifindex
    };
    local == 0
        && (candidate.state == MIDWAY || candidate.state == MIDWAY_AT_LINE_END)
        && now().wrapping_sub(candidate.at_ns) <= 20 * SIGHTING_MAX_AGE_NS
}

#[inline(always)]
fn make(packet: Packet, scratch: *mut Scratch) {
    // SAFETY: this CPU's own memory.
    let candidate = unsafe { &(*scratch).candidate };
    if let Some(id) = session::from_midway(&packet, candidate) {
        session::enter(scratch, id);
    }
}

/// Whether a connection of the gateway's own gets the packet.
#[inline(never)]
fn is_received(packet: Packet) -> bool {
    const CURRENT_NETNS: u64 = u64::MAX;
    // `BPF_TCP_ESTABLISHED` of include/uapi/linux/bpf.h.
    const ESTABLISHED: u32 = 1;
    // `bpf_sock_tuple` of the same file: both addresses, both ports.
    const SIZE_V4: u32 = 12;
    const SIZE_V6: u32 = 36;
    let tuple = &packet.tuple;
    let ports = u32::from(tuple.sport.0) | u32::from(tuple.dport.0) << 16;
    let mut words = [0u32; 9];
    let size = if packet.is_v4 {
        words[0] = tuple.src.v4_word();
        words[1] = tuple.dst.v4_word();
        words[2] = ports;
        SIZE_V4
    } else {
        words[..4].copy_from_slice(&tuple.src.0);
        words[4..8].copy_from_slice(&tuple.dst.0);
        words[8] = ports;
        SIZE_V6
    };
    // SAFETY: the size tells the helper the family; a socket that was found is
    // released.
    unsafe {
        let found = bpf_skc_lookup_tcp(
            packet.skb.cast(),
            (&raw mut words).cast(),
            size,
            CURRENT_NETNS,
            0,
        );
        if found.is_null() {
            return false;
        }
        let state = (*found).state;
        bpf_sk_release(found.cast());
        state == ESTABLISHED
    }
}
