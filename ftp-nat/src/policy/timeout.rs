//! How long an announcement waits for its data connection.

use std::{fmt, str::FromStr};

use ftp_nat_common::layout::EXPECT_TIMEOUT_SECS;

/// A number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectTimeout(u64);

/// RFC 6384 asks that mappings for data connections live for 30 seconds at least.
const LEAST: u64 = 30;
/// A pinhole that stays open longer is no longer one for a connection that is made now.
const MOST: u64 = 600;

impl Default for ExpectTimeout {
    fn default() -> Self {
        Self(EXPECT_TIMEOUT_SECS)
    }
}

impl ExpectTimeout {
    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for ExpectTimeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(seconds @ LEAST..=MOST) => Ok(Self(seconds)),
            Ok(seconds) if seconds < LEAST => Err(format!(
                "{seconds} seconds are too few: RFC 6384 asks for {LEAST} at least"
            )),
            Ok(seconds) => Err(format!("{seconds} seconds are too many: {MOST} at most")),
            Err(_) => Err(format!(
                "{text:?} is no number of seconds from {LEAST} to {MOST}"
            )),
        }
    }
}

impl fmt::Display for ExpectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_short_and_too_long_are_refused() {
        for good in ["30", "60", "600"] {
            assert_eq!(good.parse::<ExpectTimeout>().unwrap().to_string(), good);
        }
        for (bad, expected) in [
            ("29", "RFC 6384"),
            ("0", "RFC 6384"),
            ("601", "600 at most"),
            ("-1", "no number"),
            ("1m", "no number"),
        ] {
            let error = bad.parse::<ExpectTimeout>().unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }
}
