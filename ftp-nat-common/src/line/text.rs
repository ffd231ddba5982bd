//! The text that replaces an announced address, and the choice of a port whose
//! text is as long as the old one.

use crate::{addr::Addr, stream::TELNET_MAX, translation::Kind};

/// The longest text that is held back or put in its place, in bytes.
pub const TEXT_MAX: usize = 64;

/// The longest and the shortest `h1,h2,h3,h4,p1,p2` that is read or written.
const NUMBERS_MAX: usize = 23;
const NUMBERS_MIN: usize = 11;

/// Free text of this length makes up for any difference; its last byte stays.
pub const PREFIX_ENOUGH: u32 = (NUMBERS_MAX - NUMBERS_MIN) as u32 + 1;

/// How much longer it may have to become.
const PREFIX_GROWTH: usize = PREFIX_ENOUGH as usize - 1;

/// The most free text that is held before the address of a 227: when it has
/// grown, the address must still fit behind it.
pub const PREFIX_MAX: u8 = (TEXT_MAX - NUMBERS_MAX - PREFIX_GROWTH) as u8;
const _: () = assert!(PREFIX_MAX as usize + NUMBERS_MAX + TELNET_MAX < TEXT_MAX);

/// A port's text may have any length.
pub const ANY_LENGTH: usize = 255;

/// A text being written.
///
/// Its length is always read from memory, and the writing functions are
/// functions of their own in the object too: to the verifier the text then
/// looks the same however many digits a number has.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Bytes written.
    pub len: u32,
    /// The bytes.
    pub bytes: [u8; TEXT_MAX],
    /// The zero groups of an IPv6 address, a bit for each.
    zeros: u32,
    /// The numbers while they are moved: the stack has no room for them.
    pub(crate) spare: [u8; TEXT_MAX],
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Text {
    /// Nothing written.
    pub const fn new() -> Self {
        Self {
            len: 0,
            bytes: [0; TEXT_MAX],
            zeros: 0,
            spare: [0; TEXT_MAX],
        }
    }

    /// Appends a byte.
    #[inline(never)]
    pub fn byte(&mut self, b: u8) {
        self.bytes[self.len as usize & (TEXT_MAX - 1)] = b;
        self.len += 1;
    }

    /// A number of at most 65,535. There are no divisions, which take as long as
    /// twenty multiplications.
    #[inline(never)]
    fn decimal(&mut self, n: u32) {
        let tenth = |n: u32| (n * 52_429) >> 19;
        let (tens, hundreds) = (tenth(n), tenth(tenth(n)));
        let (thousands, last) = (tenth(hundreds), tenth(tenth(hundreds)));
        let digit = |n: u32| b'0' + (n - tenth(n) * 10) as u8;
        for above in [last, thousands, hundreds, tens] {
            if above > 0 {
                self.byte(digit(above));
            }
        }
        self.byte(digit(n));
    }

    #[inline(always)]
    fn hex(&mut self, n: u32) {
        let mut started = false;
        let mut shift = 16;
        while shift > 0 {
            shift -= 4;
            let digit = ((n >> shift) & 15) as u8;
            started |= digit > 0 || shift == 0;
            if started {
                self.byte(if digit < 10 {
                    b'0' + digit
                } else {
                    b'a' + digit - 10
                });
            }
        }
    }

    #[inline(always)]
    fn v4(&mut self, addr: &Addr, separator: u8) {
        let o = addr.v4_octets();
        self.decimal(u32::from(o[0]));
        self.byte(separator);
        self.decimal(u32::from(o[1]));
        self.byte(separator);
        self.decimal(u32::from(o[2]));
        self.byte(separator);
        self.decimal(u32::from(o[3]));
    }

    /// As RFC 5952 has it: the longest run of zero groups is `::`. Servers
    /// compare texts.
    #[inline(always)]
    fn v6(&mut self, addr: &Addr) {
        self.zeros = zero_groups(addr);
        let mut i = 0;
        while i < 8 {
            let word = u32::from_be(addr.0[i as usize / 2]);
            let group = if i % 2 == 0 {
                word >> 16
            } else {
                word & 0xffff
            };
            self.group(i, group);
            i += 1;
        }
    }

    /// The `i`th group of an IPv6 address whose zero groups are in `zeros`.
    #[inline(never)]
    fn group(&mut self, i: u32, group: u32) {
        let run = u32::from(ZERO_RUN[self.zeros as usize & 255]);
        let (start, end) = (run & 15, run >> 4);
        if i < start || i >= end {
            if i > 0 {
                self.byte(b':');
            }
            self.hex(group);
            return;
        }
        if i == start {
            self.byte(b':');
        }
        if i == 7 {
            self.byte(b':');
        }
    }

    /// Begins anew with what stands before the port: `h1,h2,h3,h4,` for PORT
    /// and 227, the address and the delimiter for EPRT, nothing for 229.
    #[inline(always)]
    pub fn begin(&mut self, kind: Kind, addr: &Addr, delimiter: u8) {
        self.len = 0;
        match kind {
            Kind::Port | Kind::Pasv => {
                self.v4(addr, b',');
                self.byte(b',');
            }
            Kind::Eprt => {
                if addr.is_v4() {
                    self.v4(addr, b'.');
                } else {
                    self.v6(addr);
                }
                self.byte(delimiter);
            }
            Kind::Epsv | Kind::Encrypted | Kind::Default | Kind::None => {}
        }
    }

    /// Appends the port (host byte order): `p1,p2` for PORT and 227, decimal
    /// otherwise.
    #[inline(always)]
    pub fn port(&mut self, kind: Kind, port: u16) {
        if matches!(kind, Kind::Port | Kind::Pasv) {
            self.decimal(u32::from(port >> 8));
            self.byte(b',');
            self.decimal(u32::from(port & 255));
        } else {
            self.decimal(u32::from(port));
        }
    }

    /// Puts the first `prefix` bytes of `held` before the six numbers that are
    /// all of the text so far, made `len` bytes long: blanks are put in, or
    /// bytes left out, before the last of them, which clients look for where
    /// it is a parenthesis.
    ///
    /// There are no branches, which the verifier would follow: what is written
    /// too much is overwritten, or lies behind the end.
    #[inline(never)]
    pub fn precede(&mut self, held: &[u8; TEXT_MAX], prefix: u32, len: u32) {
        const MASK: usize = TEXT_MAX - 1;
        let (prefix, len) = (prefix as usize, len as usize);
        self.spare = self.bytes;
        self.bytes = *held;
        let last = prefix.wrapping_sub(1);
        let mut i = 0;
        while i < PREFIX_GROWTH {
            self.bytes[last.wrapping_add(i) & MASK] = b' ';
            i += 1;
        }
        self.bytes[len.wrapping_sub(1) & MASK] = held[last & MASK];
        i = 0;
        while i < NUMBERS_MAX {
            self.bytes[len.wrapping_add(i) & MASK] = self.spare[i];
            i += 1;
        }
        self.len += len as u32;
    }
}

