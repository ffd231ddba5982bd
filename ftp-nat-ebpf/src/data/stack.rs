//! Data connections that the kernel's stack forwards, so that its firewall,
//! connection tracking and accounting see them. As netfilter does, the
//! destination is translated at ingress and the source at egress: the stack
//! never meets a packet from one of its own addresses, which it would drop.
//!
//! ```text
//!               ingress            the stack's NAT, if any       egress
//!   SYN  far > near_seen:P   far > near    x > near    far_seen > near
//!   back near_seen:P > far   near > far    near > x    near > far_seen
//!               egress                                   ingress
//! ```
//!
//! What the stack made of the SYN (`x`) is learned as it leaves. TTL, MTU,
//! fragments and routes are the stack's business.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use ftp_nat_common::{
    addr::Tuple,
    counter::Counter,
    layout::SETTING_STACK_FLOWS,
    pairing::Sighting,
    tcp::flag,
    translation::{FLOW_FORWARD, FLOW_STACK, Flow, Way},
};

use super::{mark, state, translate};
use crate::{
    learn,
    maps::{FLOWS, REPLACE, STACK_FLOWS, count, scratch, setting},
    memory,
    packet::Packet,
};

/// Hands a packet of `flow` to the stack.
#[inline(never)]
pub fn ingress(packet: Packet, flow: &mut Flow, now: u64) -> i32 {
    let packet = &packet;
    let forward = flow.flags & FLOW_FORWARD != 0;
    if forward && packet.flags & (flag::SYN | flag::ACK) == flag::SYN {
        // Each time it is sent: it may have been dropped on the way to egress.
        learn::sight(*packet);
        // SAFETY: the context is valid for the whole run.
        if unsafe { (*packet.skb).tc_index } == 0 {
            return lose();
        }
    }
    state::follow(packet, flow, now);
    state::tally(packet, flow);
    if forward {
        mark(packet);
    }
    let Some(scratch) = scratch() else {
        return TC_ACT_SHOT as i32;
    };
    // SAFETY: this CPU's own memory. The stack has no room left for it.
    let to = unsafe { &mut (*scratch).key };
    *to = flow.at_stack(&packet.tuple);
    translated(packet, to)
}

/// The SYN isn't one of a data connection.
pub const NOT_DATA: u32 = 0;
/// What the stack made of the SYN is known.
pub const LEARNED: u32 = 1;
/// It can't be known; the SYN has to be dropped.
pub const LOST: u32 = 2;

/// Learns from a data SYN what the stack makes of its connection's packets:
/// `packet` is what ingress saw as `sighting`.
#[inline(never)]
pub fn learn(packet: Packet, sighting: &Sighting) -> u32 {
    let (packet, came) = (&packet, &sighting.tuple);
    let (Some(there), Some(scratch)) = (FLOWS.get_ptr_mut(came), scratch()) else {
        return NOT_DATA;
    };
    // SAFETY: a live map value, and this CPU's own memory.
    let (there, back) = unsafe { (&mut *there, &mut (*scratch).flow) };
    if there.flags & FLOW_STACK == 0 {
        return NOT_DATA;
    }
    // The port is the one that the stack's NAT chose; the address is the one
    // that near knows its peer by.
    let mut left = packet.tuple;
    left.src = there.to.src;
    if left.dst != there.to.dst || left.dport != there.to.dport {
        // Somebody else translated the destination too: it leads elsewhere.
        count(Counter::StackSynLost);
        return LOST;
    }
    let answer = left.reversed();
    if let Some(known) = FLOWS.get_ptr(answer) {
        // SAFETY: a live map value.
        let known = unsafe { &*known };
        if known.flags & FLOW_STACK != 0
            && known.made_ns == there.made_ns
            && known.via == packet.tuple.src
        {
            // The SYN was sent again.
            return LEARNED;
        }
    }
    // SAFETY: a live map value, and this CPU's own memory.
    unsafe { memory::copy(back, there) };
    back.last_ns = back.made_ns;
    back.way = Way::NONE;
    back.in_by = 0;
    back.packets = 0;
    back.bytes = 0;
    back.to = came.reversed();
    back.via = packet.tuple.src;
    back.via_port = packet.tuple.sport;
    back.out_ifindex = sighting.ifindex;
    back.flags = FLOW_STACK;
    if FLOWS.insert(answer, &*back, REPLACE).is_err() {
        count(Counter::FlowsTableFull);
        return LOST;
    }
    if STACK_FLOWS.insert(&packet.tuple, left, REPLACE).is_err() {
        let _ = FLOWS.remove(answer);
        count(Counter::FlowsTableFull);
        return LOST;
    }
    there.to.sport = left.sport;
    there.out_ifindex = packet.ifindex();
    LEARNED
}

/// Whether there may be connections that the stack forwards.
#[inline(always)]
pub fn is_used() -> bool {
    setting(SETTING_STACK_FLOWS)
}

/// A packet that the stack has forwarded, or any other.
#[inline(always)]
pub fn egress(packet: Packet) -> i32 {
    if is_used() {
        leave(packet)
    } else {
        TC_ACT_UNSPEC
    }
}

#[inline(never)]
pub(super) fn leave(packet: Packet) -> i32 {
    let packet = &packet;
    match STACK_FLOWS.get_ptr(packet.tuple) {
        // SAFETY: a live map value.
        Some(to) => translated(packet, unsafe { &*to }),
        None => TC_ACT_UNSPEC,
    }
}

#[inline(always)]
fn translated(packet: &Packet, to: &Tuple) -> i32 {
    if *to == packet.tuple || translate::at_stack(*packet, to) {
        TC_ACT_UNSPEC
    } else {
        count(Counter::DroppedEditFailed);
        TC_ACT_SHOT as i32
    }
}

/// Drops a SYN that could not be recognised at egress.
#[inline(always)]
fn lose() -> i32 {
    count(Counter::StackSynLost);
    TC_ACT_SHOT as i32
}
