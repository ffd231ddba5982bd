//! Parsing headers.
//!
//! | module | holds |
//! |---|---|
//! | [`wire`] | headers as they stand in a packet |
//! | [`extensions`] | IPv6 extension headers |
//! | [`bytes`] | reading and writing packet bytes |

mod bytes;
pub mod extensions;
pub mod wire;

use aya_ebpf::bindings::__sk_buff;
use ftp_nat_common::{
    addr::{Addr, Port, Tuple},
    counter::Counter,
};

use self::{
    bytes::linear,
    extensions::FRAGMENT,
    wire::{FragmentHeader, Ipv4Header, Ipv6Header, TcpHeader},
};
pub use self::{
    bytes::{bounded, bounded_from_one, load, store, store_part},
    wire::{icmp, protocol, tcp, v4, v6},
};
use crate::{
    maps::{count, domain, scratch},
    memory,
};

/// Bytes before the IP header: 14, or 0 on devices without an Ethernet header.
/// Set by the loader.
#[unsafe(no_mangle)]
static L2_LEN: u32 = 14;

/// Bytes before the IP header.
#[inline(always)]
pub fn l2_len() -> u32 {
    // SAFETY: the static lives in .rodata; it is read as volatile because the
    // loader writes it after compilation.
    unsafe { core::ptr::read_volatile(&raw const L2_LEN) }
}

const ETH_P_IP: u32 = 0x0800u16.to_be() as u32;
const ETH_P_IPV6: u32 = 0x86ddu16.to_be() as u32;

/// A TCP packet or an ICMP error: the kernel's, and what was read of its headers.
#[derive(Clone, Copy)]
pub struct Packet {
    pub skb: *mut __sk_buff,
    headers: *mut Headers,
}

impl core::ops::Deref for Packet {
    type Target = Headers;

    #[inline(always)]
    fn deref(&self) -> &Headers {
        // SAFETY: `current` pointed it to this CPU's own memory.
        unsafe { &*self.headers }
    }
}

/// What was read of a packet's headers. Numbers are in host byte order.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Headers {
    pub tuple: Tuple,
    /// Offset of the IP header.
    pub l3: u32,
    /// Offset of the TCP or ICMP header.
    pub l4: u32,
    /// Offset of the payload.
    pub payload: u32,
    /// Bytes from the IP header to the end of the IP packet.
    pub l3_len: u32,
    pub seq: u32,
    pub ack: u32,
    pub ip_id: u16,
    pub window: u16,
    pub urgent: u16,
    /// The TCP checksum as it stands in the packet.
    pub check: u16,
    /// The IPv4 header's checksum as it stands in the packet.
    pub ip_check: u16,
    /// The IPv6 header's length as it stands in the packet.
    pub v6_len: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    pub flags: u8,
    /// The byte with the TCP header's length as it stands in the packet.
    pub offset: u8,
    /// The protocol number in the IPv6 header.
    pub v6_next: u8,
    pub is_v4: bool,
    /// It was seen at egress, and the gateway itself sent it.
    pub from_egress: bool,
    /// Others belong to it, and its payload is a part of the segment's.
    pub is_fragment: bool,
    /// What all fragments of the packet have in common, where this is one.
    pub fragment_id: u32,
    /// It is a fragment behind the first one.
    pub is_later: bool,
}

/// Where this CPU keeps what it read of the current packet.
#[inline(always)]
fn headers() -> Option<*mut Headers> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    Some(unsafe { &raw mut (*scratch).packet })
}

/// No extension headers that are stepped over are as long as this.
const L4_MAX: u32 = 0x3fff;

/// The flag of a fragment that others follow; with offset 0 it is the first one.
const MORE_FRAGMENTS: u16 = 0x2000;

/// The protocol of most packets that are looked at no further.
const UDP: u8 = 17;

