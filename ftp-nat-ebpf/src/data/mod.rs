//! Data connections.
//!
//! | module | holds |
//! |---|---|
//! | [`flow`] | an expectation becomes a pair of flows; their state |
//! | [`forward`] | route, TTL, MTU, translation, redirection |

mod flow;
pub mod forward;

pub use flow::is_over as flow_is_over;

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use ftp_nat_common::tcp::flag;

use crate::{learn, log, maps::FLOWS, packet::Packet, reclaim};

/// A packet that isn't of a control connection, before NAT.
#[inline(never)]
pub fn ingress(packet: Packet) -> i32 {
    let packet = &packet;
    let now = learn::now();
    let mut opened = 0;
    if packet.flags & (flag::SYN | flag::ACK) == flag::SYN {
        opened = flow::open(*packet, now);
        if opened == flow::FULL {
            reclaim::flows();
        }
    }
    let Some(flow) = FLOWS.get_ptr_mut(&packet.tuple) else {
        return TC_ACT_UNSPEC;
    };
    // SAFETY: a live map value; its numbers are statistics and bits that only grow.
    let flow = unsafe { &mut *flow };
    if flow.expired(now) && flow::is_over(flow, now) {
        let _ = FLOWS.remove(&packet.tuple);
        return TC_ACT_UNSPEC;
    }
    if opened == flow::MADE {
        log::connected(packet.skb, flow);
    }
    forward::packet(*packet, flow, now)
}
