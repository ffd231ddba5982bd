//! An error from a router or a host beyond the gateway, about a data packet
//! that was translated: it goes to the packet's sender, who knows the packet by
//! other addresses (RFC 5508 sections 3 and 4.2; `nf_nat_icmp_reply_translation`
//! of `net/netfilter/nf_nat_proto.c` does the same for the stack).

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC};
use ftp_nat_common::{
    addr::{Addr, Tuple},
    counter::Counter,
    csum,
    translation::FLOW_STACK,
};

use super::quote::{self, Quote};
use crate::{
    data::{flow_is_over, forward},
    learn,
    maps::{FLOWS, STACK_FLOWS, Scratch, count, scratch},
    packet::{Packet, protocol, store, tcp, v4, v6},
    sums::{address_sum, addresses_sum, ports_sum},
};

/// What the error becomes.
#[repr(C)]
pub struct Translated {
    /// The quoted packet as its sender sent it.
    quoted: Tuple,
    /// The error's own addresses.
    src: Addr,
    dst: Addr,
    /// The interface to the sender.
    out_ifindex: u32,
    /// 1 if the stack forwarded the quoted packet, and forwards the error.
    by_stack: u32,
}

/// An ICMP error, before NAT.
#[inline(never)]
pub fn ingress(skb: *mut __sk_buff) -> i32 {
    let (Some(packet), Some(scratch)) = (Packet::current(skb), scratch()) else {
        return TC_ACT_UNSPEC;
    };
    if !quote::read(packet) || !find(packet, scratch) {
        return TC_ACT_UNSPEC;
    }
    // SAFETY: this CPU's own memory.
    let (to, route) = unsafe { (&(*scratch).error, &mut (*scratch).route) };
    if to.by_stack != 0 {
        return hand_over(packet, scratch);
    }
    // No error is sent about an error (RFC 1812 section 4.3.2.7).
    if packet.ttl <= 1 {
        return drop();
    }
    let l4_protocol = if packet.is_v4 {
        protocol::ICMP
    } else {
        protocol::ICMPV6
    };
    route.set(to.out_ifindex, l4_protocol, packet.l3_len as u16);
    if !forward::is_way(route.find(skb, &to.src, &to.dst)) {
        return drop();
    }
    if !rewrite(packet, scratch, 1) {
        return drop();
    }
    count(Counter::IcmpTranslated);
    let bare = forward::is_bare(to.out_ifindex);
    forward::redirect(skb, route, to.out_ifindex, bare)
}

/// Translates an error that the stack forwards or has forwarded, or made.
#[inline(never)]
fn hand_over(packet: Packet, scratch: *mut Scratch) -> i32 {
    if !rewrite(packet, scratch, 0) {
        return drop();
    }
    count(Counter::IcmpTranslated);
    TC_ACT_UNSPEC
}

/// An ICMP error, after NAT, about a data packet that the stack forwarded or
/// could not forward: the quoted packet is as the stack had it.
#[inline(never)]
pub fn egress(packet: Packet) -> i32 {
    match scratch() {
        Some(scratch) if find_exit(packet, scratch) => hand_over(packet, scratch),
        _ => TC_ACT_UNSPEC,
    }
}

/// Finds what egress makes of answers to the quoted packet, and writes down
/// what the error becomes.
#[inline(never)]
fn find_exit(packet: Packet, scratch: *mut Scratch) -> bool {
    // SAFETY: this CPU's own memory.
    let (quote, to) = unsafe { (&(*scratch).quote, &mut (*scratch).error) };
    if packet.tuple.dst != quote.tuple.src {
        return false;
    }
    let Some(answer) = STACK_FLOWS.get_ptr(quote.tuple.reversed()) else {
        return false;
    };
    // SAFETY: a live map value.
    to.quoted = unsafe { (*answer).reversed() };
    to.dst = to.quoted.src;
    // SAFETY: the context is valid for the whole run.
    let own = unsafe { (*packet.skb).ingress_ifindex } == 0;
    // As with the other path; and the gateway shows itself as it is.
    to.src = if own || to.quoted.dst == quote.tuple.dst {
        packet.tuple.src
    } else {
        to.quoted.dst
    };
    true
}

#[inline(always)]
fn drop() -> i32 {
    count(Counter::IcmpDropped);
    TC_ACT_SHOT as i32
}

