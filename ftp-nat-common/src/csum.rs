//! One's-complement sums, as IP and TCP use them (RFC 1071, RFC 1624).

/// Folds a 32-bit partial sum to 16 bits. Not complemented.
#[inline(always)]
pub const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// Adds two partial sums with end-around carry. Without a branch on the carry:
/// the verifier would follow both ways at every addition.
#[inline(always)]
pub const fn add(a: u32, b: u32) -> u32 {
    let sum = a as u64 + b as u64;
    (sum as u32).wrapping_add((sum >> 32) as u32)
}

/// The difference that turns a sum over `old` into one over `new`: `new - old`
/// in one's complement.
#[inline(always)]
pub const fn diff(old: u32, new: u32) -> u32 {
    add(!old, new)
}

/// The checksum field after `delta`, a difference made by [`diff`], was applied
/// to the bytes it covers (RFC 1624, equation 3).
#[inline(always)]
pub const fn apply(check: u16, delta: u32) -> u16 {
    !fold(add((!check) as u32, delta))
}

/// Sum over bytes in network order, as 16-bit words *in memory order*; an odd
/// last byte is padded with zero.
pub fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(0, |acc, pair| {
        let word = [pair[0], pair.get(1).copied().unwrap_or(0)];
        add(acc, u32::from(u16::from_ne_bytes(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // Section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
        let s = fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]));
        assert_eq!(s.to_ne_bytes(), [0xdd, 0xf2]);
    }

    #[test]
    fn the_example_of_rfc_1624() {
        // Section 4: check dd2f, a field changes from 5555 to 3285, giving 0000.
        let delta = diff(0x5555, 0x3285);
        assert_eq!(apply(0xdd2f, delta), 0x0000);
    }

    #[test]
    fn a_difference_equals_a_new_sum() {
        let mut bytes = [0u8; 64];
        for (i, b) in bytes.iter_mut().enumerate() {
            *b = (i * 37 + 11) as u8;
        }
        let check = !fold(sum(&bytes));
        let old = sum(&bytes[10..20]);
        bytes[10..20].copy_from_slice(b"0123456789");
        let new = sum(&bytes[10..20]);
        assert_eq!(apply(check, diff(old, new)), !fold(sum(&bytes)));
    }

    #[test]
    fn a_carry_goes_around() {
        assert_eq!(add(u32::MAX, 0), u32::MAX);
        assert_eq!(add(u32::MAX, 1), 1);
        assert_eq!(apply(0, u32::MAX), 0);
        assert_eq!(sum(&[1, 2, 3]), sum(&[1, 2, 3, 0]));
        assert_eq!(add(0xffff_0000, 0x0001_0002), 3);
        // What a difference is taken of may be greater than what it is taken to.
        for (old, new) in [(0, 0), (1, 0), (0, 1), (0xffff_ffff, 5), (5, 0xffff_fffe)] {
            let there = fold(add(fold(old) as u32, diff(old, new)));
            let is = |n: u16| if n == 0xffff { 0 } else { n };
            assert_eq!(is(there), is(fold(new)), "{old:#x} {new:#x}");
        }
    }
}
