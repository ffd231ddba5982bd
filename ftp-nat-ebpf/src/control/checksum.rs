//! TC comes before the kernel has looked at the TCP checksum: what arrives broken
//! must not be believed, or the stream would go on with the wrong bytes for ever.

use aya_ebpf::helpers::{bpf_csum_diff, bpf_skb_load_bytes};
use ftp_nat_common::csum;

use super::edit::{UNKNOWN, sum_packet};
use crate::{
    maps::{Scratch, scratch},
    packet::{Packet, bounded_from_one},
    sums::pseudo_sum,
};

/// Whether the packet's TCP checksum is right, or left to a device.
///
/// A segment without payload changes nothing here and is passed for the ends to
/// judge.
#[inline(never)]
pub fn is_right(packet: Packet) -> bool {
    let Some(scratch) = scratch() else {
        return false;
    };
    // SAFETY: this CPU's own memory.
    unsafe {
        (*scratch).payload_sum = UNKNOWN;
        (*scratch).is_in_chunk = 0;
    }
    let seed = pseudo_sum(&packet);
    // Of a merged packet the kernel has checked the parts.
    if packet.payload_len() == 0 || packet.gso_size() != 0 || csum::fold(seed) == packet.check {
        return true;
    }
    match sum(&packet, scratch) {
        Some(sum) => csum::fold(csum::add(sum, seed)) == 0xffff,
        None => false,
    }
}

/// The sum of TCP header and payload.
#[inline(always)]
fn sum(packet: &Packet, scratch: *mut Scratch) -> Option<u32> {
    let len = bounded_from_one(packet.payload - packet.l4, 63);
    // SAFETY: at most 64 bytes go into the header buffer, and whole words of
    // them are summed.
    let header = unsafe {
        let buffer = (&raw mut (*scratch).header).cast::<u8>();
        if bpf_skb_load_bytes(packet.skb.cast(), packet.l4, buffer.cast(), len) != 0 {
            return None;
        }
        bpf_csum_diff(core::ptr::null_mut(), 0, buffer.cast(), len & !3, 0) as u32
    };
    let payload = sum_packet(packet, scratch)?;
    // SAFETY: this CPU's own memory.
    unsafe { (*scratch).payload_sum = u64::from(payload) };
    Some(csum::add(header, payload))
}
