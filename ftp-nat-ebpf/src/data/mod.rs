//! Data connections.
//!
//! | module | holds |
//! |---|---|
//! | [`flow`] | an expectation becomes a pair of flows |
//! | [`state`] | the flows' state, and their end |
//! | [`encrypted`] | data connections of FTPS, to declared ports |
//! | [`default_port`] | data connections that nobody announced |
//! | [`fragment`] | their packets that come in fragments |
//! | [`forward`] | route, TTL, MTU, redirection |
//! | [`translate`] | new addresses and ports |
//! | [`stack`] | the same left to the stack |

mod default_port;
pub mod encrypted;
mod flow;
pub mod forward;
pub mod fragment;
pub mod stack;
mod state;
pub mod translate;

pub use state::{forget as forget_flow, is_over as flow_is_over};

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use ftp_nat_common::{
    counter::Counter,
    tcp::flag,
    translation::{FLOW_STACK, Flow},
};

pub use flow::from_local;

use crate::{
    learn,
    maps::{FLOWS, SIDE_UNKNOWN, count, settings, side},
    packet::Packet,
    reclaim,
};

/// Marks a packet that the stack handles, so that the firewall's rules can let
/// it by.
#[inline(always)]
fn mark(packet: &Packet) {
    let settings = settings();
    // SAFETY: the context is valid for the whole run.
    unsafe {
        let skb = packet.skb;
        (*skb).mark = ((*skb).mark & !settings.mark_mask) | settings.mark;
    }
}

/// There is no verdict yet.
pub const GO_ON: i32 = i32::MIN;

/// Whether a packet of the flow came in on its sender's side of the gateway. Who is
/// on the other side and takes on the sender's address isn't the sender. The other
/// direction's packets leave by the sender's interface.
#[inline(never)]
fn comes_from_sender(packet: Packet, flow: &mut Flow) -> bool {
    let in_by = packet.ifindex();
    let Some(answers) = FLOWS.get_ptr(flow.to.reversed()) else {
        // Not made yet: the stack has the SYN.
        return true;
    };
    // SAFETY: a live map value.
    let own = side(unsafe { (*answers).out_ifindex });
    // An interface that was removed is perhaps made anew under another index.
    let right = own == SIDE_UNKNOWN || own == side(in_by);
    if right {
        flow.in_by = in_by as u16;
    }
    right
}

/// A SYN, before NAT: makes a data connection, if one is expected.
#[inline(always)]
pub fn open(packet: Packet) -> i32 {
    match flow::open(packet, learn::exact_now()) {
        // There may be room now, for the SYN that will be sent again. The stack
        // would answer this one by a RST.
        flow::FULL if reclaim::flows() != 0 => return TC_ACT_SHOT as i32,
        flow::CAPPED => return TC_ACT_SHOT as i32,
        flow::LOCAL => {
            mark(&packet);
            return TC_ACT_UNSPEC;
        }
        _ => {}
    }
    GO_ON
}

/// A packet that isn't of a control connection, before NAT: forwarded if it is
/// of a data connection.
#[inline(always)]
pub fn ingress(packet: Packet) -> i32 {
    go_on(packet, WHOLE)
}

/// The packet has a TCP header.
const WHOLE: bool = false;
/// It is a fragment behind the first one, and has none.
const LATER: bool = true;

/// Forwards a packet if it is of a data connection.
#[inline(always)]
fn go_on(packet: Packet, later: bool) -> i32 {
    let packet = &packet;
    let Some(flow) = FLOWS.get_ptr_mut(&packet.tuple) else {
        return TC_ACT_UNSPEC;
    };
    // SAFETY: a live map value; its numbers are statistics and bits that only grow.
    let flow = unsafe { &mut *flow };
    let now = learn::now();
    if flow.expired(now) && state::is_over(flow, now) {
        state::forget(&packet.tuple, flow);
        return TC_ACT_UNSPEC;
    }
    if flow.in_by != packet.ifindex() as u16 && !comes_from_sender(*packet, flow) {
        count(Counter::WrongSide);
        return TC_ACT_UNSPEC;
    }
    if packet.flags & (flag::SYN | flag::ACK) == flag::SYN {
        match state::begins_again(flow) {
            state::AGAIN => {}
            // The stack may answer it.
            state::OVER => return TC_ACT_UNSPEC,
            _ => return TC_ACT_SHOT as i32,
        }
    }
    if flow.flags & FLOW_STACK != 0 {
        return stack::ingress(*packet, flow, now);
    }
    forward::packet(*packet, flow, now, later)
}