/// Nothing that is looked into.
const OTHER: u32 = 0;
/// A TCP packet with a whole header.
pub const TCP: u32 = 1;
/// An ICMP error. Of its [`Headers`] all that TCP has is meaningless.
pub const ICMP_ERROR: u32 = 2;
/// The first fragment of a TCP packet, with a whole header. How long the packet is
/// isn't known, and its checksum can't be checked.
pub const FIRST_FRAGMENT: u32 = 3;
/// Another fragment of a TCP packet. Of its [`Headers`] all that TCP has is
/// meaningless, but that no flag is set.
pub const LATER_FRAGMENT: u32 = 4;

/// The smallest offset, in eight bytes, of a later fragment that leaves the TCP
/// header as it was in the first one (RFC 1858 section 3).
const BEHIND_TCP: u16 = 3;

/// Reads a packet's headers into scratch memory; what it is. Inlined, as is most of
/// what a data packet meets: a return costs more than all of this where the
/// processor's predictions have to be kept from attackers (`__x86_return_thunk`).
#[inline(always)]
pub fn read(skb: *mut __sk_buff) -> u32 {
    // SAFETY: the context is valid for the whole run.
    let protocol = unsafe { (*skb).protocol };
    let kind = if protocol == ETH_P_IP {
        read_v4(skb)
    } else if protocol == ETH_P_IPV6 {
        read_v6(skb)
    } else {
        None
    };
    kind.unwrap_or(OTHER)
}

#[inline(always)]
fn read_v4(skb: *mut __sk_buff) -> Option<u32> {
    let l3 = l2_len();
    // SAFETY: within the packet, which nothing changes before the last read.
    let ip = unsafe { &*linear::<Ipv4Header>(skb, l3)? };
    let header_len = ip.len();
    let is_tcp = ip.protocol == protocol::TCP;
    if header_len == 0 || !is_tcp && ip.protocol != protocol::ICMP {
        return None;
    }
    // More fragments, or an offset; DF alone is none.
    let fragment = u16::from_be(ip.fragment) & 0x3fff;
    if fragment != 0 {
        if is_tcp {
            count(Counter::Fragments);
        }
        if !is_tcp {
            return None;
        }
    }
    let l4 = l3 + header_len;
    let packet = Packet::current(skb)?;
    // SAFETY: this CPU's own memory.
    let h = unsafe { &mut *packet.headers };
    h.tuple.src = Addr::from_v4_word(ip.src);
    h.tuple.dst = Addr::from_v4_word(ip.dst);
    h.is_v4 = true;
    h.l3 = l3;
    h.l4 = l4;
    h.l3_len = u32::from(u16::from_be(ip.total_len));
    h.ttl = ip.ttl;
    h.ip_id = u16::from_be(ip.id);
    h.ip_check = ip.check;
    h.from_egress = false;
    h.is_fragment = fragment != 0;
    h.is_later = false;
    if fragment != 0 {
        h.fragment_id = ip.id.into();
        if fragment != MORE_FRAGMENTS {
            return packet.parse_later(fragment & !MORE_FRAGMENTS);
        }
    }
    if is_tcp {
        packet.parse_tcp(l4)
    } else if is_error(skb, l4, V4_ERRORS) {
        packet.parse_icmp()
    } else {
        None
    }
}

