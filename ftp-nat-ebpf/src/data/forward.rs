//! Forwarding a data packet past the stack: everything a router has to decide
//! is decided before the first byte is changed.

use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_SHOT, bpf_redir_neigh},
    helpers::{
        bpf_check_mtu, bpf_fib_lookup, bpf_redirect, bpf_redirect_neigh, bpf_skb_change_head,
    },
};
use ftp_nat_common::{
    addr::Addr,
    counter::Counter,
    layout::INTERFACE_BARE,
    tcp::flag,
    translation::{FLOW_FORWARD, Flow},
};

use super::{state, translate::translate};
use crate::{
    icmp::answer,
    maps::{INTERFACES, SESSIONS, Scratch, count, scratch},
    memory, options,
    packet::{Packet, l2_len, protocol, store, tcp, v4, v6},
};

/// `struct bpf_fib_lookup` of `include/uapi/linux/bpf.h`, without its unions.
#[repr(C)]
pub struct Route {
    family: u8,
    l4_protocol: u8,
    sport: u16,
    dport: u16,
    /// In: bytes of the IP packet. Out: the route's MTU.
    total_len: u16,
    ifindex: u32,
    tos_or_flowinfo: u32,
    src: [u32; 4],
    dst: [u32; 4],
    vlan: u32,
    smac: [u8; 6],
    dmac: [u8; 6],
}
const _: () = assert!(size_of::<Route>() == 64);

/// The frame's addresses are known; see [`like_control`].
const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const LOOKUP_OUTPUT: u32 = aya_ebpf::bindings::BPF_FIB_LOOKUP_OUTPUT;
const FOUND: i64 = aya_ebpf::bindings::BPF_FIB_LKUP_RET_SUCCESS as i64;
const NO_NEIGHBOUR: i64 = aya_ebpf::bindings::BPF_FIB_LKUP_RET_NO_NEIGH as i64;
const NOT_FOUND: i64 = aya_ebpf::bindings::BPF_FIB_LKUP_RET_NOT_FWDED as i64;
const TOO_BIG: i64 = aya_ebpf::bindings::BPF_FIB_LKUP_RET_FRAG_NEEDED as i64;

/// Whether [`Route::find`] found a way: the neighbour may have to be asked.
#[inline(always)]
pub fn is_way(found: i64) -> bool {
    found == FOUND || found == NO_NEIGHBOUR
}

impl Route {
    /// Asks for the way out of an interface, for one packet of a protocol with
    /// a length in bytes.
    #[inline(always)]
    pub fn set(&mut self, ifindex: u32, l4_protocol: u8, total_len: u16) {
        *self = Self {
            family: 0,
            l4_protocol,
            sport: 0,
            dport: 0,
            total_len,
            ifindex,
            tos_or_flowinfo: 0,
            src: [0; 4],
            dst: [0; 4],
            vlan: 0,
            smac: [0; 6],
            dmac: [0; 6],
        };
    }

    /// Looks for it between two addresses, as it was [`set`](Self::set).
    #[inline(always)]
    pub fn find(&mut self, skb: *mut __sk_buff, src: &Addr, dst: &Addr) -> i64 {
        self.family = if dst.is_v4() { AF_INET } else { AF_INET6 };
        self.src = ip_words(src);
        self.dst = ip_words(dst);
        // SAFETY: the structure is the helper's, by name and size.
        unsafe {
            bpf_fib_lookup(
                skb.cast(),
                (&raw mut *self).cast(),
                size_of::<Self>() as i32,
                LOOKUP_OUTPUT,
            )
        }
    }
}

