//! Rebuilding a packet. The TCP checksum is repaired at most twice: once for
//! the pseudo-header (the TCP length), once for all else.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::TC_ACT_UNSPEC,
    helpers::{
        bpf_csum_diff, bpf_loop, bpf_skb_change_tail, bpf_skb_load_bytes, bpf_skb_store_bytes,
    },
};
use ftp_nat_common::{counter::Counter, csum, stream::ingress::OUTPUT_MAX, tcp::flag};

use super::{Plan, drop_for};
use crate::{
    maps::{CHUNK, Scratch},
    packet::{Packet, bounded_from_one, store, tcp, v4, v6},
};

/// Changes the sequence number alone.
#[inline(never)]
pub fn renumber(packet: Packet, seq: u32) -> i32 {
    if seq == packet.seq {
        return TC_ACT_UNSPEC;
    }
    let delta = csum::diff(packet.seq.to_be(), seq.to_be());
    if store(packet.skb, packet.l4 + tcp::SEQ, &seq.to_be()) && packet.fix_tcp_check(delta, false) {
        TC_ACT_UNSPEC
    } else {
        drop_for(Counter::DroppedEditFailed)
    }
}

/// The payload's sum in scratch memory isn't that of the current packet.
pub const UNKNOWN: u64 = u64::MAX;

/// Bytes summed by one helper call: older kernels take no more.
const BLOCK: u32 = 512;

/// Sums `len` bytes of a buffer, whose bytes behind that are zero up to the
/// next multiple of four.
#[inline(always)]
fn sum_block(buffer: *mut u8, len: u32, seed: u32) -> u32 {
    let len = ((len + 3) & !3).min(BLOCK);
    // SAFETY: the caller's buffer holds `BLOCK` bytes.
    let sum = unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, buffer.cast(), len, seed) };
    sum as u32
}

/// Sums the packet's payload (at most 64 KiB).
#[inline(always)]
pub fn sum_packet(packet: &Packet, scratch: *mut Scratch) -> Option<u32> {
    u32::try_from(sum_or_fail(*packet, scratch)).ok()
}

/// What [`sum_packet`] returns, in one register; `u64::MAX` for `None`.
#[inline(never)]
fn sum_or_fail(packet: Packet, scratch: *mut Scratch) -> u64 {
    let mut summing = Summing {
        packet,
        scratch,
        done: 0,
        sum: 0,
    };
    let blocks = packet.payload_len().div_ceil(BLOCK);
    if blocks == 1 {
        // A command, most often. It is in the chunk then as a whole.
        add_block(&mut summing);
        // SAFETY: this CPU's own memory.
        unsafe { (*scratch).is_in_chunk = u32::from(summing.done != 0) };
    } else {
        let context: *mut Summing = &raw mut summing;
        // SAFETY: the callback gets the pointer given here.
        unsafe { bpf_loop(blocks, next_block as *mut c_void, context.cast(), 0) };
    }
    if summing.done == packet.payload_len() {
        u64::from(summing.sum)
    } else {
        u64::MAX
    }
}

/// A sum on its way.
struct Summing {
    packet: Packet,
    scratch: *mut Scratch,
    done: u32,
    sum: u32,
}

/// Adds a block. A `bpf_loop` callback: 1 ends the loop.
extern "C" fn next_block(_index: u32, summing: *mut c_void) -> i64 {
    // SAFETY: the pointer that `sum_or_fail` gave.
    add_block(unsafe { &mut *summing.cast::<Summing>() })
}

/// Adds a block; 1 where it can't be read.
#[inline(always)]
fn add_block(s: &mut Summing) -> i64 {
    let packet = &s.packet;
    // SAFETY: this CPU's own memory.
    let block = unsafe { (&raw mut (*s.scratch).chunk).cast::<u8>() };
    let left = packet.payload_len() - s.done;
    let part = bounded_from_one(left.min(BLOCK), BLOCK - 1);
    // SAFETY: the block holds `CHUNK` bytes; the word behind the part is cleared
    // first, for the part may end within it.
    unsafe {
        let word = block.add((part & !3) as usize & (CHUNK - 1)).cast::<u32>();
        *word = 0;
        if bpf_skb_load_bytes(
            packet.skb.cast(),
            packet.payload + s.done,
            block.cast(),
            part,
        ) != 0
        {
            return 1;
        }
    }
    s.sum = sum_block(block, part, s.sum);
    s.done += part;
    0
}

/// Sums the output that the plan tells to send.
#[inline(never)]
fn sum_output(scratch: *mut Scratch) -> u32 {
    // SAFETY: this CPU's own memory.
    let (out, len) = unsafe { (&mut (*scratch).run.out, (*scratch).plan.len) };
    // The sum is taken over whole words.
    out[len as usize & (OUTPUT_MAX - 1)] = 0;
    out[(len + 1) as usize & (OUTPUT_MAX - 1)] = 0;
    out[(len + 2) as usize & (OUTPUT_MAX - 1)] = 0;
    let base = out.as_mut_ptr();
    let mut sum = 0;
    let mut n = 0;
    while n < OUTPUT_MAX as u32 / BLOCK {
        let at = n * BLOCK;
        if at >= len {
            break;
        }
        let part = (len - at).min(BLOCK);
        // SAFETY: `at` is within the output.
        sum = sum_block(unsafe { base.add(at as usize) }, part, sum);
        n += 1;
    }
    sum
}