#[inline(always)]
fn read_v6(skb: *mut __sk_buff) -> Option<u32> {
    let l3 = l2_len();
    // SAFETY: within the packet, which nothing changes before the last read.
    let ip = unsafe { &*linear::<Ipv6Header>(skb, l3)? };
    let next = ip.next_header;
    if next == UDP {
        return None;
    }
    let packet = Packet::current(skb)?;
    // SAFETY: this CPU's own memory.
    let h = unsafe { &mut *packet.headers };
    // SAFETY: within the packet, and this CPU's own memory. An assignment is a call.
    unsafe {
        memory::copy_by_fours(&raw mut h.tuple.src.0, &raw const ip.src);
        memory::copy_by_fours(&raw mut h.tuple.dst.0, &raw const ip.dst);
    }
    if h.tuple.src.is_v4() || h.tuple.dst.is_v4() {
        // Nobody has such an address in an IPv6 header, and here it would be taken
        // for the one of IPv4. The stack drops it too (`ip6_rcv_core`).
        return None;
    }
    h.is_v4 = false;
    h.l3 = l3;
    h.l4 = l3 + v6::HEADER_LEN;
    h.l3_len = u32::from(u16::from_be(ip.payload_len)) + v6::HEADER_LEN;
    h.v6_len = ip.payload_len;
    h.v6_next = next;
    h.ttl = ip.hop_limit;
    h.ip_id = 0;
    h.from_egress = false;
    h.is_fragment = false;
    h.is_later = false;
    if next == protocol::TCP {
        return packet.parse_tcp(l3 + v6::HEADER_LEN);
    }
    let (next, l4) = extensions::skip(skb, l3 + v6::HEADER_LEN, next);
    h.l4 = l4;
    if next == FRAGMENT {
        count(Counter::Fragments);
        let header = load::<FragmentHeader>(skb, l4)?;
        let place = u16::from_be(header.place);
        if header.next_header != protocol::TCP || l4 > L4_MAX - 8 {
            return None;
        }
        let l4 = bounded(l4 + 8, L4_MAX);
        h.l4 = l4;
        h.is_fragment = true;
        h.fragment_id = header.id;
        return match place >> 3 {
            // Alone, it is no fragment of anything.
            0 if place & 1 == 0 => None,
            0 => packet.parse_tcp(l4),
            offset => packet.parse_later(offset),
        };
    }
    if next == protocol::TCP && l4 <= L4_MAX {
        packet.parse_tcp(bounded(l4, L4_MAX))
    } else if next == protocol::ICMPV6 && is_error(skb, l4, V6_ERRORS) {
        packet.parse_icmp()
    } else {
        None
    }
}

/// ICMP types of errors about a packet, as bits.
const V4_ERRORS: u32 =
    1 << icmp::V4_UNREACHABLE | 1 << icmp::V4_TIME_EXCEEDED | 1 << icmp::V4_PARAMETER_PROBLEM;
/// The same for ICMPv6.
const V6_ERRORS: u32 = 1 << icmp::V6_UNREACHABLE
    | 1 << icmp::V6_TOO_BIG
    | 1 << icmp::V6_TIME_EXCEEDED
    | 1 << icmp::V6_PARAMETER_PROBLEM;

#[inline(always)]
fn is_error(skb: *mut __sk_buff, l4: u32, errors: u32) -> bool {
    match load::<u8>(skb, l4) {
        Some(kind) => kind < 32 && errors >> kind & 1 != 0,
        None => false,
    }
}

/// In `skb->tc_index`: a packet of a data connection, which ingress has sent out.
/// The tags by which packets are recognised at egress are odd.
const FORWARDED: u32 = 2;

/// Whether ingress has sent the packet out, at whichever hook this is; it is to be
/// asked once.
#[inline(always)]
pub fn is_forwarded(skb: *mut __sk_buff) -> bool {
    // SAFETY: the context is valid for the whole run.
    unsafe {
        let is_forwarded = (*skb).tc_index == FORWARDED;
        if is_forwarded {
            (*skb).tc_index = 0;
        }
        is_forwarded
    }
}

impl Packet {
    /// The packet whose headers were [`read`].
    #[inline(always)]
    pub fn current(skb: *mut __sk_buff) -> Option<Self> {
        Some(Self {
            skb,
            headers: headers()?,
        })
    }

    /// Tells egress that it need not look at the packet.
    #[inline(always)]
    pub fn set_forwarded(&self) {
        // SAFETY: the context is valid for the whole run.
        unsafe { (*self.skb).tc_index = FORWARDED };
    }