/// A bit for each group of the address that is zero.
#[inline(never)]
fn zero_groups(addr: &Addr) -> u32 {
    let mut mask = 0u32;
    let mut i = 0;
    while i < 4 {
        let word = u32::from_be(addr.0[i]);
        // 1 where the sixteen bits are zero: only then this goes below zero.
        let high = (word >> 16).wrapping_sub(1) >> 31;
        let low = (word & 0xffff).wrapping_sub(1) >> 31;
        mask |= (high | low << 1) << (2 * i);
        i += 1;
    }
    mask
}

/// By the zero groups: the index of the first group of the first longest run of
/// at least two, and 16 times the one behind its last; equal where there is none.
const ZERO_RUN: [u8; 256] = {
    let mut table = [0; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut best, mut best_start, mut len, mut i) = (0, 0, 0, 0);
        while i < 8 {
            len = if mask >> i & 1 == 1 { len + 1 } else { 0 };
            if len > best && len > 1 {
                best = len;
                best_start = i + 1 - len;
            }
            i += 1;
        }
        table[mask] = (best_start | (best_start + best) << 4) as u8;
        mask += 1;
    }
    table
};

/// Octets of one, two and three digits, by the number of digits: how many there
/// are, and the first of them.
const OCTETS: [u32; 4] = [1, 10, 90, 156];
const OCTET_BASE: [u32; 4] = [0, 0, 10, 100];
/// The same for the high octet of a port: below 4 it would be a port below
/// 1024, which is never chosen.
const HIGH_OCTETS: [u32; 4] = [1, 6, 90, 156];
const HIGH_OCTET_BASE: [u32; 4] = [0, 4, 10, 100];

/// How many ports there are with `digits` digits in `p1,p2` of which fewer than
/// `high` are the high octet's.
const fn pairs_below(digits: usize, high: usize) -> u32 {
    let mut sum = 0;
    let mut h = 1;
    while h < high && h < digits {
        if h <= 3 && digits - h <= 3 {
            sum += HIGH_OCTETS[h] * OCTETS[digits - h];
        }
        h += 1;
    }
    sum
}