/// Forwards a packet of `flow`. `later`: a fragment without a TCP header. No error is
/// sent about one of these (RFC 1122 section 3.2.2).
#[inline(always)]
pub fn packet(packet: Packet, flow: &mut Flow, now: u64, later: bool) -> i32 {
    let packet = &packet;
    let Some(scratch) = scratch() else {
        return TC_ACT_SHOT as i32;
    };
    // SAFETY: this CPU's own memory, and a live map value. Another CPU may write
    // the way just now: what is looked at is used, and read only once.
    let (route, way) = unsafe {
        memory::take(&raw mut (*scratch).way, &raw const flow.way);
        (&mut (*scratch).route, &(*scratch).way)
    };
    if packet.ttl <= 1 {
        count(Counter::DataTtlExceeded);
        if later {
            return TC_ACT_SHOT as i32;
        }
        return answer::send(*packet, answer::TTL_EXCEEDED);
    }
    let len = wire_len(packet);
    let found = if way.leads(flow.out_ifindex, u32::from(len), now) {
        route.family = way.family;
        // SAFETY: this CPU's own memory. An assignment is a call.
        unsafe { memory::copy_by_fours(&raw mut route.dst, &raw const way.next_hop) };
        FOUND
    } else {
        look_up(*packet, flow, scratch, now)
    };
    match found {
        FOUND | NO_NEIGHBOUR => {}
        TOO_BIG => {
            count(Counter::DataTooBig);
            if later {
                return TC_ACT_SHOT as i32;
            }
            // Without DF too, where a router would make fragments: no helper of
            // the kernel can, and errors about them could not be told from
            // others. The MSS keeps such a sender below the MTU, as long as it
            // isn't lowered in the middle of a connection.
            // SAFETY: this CPU's own memory.
            let mtu = unsafe { (*scratch).route.total_len };
            return answer::send(*packet, u32::from(mtu).max(1));
        }
        _ => {
            count(Counter::DataNoRoute);
            return TC_ACT_SHOT as i32;
        }
    }
    if packet.flags & flag::SYN != 0 {
        clamp_mss(*packet, flow.out_ifindex);
    }
    state::follow(packet, flow, now);
    state::tally(packet, flow);
    if !translate(packet, &flow.to, 1, later) {
        count(Counter::DroppedEditFailed);
        return TC_ACT_SHOT as i32;
    }
    packet.set_forwarded();
    // SAFETY: this CPU's own memory.
    let (route, way) = unsafe { (&(*scratch).route, &(*scratch).way) };
    redirect(packet.skb, route, flow.out_ifindex, way.bare != 0)
}

/// Looks for the way out, and keeps it for the packets that follow.
#[inline(never)]
fn look_up(packet: Packet, flow: &mut Flow, scratch: *mut Scratch, now: u64) -> i64 {
    // SAFETY: this CPU's own memory.
    let (route, way) = unsafe { (&mut (*scratch).route, &mut (*scratch).way) };
    let len = wire_len(&packet);
    way.bare = u8::from(is_bare(flow.out_ifindex));
    route.set(flow.out_ifindex, protocol::TCP, len);
    let found = route.find(packet.skb, &flow.to.src, &flow.to.dst);
    if is_way(found) {
        way.next_hop = route.dst;
        way.ifindex = flow.out_ifindex;
        // The helper puts the MTU in the length's place.
        way.mtu = route.total_len.max(len);
        way.family = route.family;
        flow.way = way.sealed(now);
        return FOUND;
    }
    if found == TOO_BIG {
        return TOO_BIG;
    }
    like_control(packet, flow, scratch)
}

/// No route was found. Rules for marks, ports or incoming interfaces may have
/// chosen another table for the control connection: its next hop is taken.
#[inline(never)]
fn like_control(packet: Packet, flow: &Flow, scratch: *mut Scratch) -> i64 {
    let packet = &packet;
    // SAFETY: this CPU's own memory.
    let (route, way) = unsafe { (&mut (*scratch).route, &(*scratch).way) };
    // No neighbour has to be asked.
    route.family = AF_UNSPEC;
    if way.bare == 0 {
        let to_near = flow.flags & FLOW_FORWARD != 0;
        let end = usize::from(flow.role & 1) ^ usize::from(!to_near);
        let Some(session) = SESSIONS.get_ptr(flow.session) else {
            return NOT_FOUND;
        };
        // SAFETY: a live map value.
        let session = unsafe { &*session };
        let link = session.link[end & 1];
        let same =
            session.ifindex[end & 1] == flow.out_ifindex && session.real[end & 1] == flow.to.dst;
        if !same || link == [0; 12] {
            return NOT_FOUND;
        }
        let [a, b, c, d, e, f, source @ ..] = link;
        route.dmac = [a, b, c, d, e, f];
        route.smac = source;
    }
    let mut len = u32::from(wire_len(packet));
    // SAFETY: the helper takes the length of a packet, and gives the MTU.
    let fits =
        unsafe { bpf_check_mtu(packet.skb.cast(), flow.out_ifindex, &raw mut len, 0, 0) } == 0;
    if fits {
        FOUND
    } else {
        route.total_len = len as u16;
        TOO_BIG
    }
}

