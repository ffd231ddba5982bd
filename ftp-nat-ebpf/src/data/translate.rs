//! Giving a TCP packet its new addresses and ports.

use aya_ebpf::helpers::bpf_csum_update;
use ftp_nat_common::{
    addr::{Addr, Tuple},
    csum,
    tcp::flag,
};

use crate::{
    maps::scratch,
    packet::{Packet, protocol, store_part, tcp, v4, v6},
    sums::{addresses_sum, ports_sum, pseudo_sum},
};

/// The part of a TCP header that is written anew, in the packet's byte order.
#[repr(C)]
#[derive(Clone, Copy)]
struct TcpPart {
    ports: [u16; 2],
    seq: u32,
    ack: u32,
    offset: u8,
    flags: u8,
    window: u16,
    check: u16,
}

/// Bytes of it that are written: up to the checksum, or nothing but the ports.
const WITH_CHECK: u32 = tcp::CHECK + 2;
const PORTS: u32 = 4;

/// What is written anew of an IPv4 packet without options, in one piece: from the
/// TTL on.
#[repr(C)]
#[derive(Clone, Copy)]
struct EndsV4 {
    ttl: u8,
    protocol: u8,
    check: u16,
    src: u32,
    dst: u32,
    tcp: TcpPart,
}

/// The same of an IPv6 packet without extension headers, from the length on.
#[repr(C)]
#[derive(Clone, Copy)]
struct EndsV6 {
    payload_len: u16,
    next_header: u8,
    hop_limit: u8,
    src: Addr,
    dst: Addr,
    tcp: TcpPart,
}

const BEFORE_TCP_V4: u32 = v4::HEADER_LEN - v4::TTL;
const BEFORE_TCP_V6: u32 = v6::HEADER_LEN - v6::PAYLOAD_LEN;
const _: () = assert!(core::mem::offset_of!(EndsV4, tcp) == BEFORE_TCP_V4 as usize);
const _: () = assert!(core::mem::offset_of!(EndsV6, tcp) == BEFORE_TCP_V6 as usize);

/// What is being written, which is more than the stack has room for.
#[repr(C)]
pub union Ends {
    v4: EndsV4,
    v6: EndsV6,
}

/// Writes the new addresses and ports: a packet of which the stack has yet to
/// take, or has taken, a hop off its TTL.
#[inline(never)]
pub fn at_stack(packet: Packet, to: &Tuple) -> bool {
    translate(&packet, to, 0, packet.is_later)
}

