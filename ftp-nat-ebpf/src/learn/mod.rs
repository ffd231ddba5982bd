//! Learning how the gateway translates a connection: a packet of each direction
//! is seen at ingress, before NAT, and at egress, after it.
//!
//! | module | holds |
//! |---|---|
//! | [`handshake`] | from SYN, SYN-ACK and ACK |
//! | [`local`] | the same, of clients and servers on the gateway itself |
//! | [`proxied`] | the same, where a SYNPROXY is between them |
//! | [`pickup`] | from later packets, where the handshake was not seen |
//! | [`local_pickup`] | the same, of clients and servers on the gateway itself |
//! | [`session`] | making the session |

mod handshake;
mod local;
mod local_pickup;
mod pickup;
mod proxied;
mod session;

use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use ftp_nat_common::{
    counter::Counter,
    layout::SETTING_DRAINING,
    pairing::{PairingKey, SIGHTING_MAX_AGE_NS, Sighting},
    tcp::flag,
};

pub use handshake::complete;
pub use local::answered;
pub use local_pickup::{
    at_egress as local_midway_at_egress, at_ingress as local_midway_at_ingress,
};
use pickup::ends_line;
pub use pickup::sight as sight_midway;

use crate::{
    data::stack,
    local::is_sender,
    maps::{REPLACE, SIGHTINGS, arrival, count, settings},
    packet::Packet,
};

/// A monotonic time in ns, which is up to a timer tick late. It takes a fifth of
/// the time that the exact one takes to read.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: a helper call without arguments.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// The exact monotonic time in ns.
#[inline(always)]
pub fn exact_now() -> u64 {
    // SAFETY: a helper call without arguments.
    unsafe { bpf_ktime_get_ns() }
}

/// A random number.
#[inline(always)]
pub fn random() -> u32 {
    // SAFETY: a helper call without arguments.
    unsafe { bpf_get_prandom_u32() }
}

#[inline(always)]
fn key(packet: &Packet) -> PairingKey {
    PairingKey {
        seq: packet.seq,
        ack: packet.ack,
        flags: u32::from(packet.flags & !flag::ECN),
    }
}

/// Notes a packet that may teach a translation, and tags it.
#[inline(never)]
pub fn sight(packet: Packet) {
    let packet = &packet;
    if settings().flags & SETTING_DRAINING != 0 {
        // Nothing new is helped.
        return;
    }
    let at_ns = now();
    let key = key(packet);
    if let Some(other) = SIGHTINGS.get_ptr_mut(key) {
        // SAFETY: a live map value.
        let other = unsafe { &mut *other };
        if other.tuple != packet.tuple && at_ns.wrapping_sub(other.at_ns) < SIGHTING_MAX_AGE_NS {
            // Two hosts use the same numbers at the same time, perhaps to
            // confuse: neither is believed.
            other.poisoned = 1;
            count(Counter::PairingCollisions);
            return;
        }
    }
    let tag = (random() & 0xffff) | 1;
    let sighting = Sighting {
        tuple: packet.tuple,
        at_ns,
        ifindex: packet.ifindex(),
        tag,
        ip_id_window: id_window(packet),
        payload_len: packet.payload_len(),
        arrival: arrival(packet.ifindex()),
        poisoned: 0,
        seq: packet.seq,
        ends_line: u32::from(ends_line(packet)),
    };
    if packet.flags & flag::SYN != 0 && packet.payload_len() > 0 {
        // What a server on the gateway acknowledges of it is all of its data.
        let key = PairingKey {
            seq: packet.seq.wrapping_add(packet.payload_len()),
            ..key
        };
        let _ = SIGHTINGS.insert(key, &sighting, REPLACE);
    }
    if SIGHTINGS.insert(key, &sighting, REPLACE).is_ok() {
        // SAFETY: the context is valid for the whole run.
        unsafe { (*packet.skb).tc_index = tag };
    }
}

#[inline(always)]
fn id_window(packet: &Packet) -> u32 {
    (u32::from(packet.ip_id) << 16) | u32::from(packet.window)
}

/// Finds what ingress saw of this packet.
#[inline(always)]
fn pair(packet: &Packet) -> Option<*const Sighting> {
    // SAFETY: the context is valid for the whole run.
    let (tag, ingress_ifindex) = unsafe { ((*packet.skb).tc_index, (*packet.skb).ingress_ifindex) };
    let found = SIGHTINGS.get_ptr(key(packet))?;
    // SAFETY: a live map value. The LRU may reuse the element at any time: then
    // the tag or the tuples don't agree.
    let sighting = unsafe { &*found };
    if sighting.poisoned != 0 || now().wrapping_sub(sighting.at_ns) > SIGHTING_MAX_AGE_NS {
        return None;
    }
    let same = if tag != 0 {
        tag == sighting.tag
    } else {
        // Another program cleared the tag: all that NAT leaves alone must agree.
        sighting.ip_id_window == id_window(packet) && sighting.payload_len == packet.payload_len()
    };
    if !same || ingress_ifindex != sighting.arrival {
        return None;
    }
    if sighting.tuple.src.is_v4() != packet.is_v4 {
        // NAT64: no announcement is translated into the other family's form.
        count(Counter::PairingMismatches);
        return None;
    }
    if tag != 0 {
        // SAFETY: the context is valid for the whole run.
        unsafe { (*packet.skb).tc_index = 0 };
    }
    Some(found)
}

/// Whether a packet that leaves may teach something.
#[inline(always)]
pub fn is_wanted(packet: &Packet) -> bool {
    // SAFETY: the context is valid for the whole run.
    packet.flags & flag::SYN != 0 || unsafe { (*packet.skb).tc_index } != 0
}

/// Learns from a packet that leaves. `false`: it must not leave.
#[inline(always)]
pub fn at_egress(packet: Packet) -> bool {
    if packet.flags & flag::SYN == 0 {
        pickup::at_egress(packet);
    } else if is_sender(&packet) {
        local::at_egress(packet);
    } else if packet.flags & flag::ACK == 0 {
        return handshake::syn(packet) != stack::LOST;
    } else {
        handshake::syn_ack(packet);
    }
    true
}
