//! What a router answers to a packet it can't forward: ICMP time exceeded, and
//! fragmentation needed or packet too big (RFC 792, RFC 1191, RFC 4443). The
//! error quotes the packet as its sender sent it.

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, bpf_adj_room_mode::BPF_ADJ_ROOM_MAC},
    helpers::{
        bpf_csum_diff, bpf_redirect, bpf_skb_adjust_room, bpf_skb_change_tail, bpf_skb_load_bytes,
        bpf_skb_store_bytes,
    },
};
use ftp_nat_common::{addr::Addr, csum};

use crate::{
    maps::{INTERFACES, Scratch, scratch},
    packet::{
        Packet, bounded_from_one, icmp, load, protocol, store, v4, v6,
        wire::{IcmpHeader, Ipv4Header, Ipv6Header},
    },
    sums::pseudo_sum,
};

/// Why a packet can't be forwarded: the MTU of the way out that it is too big
/// for, or this. A plain number, because the payload of an enum that has none
/// would be undefined in its register, which the verifier doesn't let pass.
pub const TTL_EXCEEDED: u32 = 0;

const TTL: u8 = 64;

/// Bytes of the packet that are quoted: its headers with all options fit.
const QUOTE: u32 = 128;

#[repr(C)]
struct Ipv4Icmp {
    ip: Ipv4Header,
    icmp: IcmpHeader,
}

#[repr(C)]
struct Ipv6Icmp {
    ip: Ipv6Header,
    icmp: IcmpHeader,
}

/// Turns the packet into the error about itself and sends it back.
#[inline(never)]
pub fn send(packet: Packet, trouble: u32) -> i32 {
    match try_answer(&packet, trouble) {
        Some(verdict) => verdict,
        None => TC_ACT_SHOT as i32,
    }
}

#[inline(always)]
fn try_answer(packet: &Packet, trouble: u32) -> Option<i32> {
    let scratch = scratch()?;
    // Whole words, because that is what the kernel sums.
    let quote = packet.l3_len.min(QUOTE) & !3;
    let quoted = sum_quote(packet, scratch, quote)?;
    // SAFETY: helper calls with numbers only.
    unsafe {
        if bpf_skb_change_tail(packet.skb.cast(), packet.l3 + quote, 0) != 0 {
            return None;
        }
        let header = if packet.is_v4 {
            v4::HEADER_LEN
        } else {
            v6::HEADER_LEN
        } + icmp::HEADER_LEN;
        if bpf_skb_adjust_room(packet.skb.cast(), header as i32, BPF_ADJ_ROOM_MAC, 0) != 0 {
            return None;
        }
    }
    let (from, to) = (source(packet), packet.tuple.src);
    let written = if packet.is_v4 {
        write_v4(packet, trouble, quote, quoted, from, to)
    } else {
        write_v6(packet, trouble, quote, quoted, from, to)
    };
    if !written || !swap_macs(packet) {
        return None;
    }
    // SAFETY: a helper call with numbers only.
    Some(unsafe { bpf_redirect(packet.ifindex(), 0) } as i32)
}

/// The sum of what is quoted, as it will stand on the wire.
#[inline(always)]
fn sum_quote(packet: &Packet, scratch: *mut Scratch, len: u32) -> Option<u32> {
    // SAFETY: this CPU's own memory.
    let buffer = unsafe { (&raw mut (*scratch).header).cast::<u8>() };
    let sum = |at: u32, len: u32| -> Option<u32> {
        let len = len.min(QUOTE);
        if len == 0 {
            return Some(0);
        }
        let len = bounded_from_one(len, QUOTE - 1);
        // SAFETY: at most `QUOTE` bytes go into the buffer and are summed there.
        unsafe {
            if bpf_skb_load_bytes(packet.skb.cast(), at, buffer.cast(), len) != 0 {
                return None;
            }
            Some(bpf_csum_diff(core::ptr::null_mut(), 0, buffer.cast(), len & !3, 0) as u32)
        }
    };
    // A checksum that is left to the device is put in when the packet leaves,
    // and makes the TCP part sum up to what the pseudo-header doesn't.
    let seed = pseudo_sum(packet);
    if csum::fold(seed) == packet.check {
        let header = sum(packet.l3, packet.l4 - packet.l3)?;
        return Some(csum::add(header, u32::from(!csum::fold(seed))));
    }
    sum(packet.l3, len)
}

