//! A range of ports.

use std::{fmt, str::FromStr};

/// Ports from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Ports below this are never opened (RFC 2577 section 3).
const UNPRIVILEGED: u16 = 1024;

impl PortRange {
    /// The first and the last.
    #[must_use]
    pub const fn ends(self) -> (u16, u16) {
        (self.first, self.last)
    }

    /// A range, or a single port, of 1 to 65535.
    pub(super) fn any(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| match text.trim().parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!(
                "{text:?} is no port: name numbers from 1 to 65535, ranges as FIRST-LAST"
            )),
        };
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(format!(
                "{first}-{last} is no range: the first port goes first"
            ));
        }
        Ok(Self { first, last })
    }
}

/// A range that may be opened.
impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let range = Self::any(text)?;
        if range.first < UNPRIVILEGED {
            return Err(format!(
                "{range} begins below {UNPRIVILEGED}: such ports are never opened (RFC 2577)"
            ));
        }
        Ok(range)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_to_be_opened() {
        let range: PortRange = "50000-50099".parse().unwrap();
        assert_eq!(range.ends(), (50_000, 50_099));
        assert_eq!("1024".parse::<PortRange>().unwrap().ends(), (1024, 1024));
        for (text, expected) in [
            ("", "no port"),
            ("50000-", "no port"),
            ("50000-65536", "no port"),
            ("50099-50000", "no range"),
            ("1000-2000", "below 1024"),
            ("a-b", "no port"),
        ] {
            let error = text.parse::<PortRange>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