/// Finds the flow of the quoted packet, and writes down what the error becomes.
#[inline(never)]
fn find(packet: Packet, scratch: *mut Scratch) -> bool {
    // SAFETY: this CPU's own memory.
    let (quote, to) = unsafe { (&(*scratch).quote, &mut (*scratch).error) };
    // An error goes to the sender of the packet that it quotes.
    if packet.tuple.dst != quote.tuple.src {
        return false;
    }
    // The quoted packet left here: its answers are the other direction's.
    let Some(answers) = FLOWS.get_ptr(quote.tuple.reversed()) else {
        return false;
    };
    // SAFETY: a live map value.
    let answers = unsafe { &*answers };
    let now = learn::now();
    if answers.expired(now) && flow_is_over(answers, now) {
        return false;
    }
    to.by_stack = u32::from(answers.flags & FLOW_STACK != 0);
    if to.by_stack != 0 {
        // The stack has to know the packet again; its sender is told at egress.
        to.quoted = answers.exit(&quote.tuple.reversed()).0;
        to.dst = to.quoted.src;
        to.src = packet.tuple.src;
        return true;
    }
    to.quoted = answers.to.reversed();
    to.out_ifindex = answers.out_ifindex;
    to.dst = to.quoted.src;
    // Behind a translated destination is a network that the sender must not
    // see, nor could it reach. Else the router shows itself, for traceroute.
    to.src = if to.quoted.dst == quote.tuple.dst {
        packet.tuple.src
    } else {
        to.quoted.dst
    };
    true
}

/// Writes the new addresses and ports, and a TTL that is smaller by `hops`, and
/// repairs all checksums.
#[inline(never)]
fn rewrite(packet: Packet, scratch: *mut Scratch, hops: u32) -> bool {
    let new_ttl = packet.ttl.wrapping_sub(hops as u8);
    // SAFETY: this CPU's own memory.
    let (quote, to) = unsafe { (&(*scratch).quote, &(*scratch).error) };
    let addresses = csum::diff(
        addresses_sum(packet.is_v4, &quote.tuple),
        addresses_sum(packet.is_v4, &to.quoted),
    );
    let ports = csum::diff(ports_sum(&quote.tuple), ports_sum(&to.quoted));
    let outer = csum::diff(
        addresses_sum(packet.is_v4, &packet.tuple),
        csum::add(
            address_sum(packet.is_v4, &to.src),
            address_sum(packet.is_v4, &to.dst),
        ),
    );
    let mut delta = csum::add(addresses, ports);
    let quoted_ports = [to.quoted.sport.0, to.quoted.dport.0];
    let mut done = store(packet.skb, quote.l4 + tcp::SPORT, &quoted_ports);
    if quote.has_check != 0 {
        let check = csum::apply(quote.check, delta);
        delta = csum::add(delta, csum::diff(quote.check.into(), check.into()));
        done &= store(packet.skb, quote.l4 + tcp::CHECK, &check);
    }
    done &= if packet.is_v4 {
        let check = csum::apply(quote.ip_check, addresses);
        delta = csum::add(delta, csum::diff(quote.ip_check.into(), check.into()));
        store(packet.skb, quote.l3 + v4::CHECK, &check)
            && addresses_v4(packet, quote, to, outer, new_ttl)
    } else {
        delta = csum::add(delta, outer);
        addresses_v6(packet, quote, to, new_ttl)
    };
    done && packet.fix_icmp_check(delta)
}

#[inline(always)]
fn addresses_v4(packet: Packet, quote: &Quote, to: &Translated, outer: u32, new_ttl: u8) -> bool {
    let quoted = [to.quoted.src.v4_word(), to.quoted.dst.v4_word()];
    let own = [to.src.v4_word(), to.dst.v4_word()];
    // The TTL is the first byte of its 16-bit word.
    let ttl = |ttl: u8| u32::from(u16::from_ne_bytes([ttl, 0]));
    let delta = csum::add(outer, csum::diff(ttl(packet.ttl), ttl(new_ttl)));
    store(packet.skb, quote.l3 + v4::SRC, &quoted)
        && store(packet.skb, packet.l3 + v4::SRC, &own)
        && store(packet.skb, packet.l3 + v4::TTL, &new_ttl)
        && packet.fix_ip_check(delta)
}

#[inline(always)]
fn addresses_v6(packet: Packet, quote: &Quote, to: &Translated, new_ttl: u8) -> bool {
    // As they lie in the structures: source, then destination.
    store(
        packet.skb,
        quote.l3 + v6::SRC,
        &[to.quoted.src, to.quoted.dst],
    ) && store(packet.skb, packet.l3 + v6::SRC, &[to.src, to.dst])
        && store(packet.skb, packet.l3 + v6::HOP_LIMIT, &new_ttl)
}