/// The gateway's address on the interface, or the address the sender wrote to.
#[inline(always)]
fn source(packet: &Packet) -> Addr {
    // SAFETY: copied at once.
    if let Some(interface) = unsafe { INTERFACES.get(packet.ifindex()) } {
        let own = if packet.is_v4 {
            interface.addr_v4
        } else {
            interface.addr_v6
        };
        if own != Addr::UNSPECIFIED {
            return own;
        }
    }
    packet.tuple.dst
}

#[inline(always)]
fn sum_words<const N: usize>(value: *const [u32; N]) -> u32 {
    let mut sum = 0;
    let mut n = 0;
    while n < N {
        // SAFETY: the caller's structure is `N` words long.
        sum = csum::add(sum, unsafe { (*value)[n] });
        n += 1;
    }
    sum
}

#[inline(always)]
fn write_v4(packet: &Packet, trouble: u32, quote: u32, quoted: u32, from: Addr, to: Addr) -> bool {
    let (kind, code) = if trouble == TTL_EXCEEDED {
        (icmp::V4_TIME_EXCEEDED, 0)
    } else {
        (icmp::V4_UNREACHABLE, icmp::V4_FRAGMENTATION_NEEDED)
    };
    let mut h = Ipv4Icmp {
        ip: Ipv4Header {
            version_len: 0x45,
            tos: 0,
            total_len: ((v4::HEADER_LEN + icmp::HEADER_LEN + quote) as u16).to_be(),
            id: 0,
            fragment: 0,
            ttl: TTL,
            protocol: protocol::ICMP,
            check: 0,
            src: from.v4_word(),
            dst: to.v4_word(),
        },
        icmp: IcmpHeader {
            kind,
            code,
            check: 0,
            rest: trouble.to_be(),
        },
    };
    h.ip.check = !csum::fold(sum_words::<5>((&raw const h).cast()));
    let header = sum_words::<2>((&raw const h.icmp).cast());
    h.icmp.check = !csum::fold(csum::add(header, quoted));
    store(packet.skb, packet.l3, &h)
}

#[inline(always)]
fn write_v6(packet: &Packet, trouble: u32, quote: u32, quoted: u32, from: Addr, to: Addr) -> bool {
    let kind = if trouble == TTL_EXCEEDED {
        icmp::V6_TIME_EXCEEDED
    } else {
        icmp::V6_TOO_BIG
    };
    let len = icmp::HEADER_LEN + quote;
    let mut h = Ipv6Icmp {
        ip: Ipv6Header {
            version_class_flow: 0x6000_0000u32.to_be(),
            payload_len: (len as u16).to_be(),
            next_header: protocol::ICMPV6,
            hop_limit: TTL,
            src: from.0,
            dst: to.0,
        },
        icmp: IcmpHeader {
            kind,
            code: 0,
            check: 0,
            rest: trouble.to_be(),
        },
    };
    let addresses = sum_words::<8>((&raw const h.ip.src).cast());
    let pseudo = csum::add(len.to_be(), u32::from(protocol::ICMPV6).to_be());
    let header = sum_words::<2>((&raw const h.icmp).cast());
    let sum = csum::add(csum::add(addresses, pseudo), csum::add(header, quoted));
    h.icmp.check = !csum::fold(sum);
    store(packet.skb, packet.l3, &h)
}

/// Back to where it came from, on devices that have an Ethernet header.
#[inline(always)]
fn swap_macs(packet: &Packet) -> bool {
    if packet.l3 == 0 {
        return true;
    }
    let Some([dst, src]) = load::<[[u8; 6]; 2]>(packet.skb, 0) else {
        return false;
    };
    let swapped = [src, dst];
    // SAFETY: twelve bytes of a live value are read.
    unsafe { bpf_skb_store_bytes(packet.skb.cast(), 0, (&raw const swapped).cast(), 12, 0) == 0 }
}
