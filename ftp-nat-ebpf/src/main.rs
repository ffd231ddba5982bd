//! The kernel side of ftp-nat: one TC program at ingress and one at egress of
//! every gateway interface, and those that these call. All logic that can be
//! tested on the host is in `ftp-nat-common`; what is here reaches into packets
//! and maps.
//!
//! | module | holds |
//! |---|---|
//! | [`stage`] | the programs, and how they hand a packet on |
//! | [`packet`] | parsing headers, reading and writing packet bytes |
//! | [`options`] | TCP options: finding one, lowering the MSS |
//! | [`sums`] | checksums |
//! | [`maps`] | the maps |
//! | [`memory`] | copying and clearing memory |
//! | [`sync`] | atomic operations, and the lock of a session |
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
mod memory;
mod options;
mod packet;
mod reclaim;
mod sources;
mod stage;
mod sums;
mod sync;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    macros::classifier,
    programs::TcContext,
};
use ftp_nat_common::{layout::stage as to, tcp::flag};
use packet::Packet;

/// `PACKET_HOST` of `include/uapi/linux/if_packet.h`.
const PACKET_HOST: u32 = 0;

/// A frame with a VLAN tag belongs to the interface of that VLAN.
#[inline(always)]
fn is_tagged(ctx: &TcContext) -> bool {
    // SAFETY: the context is valid for the whole run.
    unsafe { (*ctx.skb.skb).vlan_present != 0 }
}

/// Whether a packet may belong to a control connection.
#[inline(always)]
fn is_control(packet: &Packet) -> bool {
    maps::is_control_port(packet.tuple.sport) || maps::is_control_port(packet.tuple.dport)
}

/// Whether it begins a connection.
#[inline(always)]
fn is_syn(packet: &Packet) -> bool {
    packet.flags & (flag::SYN | flag::ACK | flag::FIN | flag::RST) == flag::SYN
}

/// Ingress sees a packet before the gateway's NAT.
#[classifier]
pub fn ftp_nat_ingress(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    // A frame for another host, seen by a promiscuous interface, is nobody's
    // business here: the stack won't forward it either.
    // SAFETY: the context is valid for the whole run.
    if unsafe { (*skb).pkt_type } != PACKET_HOST || is_tagged(&ctx) {
        return TC_ACT_UNSPEC;
    }
    // Another gateway's in another namespace of this machine, where egress was not
    // there to clear it.
    packet::is_forwarded(skb);
    let kind = packet::read(skb);
    match kind {
        packet::TCP | packet::FIRST_FRAGMENT => {}
        packet::ICMP_ERROR => return stage::hand_on(&ctx, to::ICMP_IN),
        packet::LATER_FRAGMENT => return stage::hand_on(&ctx, to::FRAGMENT_IN),
        _ => return TC_ACT_UNSPEC,
    }
    let Some(packet) = Packet::current(skb) else {
        return TC_ACT_UNSPEC;
    };
    if kind == packet::FIRST_FRAGMENT {
        return if is_control(&packet) && packet.flags & flag::SYN == 0 {
            stage::hand_on_control(&ctx, &packet, to::CONTROL)
        } else {
            stage::hand_on(&ctx, to::FRAGMENT_IN)
        };
    }
    if !stage::is_resumed() {
        if is_control(&packet) {
            return if packet.flags & flag::SYN != 0 {
                stage::hand_on(&ctx, to::SYN)
            } else {
                stage::hand_on_control(&ctx, &packet, to::CONTROL)
            };
        }
        if is_syn(&packet) {
            return stage::hand_on(&ctx, to::SYN);
        }
    }
    data::ingress(packet)
}

/// A SYN at ingress: of a control connection, or perhaps an expected one.
#[classifier]
pub fn ftp_nat_syn(ctx: TcContext) -> i32 {
    let Some(packet) = Packet::current(ctx.skb.skb) else {
        return TC_ACT_UNSPEC;
    };
    if is_control(&packet) {
        let verdict = control::handshake(packet);
        if verdict != control::NOT_CONTROL {
            return verdict;
        }
    }
    if is_syn(&packet) {
        let verdict = data::open(packet);
        if verdict != data::GO_ON {
            return verdict;
        }
    }
    stage::resume(&ctx, &packet, to::INGRESS)
}

/// A segment from or to a control port, before NAT; or of an end on the gateway
/// itself, behind it.
#[classifier]
pub fn ftp_nat_control(ctx: TcContext) -> i32 {
    let Some(packet) = Packet::current(ctx.skb.skb) else {
        return TC_ACT_UNSPEC;
    };
    let verdict = control::ingress(packet, stage::is_resumed());
    if verdict == control::NOT_CONTROL && packet.is_fragment {
        return stage::hand_on(&ctx, to::FRAGMENT_IN);
    }
    if verdict == control::NOT_CONTROL {
        return stage::resume(&ctx, &packet, to::INGRESS);
    }
    if verdict == control::UNKNOWN {
        return stage::hand_on(&ctx, to::BEGIN);
    }
    if verdict == control::REBUILT {
        stage::hand_on(&ctx, to::EDIT);
        control::wipe(packet);
        return TC_ACT_SHOT as i32;
    }
    verdict
}

