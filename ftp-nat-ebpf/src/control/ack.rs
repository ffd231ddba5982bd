//! An acknowledgement on its way to the near host: its number and its SACK
//! blocks are those of far's view, and become those of near's.

use aya_ebpf::{
    bindings::TC_ACT_UNSPEC,
    helpers::{bpf_csum_diff, bpf_skb_store_bytes},
};
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
    memory, options,
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
/// The options as they become are put together here in the scratch header;
/// those that came stay for their sum.
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
    if size % 8 != 2 {
        // Whole blocks only (RFC 2018 section 3): nobody believes anything else.
        return Some(0);
    }
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    unsafe {
        (*scratch).option.kept = 0;
        let came = (&raw mut (*scratch).header).cast::<[u64; 8]>();
        memory::copy(came.add(1), came);
    }
    let count = ((size - 2) / 8).min(BLOCKS);
    let mut n = 0;
    while n < BLOCKS {
        if n < count && !is_duplicate(scratch, ack, at, if n == 0 { count } else { 0 }) {
            let edits = edits.map_or(core::ptr::null(), |e| &raw const *e);
            // SAFETY: the locked session's.
            unsafe { ftp_nat_sack_block(half, edits, at, at + 2 + n * 8) };
        }
        n += 1;
    }
    finish_option(scratch, at, count);
    let len = packet.payload - packet.l4 - tcp::HEADER_LEN;
    let len = bounded_from_one(len, 63);
    // SAFETY: at most 64 bytes behind `NEW` are read; what came and what becomes
    // of it are equal behind the options, and so make no difference.
    unsafe {
        let came = (&raw mut (*scratch).header).cast::<u8>();
        let new = came.add(NEW);
        let at = packet.l4 + tcp::HEADER_LEN;
        if bpf_skb_store_bytes(packet.skb.cast(), at, new.cast(), len, 0) != 0 {
            return None;
        }
        Some(bpf_csum_diff(came.cast(), NEW as u32, new.cast(), NEW as u32, 0) as u32)
    }
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

/// Appends the translation of the block at `at` to the new option. A global
/// function: the verifier looks at it once.
///
/// # Safety
/// The half and its edits, if they aren't null, are live.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn ftp_nat_sack_block(
    half: *const Half,
    edits: *const Edits,
    option: u32,
    at: u32,
) -> u32 {
    // SAFETY: as the caller promises.
    let (half, edits) = unsafe { (half.as_ref(), edits.as_ref()) };
    let (Some(scratch), Some(half)) = (scratch(), half) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let (options, found) = unsafe { (&mut (*scratch).header, &mut (*scratch).option) };
    let (start, end) = block(options, at);
    if let Some((start, end)) = sack_block(half, edits, start, end) {
        let to = NEW + (option + 2 + (found.kept & 3) * 8) as usize;
        put(options, to, start.0);
        put(options, to + 4, end.0);
        found.kept += 1;
    }
    0
}

/// Writes the new option's length, and puts padding in place of the blocks that
/// are left of `count`; of all of it, if none was kept.
#[inline(never)]
fn finish_option(scratch: *mut Scratch, at: u32, count: u32) {
    const PADDING: u32 = u32::from_ne_bytes([option::NOP; 4]);
    // SAFETY: this CPU's own memory.
    let (options, kept) = unsafe { (&mut (*scratch).header, (*scratch).option.kept) };
    let at = NEW + at as usize;
    if kept == 0 {
        options[at & 127] = option::NOP;
        options[(at + 1) & 127] = option::NOP;
    } else {
        options[(at + 1) & 127] = (2 + kept * 8) as u8;
    }
    let mut n = 0;
    while n < BLOCKS {
        if n >= kept && n < count {
            let to = at + 2 + n as usize * 8;
            put(options, to, PADDING);
            put(options, to + 4, PADDING);
        }
        n += 1;
    }
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
