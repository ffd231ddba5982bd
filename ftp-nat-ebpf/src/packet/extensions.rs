//! IPv6 extension headers (RFC 8200 section 4).

use aya_ebpf::bindings::__sk_buff;

use super::load;

/// Extension headers that may stand before TCP.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
/// Extension headers that are stepped over; more pass unlooked at.
const EXTENSIONS_MAX: u32 = 6;

/// The protocol of what can't be looked into: nobody has this number.
const UNKNOWN: u8 = 255;

/// What follows the extension headers: its protocol, and its offset.
#[inline(always)]
pub fn skip(skb: *mut __sk_buff, at: u32, next_header: u8) -> (u8, u32) {
    let found = walk(skb, at, u32::from(next_header));
    (found as u8, (found >> 8) as u32)
}

/// Steps over the headers. The result is one number: offset and protocol.
///
/// A fragment is stopped at, and so is a packet on a source route: the address
/// in its header is that of the next stop, not of the TCP end.
#[inline(never)]
fn walk(skb: *mut __sk_buff, mut at: u32, next_header: u32) -> u64 {
    let mut next = next_header as u8;
    let mut n = 0;
    while n < EXTENSIONS_MAX {
        if !matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
            break;
        }
        let Some([following, len, _, segments_left]) = load::<[u8; 4]>(skb, at) else {
            next = UNKNOWN;
            break;
        };
        if next == ROUTING && segments_left != 0 {
            break;
        }
        next = following;
        at += (u32::from(len) + 1) * 8;
        n += 1;
    }
    (u64::from(at) << 8) | u64::from(next)
}
