//! The state of flows: what their packets mean for it, and their end.

use ftp_nat_common::{
    addr::Tuple,
    counter::Counter,
    source::what,
    tcp::flag,
    translation::{
        FLOW_ESTABLISHED, FLOW_FIN, FLOW_FORWARD, FLOW_PEER_FIN, FLOW_RST, FLOW_STACK, Flow,
    },
};

use crate::{
    event,
    maps::{FLOWS, STACK_FLOWS, count},
    packet::Packet,
    sources, sync,
};

/// Removes a flow that is over, with what egress knows of it.
#[inline(never)]
pub fn forget(key: &Tuple, flow: &Flow) {
    if flow.flags & FLOW_STACK != 0 {
        let (exit, to) = flow.exit(key);
        // SAFETY: read at once.
        let own = match unsafe { STACK_FLOWS.get(exit) } {
            // A newer connection may have taken it over.
            Some(found) => *found == to,
            None => false,
        };
        if own {
            let _ = STACK_FLOWS.remove(exit);
        }
    }
    let client = flow.encrypted_client(key);
    // Of several CPUs, the one that removes it counts it.
    if FLOWS.remove(key).is_ok()
        && let Some(client) = client
    {
        sources::give(&client, what::ENCRYPTED);
    }
}

/// The connection is being opened: the SYN belongs to it.
pub const AGAIN: u32 = 0;
/// It was open and is over.
pub const OVER: u32 = 1;
/// It is open, or the SYN is of the end that doesn't connect.
pub const OPEN: u32 = 2;

/// What a SYN of the flow's ends is. A connection that was open lets no other one in,
/// which has to be expected anew; nor may the end that announced connect by it.
#[inline(never)]
pub fn begins_again(flow: &mut Flow) -> u32 {
    let forward = flow.flags & FLOW_FORWARD != 0;
    if !forward || flow.was_open() {
        count(Counter::RefusedDataSource);
        return if flow.is_closed() { OVER } else { OPEN };
    }
    if flow.is_closed() {
        retried(flow);
    }
    AGAIN
}

/// The end that connects tries again after a RST of its own: the other one still
/// was in TIME-WAIT from an earlier connection of the same ends, and answered by an
/// ACK (RFC 9293 section 3.10.7.3).
#[inline(always)]
fn retried(flow: &mut Flow) {
    // SAFETY: live map values.
    unsafe {
        sync::and32(&raw mut flow.flags, !FLOW_RST);
        if let Some(peer) = FLOWS.get_ptr_mut(flow.to.reversed()) {
            sync::and32(&raw mut (*peer).flags, !FLOW_RST);
        }
    }
}

/// Counts a packet.
#[inline(always)]
pub fn tally(packet: &Packet, flow: &mut Flow) {
    // SAFETY: live map values.
    unsafe {
        sync::add(&raw mut flow.packets, 1);
        sync::add(&raw mut flow.bytes, u64::from(packet.l3_len));
    }
    count(Counter::DataPackets);
}

/// Whether the other direction is over too. One direction may be silent for
/// long while the other one is not.
#[inline(never)]
pub fn is_over(flow: &Flow, now: u64) -> bool {
    match FLOWS.get_ptr(flow.to.reversed()) {
        // SAFETY: a live map value.
        Some(peer) => unsafe { (*peer).gives_way(now) },
        None => true,
    }
}

/// Notes what the packet means for the connection's state.
#[inline(always)]
pub fn follow(packet: &Packet, flow: &mut Flow, now: u64) {
    flow.last_ns = now;
    let mut own = 0;
    let mut other = 0;
    if packet.flags & flag::RST != 0 {
        own = FLOW_RST;
        other = FLOW_RST;
    } else if packet.flags & flag::FIN != 0 {
        own = FLOW_FIN;
        other = FLOW_PEER_FIN;
    } else if packet.flags & (flag::SYN | flag::ACK) == flag::ACK
        && flow.flags & (FLOW_ESTABLISHED | FLOW_FORWARD) == FLOW_FORWARD
    {
        // The end that connects ends the handshake. A bare ACK of the other one
        // before may be about an earlier connection (see `retried`).
        own = FLOW_ESTABLISHED;
        other = FLOW_ESTABLISHED;
    }
    let before = flow.flags;
    if before & own != own {
        // SAFETY: a live map value.
        unsafe { sync::or32(&raw mut flow.flags, own) };
    }
    if other != 0
        && let Some(peer) = FLOWS.get_ptr_mut(flow.to.reversed())
    {
        // SAFETY: a live map value.
        unsafe { sync::or32(&raw mut (*peer).flags, other) };
    }
    if own & (FLOW_RST | FLOW_FIN) & !before != 0 {
        event::ftp_nat_over(before);
    }
}