/// By the digits of `p1,p2`: how many ports have a high octet of one digit, of
/// at most two, and of any number. The sizes are powers of two for the masks.
const PAIRS: [[u32; 4]; 8] = {
    let mut table = [[0; 4]; 8];
    let mut digits = 2;
    while digits <= 6 {
        let mut high = 1;
        while high <= 3 {
            table[digits][high] = pairs_below(digits, high + 1);
            high += 1;
        }
        digits += 1;
    }
    table
};

/// A port of 1024 or more whose text is `len` bytes long, uniformly among all
/// such ports as `random` is uniform; 0 where there is none. With
/// [`ANY_LENGTH`] it is any port.
///
/// Tables instead of branches: the verifier follows every branch. And a plain
/// number, because the compiler may leave the payload of a `None` undefined in
/// a register, which the verifier doesn't let anyone touch.
#[inline(always)]
pub fn port_of_length(kind: Kind, len: usize, random: u32) -> u16 {
    if len == ANY_LENGTH {
        return (1024 + random % (65_536 - 1024)) as u16;
    }
    if !matches!(kind, Kind::Port | Kind::Pasv) {
        return match len {
            4 => (1024 + random % (10_000 - 1024)) as u16,
            5 => (10_000 + random % (65_536 - 10_000)) as u16,
            _ => 0,
        };
    }
    if len > 7 {
        return 0;
    }
    // One of the bytes is the comma.
    let digits = len.wrapping_sub(1) & 7;
    let row = &PAIRS[digits];
    let total = row[3];
    if total == 0 {
        return 0;
    }
    let n = random % total;
    let high = 1 + (n >= row[1]) as usize + (n >= row[2]) as usize;
    let low = digits.wrapping_sub(high) & 3;
    let n = n - row[(high - 1) & 3];
    let p1 = HIGH_OCTET_BASE[high & 3] + n / OCTETS[low];
    let p2 = OCTET_BASE[low] + n % OCTETS[low];
    ((p1 << 8) | p2) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, format, net::IpAddr, string::String};

    fn render(kind: Kind, addr: IpAddr, port: u16, delimiter: u8) -> String {
        let mut text = Text::default();
        text.begin(kind, &addr.into(), delimiter);
        text.port(kind, port);
        String::from_utf8_lossy(&text.bytes[..text.len as usize]).into_owned()
    }

    #[test]
    fn ipv6_is_written_as_the_standard_library_writes_it() {
        for text in [
            "::",
            "::1",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:0:3::6:7:8",
            "1::4:0:0:7:8",
            "0:1::",
            "1:0:3:0:5:0:7:0",
            "fe80::1:0:0:1",
        ] {
            let Ok(ip) = text.parse::<IpAddr>() else {
                panic!("{text}")
            };
            assert_eq!(render(Kind::Eprt, ip, 1024, b'|'), format!("{ip}|1024"));
        }
    }

    #[test]
    fn every_form_is_written_as_its_rfc_has_it() {
        let v4 = IpAddr::from([61, 144, 1, 2]);
        assert_eq!(render(Kind::Port, v4, 12_806, 0), "61,144,1,2,50,6");
        assert_eq!(render(Kind::Pasv, v4, 65_535, 0), "61,144,1,2,255,255");
        assert_eq!(render(Kind::Eprt, v4, 1024, b'|'), "61.144.1.2|1024");
        assert_eq!(render(Kind::Epsv, v4, 40_000, b'|'), "40000");
        let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0xa0, 1]);
        assert_eq!(render(Kind::Eprt, v6, 10, b'!'), "2001:db8::a0:1!10");
    }

    #[test]
    fn a_port_of_a_wanted_length_has_it_and_all_such_ports_are_chosen() {
        let any = IpAddr::from([1, 2, 3, 4]);
        let prefix = render(Kind::Port, any, 0, 0).len() - 3;
        for len in 0..10 {
            let expected: BTreeSet<u16> = (1024..=65_535)
                .filter(|p| render(Kind::Port, any, *p, 0).len() - prefix == len)
                .collect();
            let chosen: BTreeSet<u16> = (0..30_000)
                .map(|r| port_of_length(Kind::Port, len, r))
                .filter(|p| *p != 0)
                .collect();
            assert_eq!(chosen, expected, "length {len}");
        }
        for len in 0..8 {
            let expected: BTreeSet<u16> = (1024..=65_535)
                .filter(|p| format!("{p}").len() == len)
                .collect();
            let chosen: BTreeSet<u16> = (0..60_000)
                .map(|r| port_of_length(Kind::Epsv, len, r))
                .filter(|p| *p != 0)
                .collect();
            assert_eq!(chosen, expected, "length {len}");
        }
    }
}
