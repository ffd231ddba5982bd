//! The packet that an ICMP error quotes. Of its TCP header no more than eight
//! bytes need be there: the ports and the sequence number (RFC 792).

use ftp_nat_common::addr::{Addr, Port, Tuple};

use crate::{
    maps::scratch,
    packet::{
        Packet, extensions, icmp, load, protocol, tcp, v6,
        wire::{Ipv4Header, Ipv6Header},
    },
};

/// The quoted packet. Numbers are in host byte order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Quote {
    pub tuple: Tuple,
    /// Offset of the quoted IP header.
    pub l3: u32,
    /// Offset of the quoted TCP header.
    pub l4: u32,
    pub seq: u32,
    /// 1 if the quote goes on to the TCP checksum.
    pub has_check: u32,
    /// The quoted TCP checksum as it stands in the packet.
    pub check: u16,
    /// The checksum of the quoted IPv4 header as it stands in the packet.
    pub ip_check: u16,
}

/// The part of a TCP header that is always quoted.
#[repr(C)]
struct Start {
    sport: u16,
    dport: u16,
    seq: u32,
}

/// Reads what an error quotes into scratch memory. `false` where that is no TCP
/// packet, or too little of one.
#[inline(never)]
pub fn read(packet: Packet) -> bool {
    try_read(&packet).is_some()
}

#[inline(always)]
fn try_read(packet: &Packet) -> Option<()> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    let quote = unsafe { &mut (*scratch).quote };
    quote.l3 = packet.l4 + icmp::HEADER_LEN;
    if packet.is_v4 {
        let ip: Ipv4Header = load(packet.skb, quote.l3)?;
        let header_len = ip.len();
        // Later fragments have no TCP header.
        if header_len == 0
            || ip.protocol != protocol::TCP
            || u16::from_be(ip.fragment) & 0x1fff != 0
        {
            return None;
        }
        quote.l4 = quote.l3 + header_len;
        quote.tuple.src = Addr::from_v4_word(ip.src);
        quote.tuple.dst = Addr::from_v4_word(ip.dst);
        quote.ip_check = ip.check;
    } else {
        let ip: Ipv6Header = load(packet.skb, quote.l3)?;
        if u32::from_be(ip.version_class_flow) >> 28 != 6 {
            return None;
        }
        let (next, l4) = extensions::skip(packet.skb, quote.l3 + v6::HEADER_LEN, ip.next_header);
        if next != protocol::TCP {
            return None;
        }
        quote.l4 = l4;
        quote.tuple.src = Addr(ip.src);
        quote.tuple.dst = Addr(ip.dst);
    }
    // What stands behind the IP packet's end is padding.
    let end = packet.l3 + packet.l3_len;
    if quote.l4 + size_of::<Start>() as u32 > end {
        return None;
    }
    let start: Start = load(packet.skb, quote.l4)?;
    quote.tuple.sport = Port(start.sport);
    quote.tuple.dport = Port(start.dport);
    quote.tuple.domain = packet.tuple.domain;
    quote.seq = u32::from_be(start.seq);
    quote.has_check = 0;
    if quote.l4 + tcp::CHECK + 2 <= end {
        quote.check = load(packet.skb, quote.l4 + tcp::CHECK)?;
        quote.has_check = 1;
    }
    Some(())
}
