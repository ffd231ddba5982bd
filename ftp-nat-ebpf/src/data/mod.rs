//! Data connections.
//!
//! | module | holds |
//! |---|---|
//! | [`flow`] | an expectation becomes a pair of flows |
//! | [`state`] | the flows' state, and their end |
//! | [`encrypted`] | data connections of FTPS, to declared ports |
//! | [`default_port`] | data connections that nobody announced |
//! | [`forward`] | route, TTL, MTU, redirection |
//! | [`translate`] | new addresses and ports |
//! | [`stack`] | the same left to the stack |

mod default_port;
pub mod encrypted;
mod flow;
pub mod forward;
pub mod stack;
mod state;
pub mod translate;

pub use state::{forget as forget_flow, is_over as flow_is_over};

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use ftp_nat_common::{counter::Counter, tcp::flag, translation::FLOW_STACK};

pub use flow::from_local;

use crate::{
    learn,
    maps::{FLOWS, count, settings},
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
    if packet.flags & (flag::SYN | flag::ACK) == flag::SYN && flow.is_closed() {
        if flow.was_open() {
            // What was expected has come and is over: another connection of the same
            // ends has to be expected anew.
            count(Counter::RefusedDataSource);
            return TC_ACT_UNSPEC;
        }
        state::retried(flow);
    }
    if flow.flags & FLOW_STACK != 0 {
        return stack::ingress(*packet, flow, now);
    }
    forward::packet(*packet, flow, now)
}