    /// Puts in the ports that a fragment doesn't have.
    #[inline(always)]
    pub fn set_tuple(&self, tuple: &Tuple) {
        // SAFETY: this CPU's own memory.
        unsafe { (*self.headers).tuple = *tuple };
    }

    /// Notes that the gateway itself sent the packet.
    #[inline(always)]
    pub fn set_from_egress(self) {
        // SAFETY: this CPU's own memory.
        unsafe { (*self.headers).from_egress = true };
    }

    #[inline(always)]
    fn parse_tcp(self, l4: u32) -> Option<u32> {
        // SAFETY: this CPU's own memory.
        let h = unsafe { &mut *self.headers };
        // SAFETY: within the packet, which nothing changes before the last read.
        let tcp = unsafe { &*linear::<TcpHeader>(self.skb, l4)? };
        let header_len = u32::from(tcp.offset >> 4) * 4;
        h.payload = h.l4 + header_len;
        // A merged packet may be longer than its 16-bit length field can say.
        // SAFETY: the context is valid for the whole run.
        let (len, gso_size) = unsafe { ((*self.skb).len, (*self.skb).gso_size) };
        if gso_size != 0 {
            h.l3_len = len - h.l3.min(len);
        }
        if header_len < tcp::HEADER_LEN || h.payload - h.l3 > h.l3_len || h.l3 + h.l3_len > len {
            return None;
        }
        h.tuple.sport = Port(tcp.sport);
        h.tuple.dport = Port(tcp.dport);
        h.tuple.domain = domain(self.ifindex());
        h.seq = u32::from_be(tcp.seq);
        h.ack = u32::from_be(tcp.ack);
        h.offset = tcp.offset;
        h.flags = tcp.flags;
        h.window = u16::from_be(tcp.window);
        h.urgent = u16::from_be(tcp.urgent);
        h.check = tcp.check;
        Some(if h.is_fragment { FIRST_FRAGMENT } else { TCP })
    }

    /// A fragment behind the first one, `offset` times eight bytes.
    #[inline(always)]
    fn parse_later(self, offset: u16) -> Option<u32> {
        // SAFETY: this CPU's own memory.
        let h = unsafe { &mut *self.headers };
        h.flags = 0;
        h.is_later = true;
        h.tuple.domain = domain(self.ifindex());
        // SAFETY: the context is valid for the whole run.
        let len = unsafe { (*self.skb).len };
        let whole = h.l4 - h.l3 <= h.l3_len && h.l3 + h.l3_len <= len;
        (whole && offset >= BEHIND_TCP).then_some(LATER_FRAGMENT)
    }

    #[inline(always)]
    fn parse_icmp(self) -> Option<u32> {
        // SAFETY: this CPU's own memory.
        let h = unsafe { &mut *self.headers };
        h.payload = h.l4 + icmp::HEADER_LEN;
        h.tuple.domain = domain(self.ifindex());
        // SAFETY: the context is valid for the whole run.
        let len = unsafe { (*self.skb).len };
        let whole = h.payload - h.l3 <= h.l3_len && h.l3 + h.l3_len <= len;
        whole.then_some(ICMP_ERROR)
    }

    /// Bytes of TCP payload.
    #[inline(always)]
    pub fn payload_len(&self) -> u32 {
        self.l3 + self.l3_len - self.payload
    }

    /// Payload bytes of one packet on the wire, 0 where this is one.
    #[inline(always)]
    pub fn gso_size(&self) -> u32 {
        // SAFETY: the context is valid for the whole run.
        unsafe { (*self.skb).gso_size }
    }

    /// The interface whose hook this is.
    #[inline(always)]
    pub fn ifindex(&self) -> u32 {
        // Volatile: the compiler must not merge this with a read of something
        // else by choosing between their addresses: the verifier wants the context
        // read at an offset from its very pointer.
        // SAFETY: the context is valid for the whole run.
        unsafe { core::ptr::read_volatile(&raw const (*self.skb).ifindex) }
    }
}
