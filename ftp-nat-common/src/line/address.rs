//! Numbers and addresses inside announcements, read byte by byte.

use super::{Announcement, Line};
use crate::{addr::Addr, translation::Kind};

/// What a byte is to a number or an address that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Part of it.
    Part,
    /// The byte behind it; what was read is complete.
    End,
    /// It can't become an address any more.
    Bad,
}

const EPRT_V6_GROUPS: u8 = 8;

impl Line {
    /// One byte of numbers 0 to 255 of at most three digits with `separator`
    /// between them (RFC 959: `h1,h2,h3,h4,p1,p2`); `last` is the last one's index.
    #[inline(always)]
    pub(super) fn octet(&mut self, byte: u8, separator: u8, last: u8) -> Read {
        if byte.is_ascii_digit() {
            self.value = self.value * 10 + u16::from(byte - b'0');
            self.count += 1;
            return if self.count > 3 || self.value > 255 {
                Read::Bad
            } else {
                Read::Part
            };
        }
        if self.count == 0 {
            return Read::Bad;
        }
        let ends = byte != separator;
        if ends != (self.field == last) {
            return Read::Bad;
        }
        self.parts[usize::from(self.field & 7)] = self.value;
        self.field += 1;
        self.count = 0;
        self.value = 0;
        if ends { Read::End } else { Read::Part }
    }

    /// One byte of a decimal port number (RFC 2428); the first byte that is no
    /// digit ends it.
    #[inline(always)]
    pub(super) fn port(&mut self, byte: u8) -> Read {
        if byte.is_ascii_digit() {
            let value = u32::from(self.value) * 10 + u32::from(byte - b'0');
            self.count += 1;
            self.value = value as u16;
            return if self.count > 5 || value > 65_535 {
                Read::Bad
            } else {
                Read::Part
            };
        }
        if self.count == 0 {
            Read::Bad
        } else {
            Read::End
        }
    }

    /// One byte of an IPv6 address in the forms 1 and 2 of RFC 4291 section
    /// 2.2. Zones and embedded IPv4 are not for EPRT.
    #[inline(always)]
    pub(super) fn group(&mut self, byte: u8, delimiter: u8) -> Read {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => 16,
        };
        if digit < 16 && byte != delimiter {
            if self.count == 4 || self.field >= EPRT_V6_GROUPS {
                return Read::Bad;
            }
            // A single colon may not begin the address.
            if self.field == 0 && self.family == 1 && self.gap == 0 {
                return Read::Bad;
            }
            self.value = (self.value << 4) | u16::from(digit);
            self.count += 1;
            self.family = 0;
            return Read::Part;
        }
        if byte != b':' && byte != delimiter {
            return Read::Bad;
        }
        if self.count > 0 {
            self.parts[usize::from(self.field & 7)] = self.value;
            self.field += 1;
            self.count = 0;
            self.value = 0;
        } else if byte == b':' && self.family == 1 {
            if self.gap != 0 {
                return Read::Bad;
            }
            self.gap = self.field + 1;
            self.family = 2;
            return Read::Part;
        } else if (byte == b':' && (self.family == 2 || self.field > 0))
            || (byte == delimiter && self.family == 1)
        {
            return Read::Bad;
        }
        if byte == b':' {
            self.family = 1;
            return Read::Part;
        }
        let whole = self.field == EPRT_V6_GROUPS && self.gap == 0;
        let compressed = self.gap != 0 && self.field < EPRT_V6_GROUPS;
        if whole || compressed {
            Read::End
        } else {
            Read::Bad
        }
    }

    /// Spreads the groups that stand behind `::` to the end of the address.
    #[inline(always)]
    pub(super) fn expand_gap(&mut self) {
        if self.gap == 0 {
            return;
        }
        let gap = u32::from(self.gap - 1);
        let shift = u32::from(EPRT_V6_GROUPS - self.field);
        // From the last group down, so that each is read before it is overwritten.
        let mut to = u32::from(EPRT_V6_GROUPS);
        while to > gap {
            to -= 1;
            // The compiler could prove the mask needless; the verifier can't.
            let from = core::hint::black_box(to.wrapping_sub(shift)) & 7;
            let moved = to >= gap + shift;
            self.parts[to as usize & 7] = if moved { self.parts[from as usize] } else { 0 };
        }
    }

    /// The announcement whose last number was just read.
    #[inline(always)]
    pub fn announcement(&self, kind: Kind) -> Announcement {
        let p = &self.parts;
        let v4 = || Addr::from_v4([p[0] as u8, p[1] as u8, p[2] as u8, p[3] as u8]);
        let (addr, port) = match kind {
            Kind::Port | Kind::Pasv => (v4(), (p[4] << 8) | p[5]),
            Kind::Eprt if self.family == 1 => (v4(), self.value),
            Kind::Eprt => {
                let word = |i: usize| ((u32::from(p[i]) << 16) | u32::from(p[i + 1])).to_be();
                let addr = Addr([word(0), word(2), word(4), word(6)]);
                // An IPv4-mapped address is none of family 1, nor one to be reached.
                let addr = if addr.is_v4() {
                    Addr::UNSPECIFIED
                } else {
                    addr
                };
                (addr, self.value)
            }
            _ => (Addr::UNSPECIFIED, self.value),
        };
        Announcement {
            kind,
            addr,
            port,
            delimiter: self.delimiter,
        }
    }
}