/// Gives the packet the payload, sequence number and FIN that the plan tells.
#[inline(never)]
pub fn rebuild(packet: Packet, scratch: *mut Scratch) -> i32 {
    match try_rebuild(&packet, scratch) {
        Some(()) => TC_ACT_UNSPEC,
        None => drop_for(Counter::DroppedEditFailed),
    }
}

#[inline(always)]
fn try_rebuild(packet: &Packet, scratch: *mut Scratch) -> Option<()> {
    let old_len = packet.payload_len();
    // The checksum of a merged packet is always left to the device.
    let old_sum = if packet.gso_size() == 0 {
        // SAFETY: this CPU's own memory.
        match unsafe { (*scratch).payload_sum } {
            UNKNOWN => sum_packet(packet, scratch)?,
            sum => sum as u32,
        }
    } else {
        0
    };
    let new_sum = sum_output(scratch);
    // SAFETY: this CPU's own memory.
    let Plan {
        seq,
        len,
        detail,
        urgent,
        ..
    } = unsafe { (*scratch).plan };
    let fin = detail != 0;

    let mut flags = packet.flags & !flag::FIN;
    if fin {
        flags |= flag::FIN;
    }
    let urgent = if flags & flag::URG == 0 {
        packet.urgent
    } else {
        urgent as u16
    };
    if urgent == 0 {
        flags &= !flag::URG;
    }

    let total = packet.payload + len;
    // SAFETY: the context is valid for the whole run.
    let skb_len = unsafe { (*packet.skb).len };
    if total != skb_len {
        // SAFETY: helper calls with numbers only.
        let failed = unsafe {
            // Growing first makes the kernel forget a device's sum over the
            // whole packet, which cutting would leave wrong.
            (total < skb_len
                && packet.gso_size() == 0
                && bpf_skb_change_tail(packet.skb.cast(), skb_len + 4, 0) != 0)
                || bpf_skb_change_tail(packet.skb.cast(), total, 0) != 0
        };
        if failed {
            return None;
        }
    }
    if len > 0 {
        let len = bounded_from_one(len, OUTPUT_MAX as u32 - 1);
        // SAFETY: `len` bytes of the output are read.
        let failed = unsafe {
            bpf_skb_store_bytes(
                packet.skb.cast(),
                packet.payload,
                (&raw const (*scratch).run.out).cast(),
                len,
                0,
            )
        };
        if failed != 0 {
            return None;
        }
    }
    let mut delta = csum::diff(old_sum, new_sum);
    delta = csum::add(delta, csum::diff(packet.seq.to_be(), seq.to_be()));
    let flags_word = |f: u8| u32::from(u16::from_ne_bytes([0, f]));
    delta = csum::add(
        delta,
        csum::diff(flags_word(packet.flags), flags_word(flags)),
    );
    let urgent_word = |u: u16| u32::from(u.to_be());
    delta = csum::add(
        delta,
        csum::diff(urgent_word(packet.urgent), urgent_word(urgent)),
    );
    let fields = (seq == packet.seq || store(packet.skb, packet.l4 + tcp::SEQ, &seq.to_be()))
        && (flags == packet.flags || store(packet.skb, packet.l4 + tcp::FLAGS, &flags))
        && (urgent == packet.urgent || store(packet.skb, packet.l4 + tcp::URGENT, &urgent.to_be()));
    if !fields || !packet.fix_tcp_check(delta, false) {
        return None;
    }
    resize(packet, old_len, len)
}

/// Writes the new length into the IP header, and into the pseudo-header's sum.
#[inline(always)]
fn resize(packet: &Packet, old_len: u32, len: u32) -> Option<()> {
    if len == old_len {
        return Some(());
    }
    let headers = packet.payload - packet.l4;
    let tcp_len = |payload: u32| (headers + payload).to_be();
    let delta = csum::diff(
        u32::from(fold_be(tcp_len(old_len))),
        u32::from(fold_be(tcp_len(len))),
    );
    if !packet.fix_tcp_check(delta, true) {
        return None;
    }
    let l3_len = packet.l3_len - old_len + len;
    if packet.is_v4 {
        let old = (packet.l3_len as u16).to_be();
        let new = (l3_len as u16).to_be();
        let done = store(packet.skb, packet.l3 + v4::TOTAL_LEN, &new)
            && packet.fix_ip_check(csum::diff(u32::from(old), u32::from(new)));
        done.then_some(())
    } else {
        let new = ((l3_len - v6::HEADER_LEN) as u16).to_be();
        store(packet.skb, packet.l3 + v6::PAYLOAD_LEN, &new).then_some(())
    }
}

/// A 32-bit number in network order as a 16-bit partial sum.
#[inline(always)]
const fn fold_be(n: u32) -> u16 {
    csum::fold(n)
}
