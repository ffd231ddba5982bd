//! The firewall mark of data packets that the stack forwards.

use std::{fmt, str::FromStr};

use ftp_nat_common::layout::MARK;

/// A mark: `(skb->mark & !mask) | value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    value: u32,
    mask: u32,
}

impl Default for Mark {
    fn default() -> Self {
        Self {
            value: MARK,
            mask: MARK,
        }
    }
}

impl Mark {
    /// That of settings.
    pub(crate) const fn of(value: u32, mask: u32) -> Self {
        Self { value, mask }
    }

    /// The bits that are set.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.value
    }

    /// The bits that are written.
    #[must_use]
    pub const fn mask(self) -> u32 {
        self.mask
    }
}

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            let parsed = match hex {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => text.parse(),
            };
            parsed.map_err(|_| {
                format!("{text:?} is no mark: name 32-bit numbers, hexadecimal after 0x")
            })
        };
        let (value, mask) = match text.split_once('/') {
            Some((value, mask)) => (number(value)?, number(mask)?),
            // Other bits may be somebody else's.
            None => (number(text)?, number(text)?),
        };
        if value & !mask != 0 {
            return Err(format!("{value:#x} has bits outside of the mask {mask:#x}"));
        }
        Ok(Self { value, mask })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}/{:#x}", self.value, self.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read() {
        for (text, value, mask) in [
            ("0x100000", 0x10_0000, 0x10_0000),
            ("16/255", 16, 255),
            ("0x0/0xff", 0, 0xff),
            ("0", 0, 0),
            ("0xffffffff", u32::MAX, u32::MAX),
        ] {
            let mark: Mark = text.parse().unwrap();
            assert_eq!((mark.value(), mark.mask()), (value, mask), "{text}");
        }
        assert_eq!(Mark::default().to_string(), "0x100000/0x100000");
        for text in ["", "x", "1/", "0x1ffffffff", "3/1", "-1", "1/2/3"] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
        }
    }
}
