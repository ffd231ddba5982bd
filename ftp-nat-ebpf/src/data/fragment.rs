//! Data packets that come in IP fragments. The first one has the ports, by which its
//! connection is found, and is noted; the others are known by what fragments of one
//! packet have in common, and follow it the same way. Nothing is put together. One
//! that comes before the first one isn't known: TCP sends the packet again.

use aya_ebpf::bindings::TC_ACT_UNSPEC;
use ftp_nat_common::{
    tcp::flag,
    translation::{FRAGMENT_MAX_AGE_NS, Fragment, FragmentKey},
};

use super::{LATER, WHOLE, go_on, stack};
use crate::{
    learn,
    maps::{FLOWS, FRAGMENTS, REPLACE, STACK_FLOWS},
    packet::Packet,
};

/// A fragment before NAT.
#[inline(always)]
pub fn ingress(packet: Packet) -> i32 {
    let hook = packet.ifindex();
    if packet.is_later {
        if known(packet, hook) {
            return go_on(packet, LATER);
        }
        return TC_ACT_UNSPEC;
    }
    // SAFETY: only its presence matters.
    let is_data = unsafe { FLOWS.get(&packet.tuple) }.is_some();
    // What begins a connection and is cut by then isn't helped.
    if !is_data || packet.flags & flag::SYN != 0 {
        return TC_ACT_UNSPEC;
    }
    note(packet, hook);
    go_on(packet, WHOLE)
}

/// A fragment after NAT, of a connection that the stack forwards, perhaps.
#[inline(always)]
pub fn egress(packet: Packet) -> i32 {
    let hook = !packet.ifindex();
    if packet.is_later {
        if !known(packet, hook) {
            return TC_ACT_UNSPEC;
        }
    // SAFETY: only its presence matters.
    } else if unsafe { STACK_FLOWS.get(&packet.tuple) }.is_some() {
        note(packet, hook);
    }
    stack::leave(packet)
}

#[inline(always)]
fn key(packet: Packet, hook: u32) -> FragmentKey {
    FragmentKey {
        src: packet.tuple.src,
        dst: packet.tuple.dst,
        id: packet.fragment_id,
        hook,
    }
}

/// Notes the first fragment. In a full table it takes the place of one of long ago.
#[inline(never)]
fn note(packet: Packet, hook: u32) {
    let fragment = Fragment {
        at_ns: learn::now(),
        tuple: packet.tuple,
    };
    let _ = FRAGMENTS.insert(key(packet, hook), fragment, REPLACE);
}

/// Whether the first fragment is known; its ports are the packet's then.
#[inline(never)]
fn known(packet: Packet, hook: u32) -> bool {
    let key = key(packet, hook);
    // SAFETY: copied at once. The LRU may reuse the element at any time: then the
    // addresses don't agree.
    let Some(fragment) = unsafe { FRAGMENTS.get(&key) }.copied() else {
        return false;
    };
    let is_it = fragment.tuple.src == key.src && fragment.tuple.dst == key.dst;
    if !is_it || learn::now().wrapping_sub(fragment.at_ns) > FRAGMENT_MAX_AGE_NS {
        return false;
    }
    packet.set_tuple(&fragment.tuple);
    true
}