/// A segment from or to a control port whose connection isn't known: learns it.
#[classifier]
pub fn ftp_nat_begin(ctx: TcContext) -> i32 {
    let Some(packet) = Packet::current(ctx.skb.skb) else {
        return TC_ACT_UNSPEC;
    };
    // One that is told that it will be replaced stays until it is.
    if learn::complete(packet) != 0 || control::half(&packet.tuple).is_some() {
        return stage::resume(&ctx, &packet, to::CONTROL);
    }
    if packet.from_egress {
        learn::local_midway_at_egress(packet);
        return TC_ACT_UNSPEC;
    }
    if !learn::local_midway_at_ingress(packet) {
        learn::sight_midway(packet);
    }
    stage::resume(&ctx, &packet, to::INGRESS)
}

/// Gives a segment of a control connection its new payload.
#[classifier]
pub fn ftp_nat_edit(ctx: TcContext) -> i32 {
    match Packet::current(ctx.skb.skb) {
        Some(packet) => control::edit(packet),
        None => TC_ACT_SHOT as i32,
    }
}

/// A fragment that isn't of a control connection, before NAT.
#[classifier]
pub fn ftp_nat_frag_in(ctx: TcContext) -> i32 {
    match Packet::current(ctx.skb.skb) {
        Some(packet) => data::fragment::ingress(packet),
        None => TC_ACT_UNSPEC,
    }
}

/// The same, after NAT.
#[classifier]
pub fn ftp_nat_fragout(ctx: TcContext) -> i32 {
    match Packet::current(ctx.skb.skb) {
        Some(packet) => data::fragment::egress(packet),
        None => TC_ACT_UNSPEC,
    }
}

/// An ICMP error, before NAT.
#[classifier]
pub fn ftp_nat_icmp_in(ctx: TcContext) -> i32 {
    icmp::ingress(ctx.skb.skb)
}

/// An ICMP error, after NAT.
#[classifier]
pub fn ftp_nat_icmpout(ctx: TcContext) -> i32 {
    icmp::egress(ctx.skb.skb)
}

/// Egress sees the same packet after it.
#[classifier]
pub fn ftp_nat_egress(ctx: TcContext) -> i32 {
    let skb = ctx.skb.skb;
    if is_tagged(&ctx) || packet::is_forwarded(skb) {
        return TC_ACT_UNSPEC;
    }
    let kind = packet::read(skb);
    match kind {
        packet::TCP | packet::FIRST_FRAGMENT => {}
        packet::ICMP_ERROR => return stage::hand_on(&ctx, to::ICMP_OUT),
        packet::LATER_FRAGMENT if data::stack::is_used() => {
            return stage::hand_on(&ctx, to::FRAGMENT_OUT);
        }
        _ => return TC_ACT_UNSPEC,
    }
    if kind == packet::FIRST_FRAGMENT {
        return match Packet::current(skb) {
            Some(packet) if is_control(&packet) => control::egress(packet),
            Some(_) if data::stack::is_used() => stage::hand_on(&ctx, to::FRAGMENT_OUT),
            _ => TC_ACT_UNSPEC,
        };
    }
    let is_resumed = stage::is_resumed();
    let Some(packet) = Packet::current(skb) else {
        return TC_ACT_UNSPEC;
    };
    if !is_resumed && learn::is_wanted(&packet) {
        let verdict = stage::hand_on(&ctx, to::LEARN);
        // A data SYN whose connection the stack forwards isn't translated yet.
        // SAFETY: the context is valid for the whole run.
        let is_tagged = unsafe { (*skb).tc_index } != 0;
        return if is_tagged {
            TC_ACT_SHOT as i32
        } else {
            verdict
        };
    }
    let is_sender = local::is_sender(&packet);
    if is_control(&packet) {
        let verdict = control::egress(packet);
        if verdict != TC_ACT_UNSPEC {
            return verdict;
        }
        if is_sender && packet.flags & flag::SYN == 0 {
            packet.set_from_egress();
            return stage::hand_on_control(&ctx, &packet, to::CONTROL);
        }
    } else if is_sender && is_syn(&packet) {
        data::from_local(packet);
    }
    data::stack::egress(packet)
}

/// Learns from a packet at egress.
#[classifier]
pub fn ftp_nat_learn(ctx: TcContext) -> i32 {
    let Some(packet) = Packet::current(ctx.skb.skb) else {
        return TC_ACT_UNSPEC;
    };
    if !learn::at_egress(packet) {
        return TC_ACT_SHOT as i32;
    }
    stage::resume(&ctx, &packet, to::EGRESS)
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