/// Writes the new addresses and ports, and a TTL that is smaller by `hops`. `later`:
/// a fragment that has no ports and no checksum of TCP; that of the whole is right,
/// once it is in the first fragment, because a pseudo-header has the whole's length.
#[inline(always)]
pub fn translate(packet: &Packet, to: &Tuple, hops: u32, later: bool) -> bool {
    let Some(scratch) = scratch() else {
        return false;
    };
    let new_ttl = packet.ttl.wrapping_sub(hops as u8);
    let sum = |t: &Tuple| addresses_sum(packet.is_v4, t);
    let addresses = csum::diff(sum(&packet.tuple), sum(to));
    let ports = csum::diff(ports_sum(&packet.tuple), ports_sum(to));
    let whole = later || has_whole_check(packet);
    if later {
        told_of_part(packet, addresses, new_ttl);
    } else if whole {
        told(packet, addresses, new_ttl);
    } else if !packet.fix_tcp_check(addresses, true) || !packet.fix_tcp_check(ports, false) {
        return false;
    }
    let part = TcpPart {
        ports: [to.sport.0, to.dport.0],
        seq: packet.seq.to_be(),
        ack: packet.ack.to_be(),
        offset: packet.offset,
        flags: packet.flags,
        window: packet.window.to_be(),
        check: csum::apply(packet.check, csum::add(addresses, ports)),
    };
    let len = match (later, whole) {
        (true, _) => 0,
        (false, true) => WITH_CHECK,
        (false, false) => PORTS,
    };
    if packet.is_v4 {
        // The TTL is the first byte of its 16-bit word.
        let ttl = |ttl: u8| u32::from(u16::from_ne_bytes([ttl, 0]));
        let delta = csum::add(addresses, csum::diff(ttl(packet.ttl), ttl(new_ttl)));
        // SAFETY: this CPU's own memory.
        let ends = unsafe { &mut (*scratch).ends.v4 };
        *ends = EndsV4 {
            ttl: new_ttl,
            protocol: protocol::TCP,
            check: csum::apply(packet.ip_check, delta),
            src: to.src.v4_word(),
            dst: to.dst.v4_word(),
            tcp: part,
        };
        let at = packet.l3 + v4::TTL;
        if packet.l4 == packet.l3 + v4::HEADER_LEN {
            return store_part(packet.skb, at, ends, BEFORE_TCP_V4 + len);
        }
        return store_part(packet.skb, at, ends, BEFORE_TCP_V4)
            && (later || store_part(packet.skb, packet.l4, &ends.tcp, len));
    }
    // SAFETY: this CPU's own memory.
    let ends = unsafe { &mut (*scratch).ends.v6 };
    *ends = EndsV6 {
        payload_len: packet.v6_len,
        // The first extension header's, if there is one.
        next_header: packet.v6_next,
        hop_limit: new_ttl,
        src: to.src,
        dst: to.dst,
        tcp: part,
    };
    let at = packet.l3 + v6::PAYLOAD_LEN;
    if packet.l4 == packet.l3 + v6::HEADER_LEN {
        return store_part(packet.skb, at, ends, BEFORE_TCP_V6 + len);
    }
    store_part(packet.skb, at, ends, BEFORE_TCP_V6)
        && (later || store_part(packet.skb, packet.l4, &ends.tcp, len))
}

/// Whether the TCP checksum is known to cover all of the packet. One that is left to
/// a device is the sum of the pseudo-header so far, and only the kernel can tell
/// it from a whole one that happens to be the same. Of a merged packet nothing is
/// known, nor of a SYN, whose options were changed since its header was read.
#[inline(always)]
fn has_whole_check(packet: &Packet) -> bool {
    let beyond = csum::fold(csum::diff(u32::from(packet.check), pseudo_sum(packet)));
    packet.gso_size() == 0
        && packet.flags & flag::SYN == 0
        // Zero has two forms in one's complement.
        && beyond != 0
        && beyond != 0xffff
}

/// Tells the kernel by how much the sum over all of the packet changes, where a
/// device has given one. All that a checksum covers stays the same together with
/// it. So of IPv4 it changes by the pseudo-header, which only TCP's covers; of IPv6,
/// which has no other checksum, by the hop limit alone.
#[inline(always)]
fn told(packet: &Packet, addresses: u32, new_ttl: u8) {
    let change = if packet.is_v4 {
        !addresses
    } else {
        hop_limit_change(packet, new_ttl)
    };
    tell(packet, change);
}

/// The same of a fragment without TCP's checksum: nothing makes up for the addresses
/// of IPv6.
#[inline(always)]
fn told_of_part(packet: &Packet, addresses: u32, new_ttl: u8) {
    if !packet.is_v4 {
        tell(
            packet,
            csum::add(addresses, hop_limit_change(packet, new_ttl)),
        );
    }
}

#[inline(always)]
fn hop_limit_change(packet: &Packet, new: u8) -> u32 {
    // The hop limit is the second byte of its 16-bit word.
    let word = |ttl: u8| u32::from(u16::from_ne_bytes([0, ttl]));
    csum::diff(word(packet.ttl), word(new))
}

#[inline(always)]
fn tell(packet: &Packet, change: u32) {
    // Where no device did, the helper says so, and nothing has to be done.
    // SAFETY: a helper call with numbers only.
    unsafe { bpf_csum_update(packet.skb.cast(), change) };
}
