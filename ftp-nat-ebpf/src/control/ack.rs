//! An acknowledgement on its way to the near host: its number and its SACK
//! blocks are those of far's view, and become those of near's.

use aya_ebpf::{bindings::TC_ACT_UNSPEC, helpers::bpf_skb_store_bytes};
use ftp_nat_common::{
    counter::Counter,
    csum,
    seq::Seq,
    session::Session,
    stream::{
        Edits, Half,
        egress::{Acked, acknowledge, sack_block},
    },
    tcp::option,
};

use super::{drop_for, outstanding};
use crate::{
    maps::{Scratch, count, scratch},
    options,
    packet::{Packet, bounded_from_one, store, tcp},
};

/// Handles a packet to the near host of a locked session's half.
#[inline(always)]
pub fn handle(packet: &Packet, session: *mut Session, role: usize) -> i32 {
    // SAFETY: a live map value, locked by the caller.
    let s = unsafe { &mut *session };
    let found = outstanding::of(s, role);
    // SAFETY: the edits belong to the locked session.
    let edits = found.map(|e| unsafe { &*e });
    let ack = Seq(packet.ack);
    let acked = acknowledge(&mut s.half[role & 1], &mut s.line[role & 1], edits, ack);
    let new = match acked {
        Acked::Mapped(new) => new,
        Acked::Resynced(new) => {
            count(Counter::Resyncs);
            new
        }
        Acked::Beyond => {
            count(Counter::AckBeyondSent);
            return TC_ACT_UNSPEC;
        }
    };
    let mut delta = csum::diff(ack.0.to_be(), new.0.to_be());
    if new != ack && !store(packet.skb, packet.l4 + tcp::ACK, &new.0.to_be()) {
        return drop_for(Counter::DroppedEditFailed);
    }
    let half = &s.half[role & 1];
    if (half.shift() != 0 || found.is_some()) && packet.payload - packet.l4 >= tcp::HEADER_LEN + 10
    {
        match translate_sack(packet, half, edits, ack) {
            Some(d) => delta = csum::add(delta, d),
            None => return drop_for(Counter::DroppedEditFailed),
        }
    }
    if found.is_some() {
        outstanding::release(s, role);
    }
    if !packet.fix_tcp_check(delta, false) {
        return drop_for(Counter::DroppedEditFailed);
    }
    TC_ACT_UNSPEC
}

/// Translates the SACK option in place (RFC 2018); returns the checksum's difference.
#[inline(always)]
fn translate_sack(packet: &Packet, half: &Half, edits: Option<&Edits>, ack: Seq) -> Option<u32> {
    let Some((at, size)) = options::find(packet, option::SACK) else {
        return Some(0);
    };
    blocks(packet, half, edits, ack, at, size)
}

/// SACK blocks at most in an option.
const BLOCKS: u32 = 4;
/// Bytes of the longest SACK option.
const SACK_MAX: u32 = 2 + 8 * BLOCKS;
/// The new option is put together here in the scratch header; the old one
/// stays for its sum.
const NEW: usize = 64;

#[inline(always)]
fn blocks(
    packet: &Packet,
    half: &Half,
    edits: Option<&Edits>,
    ack: Seq,
    at: u32,
    size: u32,
) -> Option<u32> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    unsafe { (*scratch).option.kept = 0 };
    let count = ((size - 2) / 8).min(BLOCKS);
    let mut n = 0;
    while n < BLOCKS {
        if n < count && !is_duplicate(scratch, ack, at, if n == 0 { count } else { 0 }) {
            keep_block(scratch, half, edits, at + 2 + n * 8);
        }
        n += 1;
    }
    finish_option(scratch);
    let delta = difference(scratch, at, size);
    let size = bounded_from_one(size.min(SACK_MAX), 63);
    // SAFETY: at most 64 bytes behind `NEW` are read.
    let failed = unsafe {
        bpf_skb_store_bytes(
            packet.skb.cast(),
            packet.l4 + tcp::HEADER_LEN + at,
            (&raw const (*scratch).header).cast::<u8>().add(NEW).cast(),
            size,
            0,
        )
    };
    if failed == 0 { Some(delta) } else { None }
}

/// Whether the first of `count` blocks is a D-SACK (RFC 2883). It reports a
/// duplicate of far's, which may be one of the helper's own making: near isn't told.
#[inline(never)]
fn is_duplicate(scratch: *mut Scratch, ack: Seq, at: u32, count: u32) -> bool {
    if count == 0 {
        return false;
    }
    // SAFETY: this CPU's own memory.
    let options = unsafe { &(*scratch).header };
    let (start, end) = block(options, at + 2);
    if start.before(ack) {
        return true;
    }
    let second = block(options, at + 10);
    count >= 2 && !start.before(second.0) && !end.after(second.1)
}

/// Appends the translation of the block at `at` to the new option.
#[inline(never)]
fn keep_block(scratch: *mut Scratch, half: &Half, edits: Option<&Edits>, at: u32) {
    // SAFETY: this CPU's own memory.
    let (options, found) = unsafe { (&mut (*scratch).header, &mut (*scratch).option) };
    let (start, end) = block(options, at);
    if let Some((start, end)) = sack_block(half, edits, start, end) {
        let to = NEW + 2 + (found.kept as usize & 3) * 8;
        put(options, to, start.0);
        put(options, to + 4, end.0);
        found.kept += 1;
    }
}

/// Writes the new option's kind and length, and padding behind it.
#[inline(never)]
fn finish_option(scratch: *mut Scratch) {
    // SAFETY: this CPU's own memory.
    let (options, found) = unsafe { (&mut (*scratch).header, &(*scratch).option) };
    let used = if found.kept == 0 {
        0
    } else {
        2 + found.kept * 8
    };
    options[NEW] = if used == 0 { option::NOP } else { option::SACK };
    options[NEW + 1] = if used == 0 { option::NOP } else { used as u8 };
    let mut n = 2;
    while n < SACK_MAX {
        if n >= used {
            options[(NEW + n as usize) & 127] = option::NOP;
        }
        n += 1;
    }
}

/// The checksum's difference between the old and the new option.
#[inline(never)]
fn difference(scratch: *mut Scratch, at: u32, size: u32) -> u32 {
    // SAFETY: this CPU's own memory.
    let options = unsafe { &(*scratch).header };
    let mut delta = 0;
    let mut n = 0u32;
    while n < SACK_MAX {
        if n < size {
            // A byte at an even offset in the header is the first of its word.
            let old = u32::from(options[(at + n) as usize & 63]);
            let new = u32::from(options[(NEW + n as usize) & 127]);
            let shift = ((at + n) & 1) * 8;
            delta = csum::add(delta, csum::diff(old << shift, new << shift));
        }
        n += 1;
    }
    delta
}

#[inline(always)]
fn word(options: &[u8; 128], at: u32) -> u32 {
    let byte = |n: u32| u32::from(options[(at + n) as usize & 63]);
    (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)
}

#[inline(always)]
fn block(options: &[u8; 128], at: u32) -> (Seq, Seq) {
    (Seq(word(options, at)), Seq(word(options, at + 4)))
}

#[inline(always)]
fn put(options: &mut [u8; 128], at: usize, value: u32) {
    let bytes = value.to_be_bytes();
    options[at & 127] = bytes[0];
    options[(at + 1) & 127] = bytes[1];
    options[(at + 2) & 127] = bytes[2];
    options[(at + 3) & 127] = bytes[3];
}
