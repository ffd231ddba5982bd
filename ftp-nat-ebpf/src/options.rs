//! Finding an option in a TCP header, and lowering the MSS.

use aya_ebpf::{bindings::__sk_buff, helpers::bpf_skb_load_bytes};
use ftp_nat_common::{
    csum,
    tcp::{OPTIONS_MAX, option},
};

use crate::{
    maps::{Scratch, scratch},
    packet::{Packet, bounded_from_one, store, tcp},
};

/// Where an option stands.
#[repr(C)]
pub struct Found {
    /// Its offset from the end of the fixed header.
    at: u32,
    /// Its length in bytes, kind and length included.
    size: u32,
    /// SACK blocks kept of it.
    pub kept: u32,
}

/// Whether the segment is signed (RFC 2385, RFC 5925): nothing of it can be edited.
#[inline(always)]
pub fn is_signed(packet: &Packet) -> bool {
    find(packet, option::MD5).is_some() || find(packet, option::AO).is_some()
}

/// Reads the options into the scratch header and finds one of a kind.
///
/// The result is handed over in memory, so that the verifier goes on from here
/// once and not once for every place where the option can stand.
pub fn find(packet: &Packet, kind: u8) -> Option<(u32, u32)> {
    if ftp_nat_option(packet.skb, u32::from(kind)) == 0 {
        return None;
    }
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory, just written.
    unsafe {
        let found = &raw const (*scratch).option;
        Some((
            (&raw const (*found).at).read_volatile(),
            (&raw const (*found).size).read_volatile(),
        ))
    }
}

/// Finds an option; 1 if it is there. A global function: the verifier looks at it
/// once, whatever its callers know.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_option(skb: *mut __sk_buff, wanted: u32) -> u32 {
    let (Some(packet), Some(scratch)) = (Packet::current(skb), scratch()) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let (options, found) = unsafe { (&mut (*scratch).header, &mut (*scratch).option) };
    let base = packet.l4 + tcp::HEADER_LEN;
    let len = packet.payload - base;
    if len == 0 {
        return 0;
    }
    let len = bounded_from_one(len, 63);
    // SAFETY: at most 64 bytes go into the header buffer.
    let failed =
        unsafe { bpf_skb_load_bytes(packet.skb.cast(), base, options.as_mut_ptr().cast(), len) };
    if failed != 0 {
        return 0;
    }
    found.at = 0;
    let mut n = 0;
    while n < OPTIONS_MAX {
        match next(scratch, wanted, len) {
            NEXT => n += 1,
            result => return result,
        }
    }
    0
}

/// The option isn't the wanted one: there may be another.
const NEXT: u32 = 2;

/// Looks at the option at `found.at`: 1 where it is the wanted one, 0 where the
/// options end, [`NEXT`] with the offset moved on.
#[inline(never)]
fn next(scratch: *mut Scratch, wanted: u32, len: u32) -> u32 {
    // SAFETY: this CPU's own memory.
    let (options, found) = unsafe { (&(*scratch).header, &mut (*scratch).option) };
    let at = found.at;
    if at + 2 > len {
        return 0;
    }
    let kind = options[at as usize & 63];
    if kind == option::END {
        return 0;
    }
    if kind == option::NOP {
        found.at = at + 1;
        return NEXT;
    }
    let size = u32::from(options[(at + 1) as usize & 63]);
    if size < 2 || at + size > len {
        return 0;
    }
    if u32::from(kind) == wanted {
        found.size = size;
        return 1;
    }
    found.at = at + size;
    NEXT
}

/// Lowers the announced MSS to what `limit` makes of it, if that is less.
#[inline(always)]
pub fn clamp_mss(packet: &Packet, limit: impl Fn(u16) -> u16) {
    let Some((at, 4)) = find(packet, option::MSS) else {
        return;
    };
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory.
    let options = unsafe { &(*scratch).header };
    let old = [
        options[(at + 2) as usize & 63],
        options[(at + 3) as usize & 63],
    ];
    let mss = u16::from_be_bytes(old);
    let clamped = limit(mss);
    if clamped >= mss {
        return;
    }
    let new = clamped.to_be_bytes();
    if store(packet.skb, packet.l4 + tcp::HEADER_LEN + at + 2, &new) {
        // At an odd offset the bytes belong to two words, in the other order.
        let swap = |b: [u8; 2]| if at % 2 == 0 { b } else { [b[1], b[0]] };
        let word = |b: [u8; 2]| u32::from(u16::from_ne_bytes(swap(b)));
        packet.fix_tcp_check(csum::diff(word(old), word(new)), false);
    }
}
