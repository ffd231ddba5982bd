//! The kernel side of ftp-nat: one TC program at ingress and one at egress of
//! every gateway interface. All logic that can be tested on the host is in
//! `ftp-nat-common`; what is here reaches into packets and maps.
//!
//! | module | holds |
//! |---|---|
//! | [`packet`] | parsing headers, reading and writing packet bytes |
//! | [`sums`] | checksums |
//! | [`maps`] | the maps |
//! | [`learn`] | learning a connection's translation from both hooks |
//! | [`control`] | segments of control connections: edits, sequence numbers, acks |
//! | [`reclaim`] | making room in full tables |
//! | [`sources`] | how much of them one host has |
//! | [`event`] | events for userspace |
//! | [`log`] | the log for people |
//! | [`data`] | data connections: expectations, flows, forwarding |
//! | [`icmp`] | ICMP errors: made, translated, renumbered |
//! | [`local`] | clients and servers on the gateway itself |
#![no_std]
#![no_main]
#![allow(internal_features)]
#![feature(core_intrinsics)]

mod control;
mod data;
mod event;
mod icmp;
mod learn;
mod local;
mod log;
mod maps;
mod options;
mod packet;
mod reclaim;
mod sources;
mod sums;
mod sync;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::classifier,
    programs::TcContext,
};
use packet::Packet;

/// `PACKET_HOST` of `include/uapi/linux/if_packet.h`.
const PACKET_HOST: u32 = 0;

/// A frame with a VLAN tag belongs to the interface of that VLAN.
#[inline(always)]
fn is_tagged(ctx: &TcContext) -> bool {
    // SAFETY: the context is valid for the whole run.
    unsafe { (*ctx.skb.skb).vlan_present != 0 }
}

/// Ingress sees a packet before the gateway's NAT.
#[classifier]
pub fn ftp_nat_ingress(ctx: TcContext) -> i32 {
    // A frame for another host, seen by a promiscuous interface, is nobody's
    // business here: the stack won't forward it either.
    // SAFETY: the context is valid for the whole run.
    if !local::is_taken_over() && unsafe { (*ctx.skb.skb).pkt_type } != PACKET_HOST {
        return TC_ACT_UNSPEC;
    }
    if is_tagged(&ctx) {
        return TC_ACT_UNSPEC;
    }
    match packet::read(ctx.skb.skb) {
        packet::TCP => {}
        packet::ICMP_ERROR => return icmp::ingress(ctx.skb.skb),
        _ => return TC_ACT_UNSPEC,
    }
    let Some(packet) = Packet::current(ctx.skb.skb) else {
        return TC_ACT_UNSPEC;
    };
    if maps::is_control_port(packet.tuple.sport) || maps::is_control_port(packet.tuple.dport) {
        let verdict = control::ingress(packet);
        if verdict != control::NOT_CONTROL {
            return verdict;
        }
    }
    data::ingress(packet)
}

/// Egress sees the same packet after it.
#[classifier]
pub fn ftp_nat_egress(ctx: TcContext) -> i32 {
    if is_tagged(&ctx) {
        return TC_ACT_UNSPEC;
    }
    match packet::read(ctx.skb.skb) {
        packet::TCP => {}
        packet::ICMP_ERROR => return icmp::egress(ctx.skb.skb),
        _ => return TC_ACT_UNSPEC,
    }
    let Some(packet) = Packet::current(ctx.skb.skb) else {
        return TC_ACT_UNSPEC;
    };
    if !learn::at_egress(packet) {
        return TC_ACT_SHOT as i32;
    }
    let mut verdict = TC_ACT_UNSPEC;
    let control =
        maps::is_control_port(packet.tuple.sport) || maps::is_control_port(packet.tuple.dport);
    if control {
        verdict = control::egress(packet);
    }
    if local::is_sender(&packet) && verdict == TC_ACT_UNSPEC {
        if control {
            local::hand_over(&ctx, &packet);
        } else {
            data::from_local(packet);
        }
    }
    if verdict == TC_ACT_UNSPEC {
        verdict = data::stack::egress(packet);
    }
    verdict
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // Never reached: the verifier refuses a program that can come here.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