/// The bytes of one IP packet on the wire; of a merged one, of each of its parts.
#[inline(always)]
fn wire_len(packet: &Packet) -> u16 {
    let gso_size = packet.gso_size();
    let len = if gso_size == 0 {
        packet.l3_len
    } else {
        (packet.payload - packet.l3 + gso_size).min(packet.l3_len)
    };
    len as u16
}

/// An address as `bpf_fib_lookup` and `bpf_redirect_neigh` want it.
#[inline(always)]
fn ip_words(addr: &Addr) -> [u32; 4] {
    if addr.is_v4() {
        [addr.v4_word(), 0, 0, 0]
    } else {
        addr.0
    }
}

/// Nothing but these two interfaces limits the size of what follows.
#[inline(never)]
fn clamp_mss(packet: Packet, out_ifindex: u32) {
    let packet = &packet;
    let headers = if packet.is_v4 {
        v4::HEADER_LEN
    } else {
        v6::HEADER_LEN
    } + tcp::HEADER_LEN;
    let mtu = |ifindex: u32| {
        let mut mtu = 0u32;
        // SAFETY: the helper writes the interface's MTU; on failure it stays 0.
        unsafe { bpf_check_mtu(packet.skb.cast(), ifindex, &raw mut mtu, 0, 0) };
        if mtu == 0 { u32::from(u16::MAX) } else { mtu }
    };
    let mtu = mtu(out_ifindex).min(mtu(packet.ifindex()));
    let limit = mtu.saturating_sub(headers).min(u32::from(u16::MAX)) as u16;
    options::clamp_mss(packet, |mss| mss.min(limit));
}

/// Bytes of an Ethernet header.
const ETHERNET: u32 = 14;

/// Sends the packet out. To a device with an Ethernet header it goes by way of
/// the stack's neighbours; one without has none.
#[inline(always)]
pub fn redirect(skb: *mut __sk_buff, route: &Route, ifindex: u32, bare: bool) -> i32 {
    // SAFETY: helper calls with numbers, and with a structure of the helper's.
    let verdict = unsafe {
        if bare {
            bpf_redirect(ifindex, 0)
        } else if l2_len() == 0 && bpf_skb_change_head(skb.cast(), ETHERNET, 0) != 0 {
            // Where a packet has no room for the header, its neighbour has no place.
            i64::from(TC_ACT_SHOT)
        } else if route.family == AF_UNSPEC {
            let ethertype = (*skb).protocol as u16;
            if store(skb, 0, &route.dmac)
                && store(skb, 6, &route.smac)
                && store(skb, 12, &ethertype)
            {
                bpf_redirect(ifindex, 0)
            } else {
                i64::from(TC_ACT_SHOT)
            }
        } else {
            // Not on the stack, which is short here.
            let Some(scratch) = scratch() else {
                return TC_ACT_SHOT as i32;
            };
            let next_hop = &raw mut (*scratch).next_hop;
            (*next_hop).nh_family = u32::from(route.family);
            let address = &raw mut (*next_hop).__bindgen_anon_1.ipv6_nh;
            memory::copy_by_fours(address, &raw const route.dst);
            bpf_redirect_neigh(ifindex, next_hop, size_of::<bpf_redir_neigh>() as i32, 0)
        }
    };
    verdict as i32
}

/// Whether the interface's packets have no Ethernet header.
#[inline(always)]
pub fn is_bare(ifindex: u32) -> bool {
    // SAFETY: read at once.
    match unsafe { INTERFACES.get(ifindex) } {
        Some(interface) => interface.flags & INTERFACE_BARE != 0,
        None => false,
    }
}
