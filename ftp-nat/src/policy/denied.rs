//! Ports that are never opened for clients, and perhaps for servers neither.

use std::{fmt, str::FromStr};

use ftp_nat_common::layout::PORT_WORDS;

use super::range::PortRange;
use crate::{error::Result, maps::Maps};

/// A list of ports and ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedPorts(Vec<PortRange>);

/// Services above 1023 that trust whoever reaches them, and that nobody moves an
/// FTP data connection to on purpose: NFS, MySQL, RDP, PostgreSQL, VNC, X11, Redis.
/// A browser inside can be made to speak like an FTP client, and would open them.
///
/// It isn't held against servers: what a server's reply names is a port that it
/// has just opened itself, so no other service is there. Many draw it from all
/// above 1023, and one in nine hundred passive transfers would fail.
pub const DEFAULT_DENIED: &str = "2049,3306,3389,5432,5900,6000-6063,6379";

impl Default for DeniedPorts {
    fn default() -> Self {
        DEFAULT_DENIED.parse().unwrap_or(Self(Vec::new()))
    }
}

impl FromStr for DeniedPorts {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        text.split(',')
            .map(PortRange::any)
            .collect::<std::result::Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for DeniedPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&ranges.join(","))
    }
}

impl DeniedPorts {
    /// The word `index` of the bitmap.
    fn word(&self, index: u32) -> u64 {
        let denied = |port: u32| {
            self.0.iter().any(|range| {
                let (first, last) = range.ends();
                (u32::from(first)..=u32::from(last)).contains(&port)
            })
        };
        (0..64)
            .filter(|bit| denied(index * 64 + bit))
            .fold(0, |word, bit| word | 1 << bit)
    }

    /// Tells the kernel side.
    pub(crate) fn write(&self, maps: &Maps) -> Result<()> {
        for index in 0..PORT_WORDS {
            let word = self.word(index);
            if maps.denied_ports.get(&index)? != Some(word) {
                maps.denied_ports.set(&index, &word)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(maps: &Maps) -> Vec<u32> {
        let bits = |index: u32| {
            let word = maps.denied_ports.get(&index).unwrap().unwrap();
            (0..64)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| index * 64 + bit)
        };
        (0..PORT_WORDS).flat_map(bits).collect()
    }

    #[test]
    fn the_default_is_a_list_that_can_be_read() {
        let denied: DeniedPorts = DEFAULT_DENIED.parse().unwrap();
        assert_eq!(denied, DeniedPorts::default());
        assert_eq!(denied.to_string(), DEFAULT_DENIED);
        let maps = Maps::in_memory(&[]);
        denied.write(&maps).unwrap();
        let written = written(&maps);
        assert_eq!(written.len(), 6 + 64);
        for port in [2049, 3306, 3389, 5432, 5900, 6000, 6063, 6379] {
            assert!(written.contains(&port), "{port}");
        }
    }

    #[test]
    fn another_list_takes_the_place_of_the_one_before() {
        let maps = Maps::in_memory(&[]);
        DeniedPorts::default().write(&maps).unwrap();
        "65535,1-2"
            .parse::<DeniedPorts>()
            .unwrap()
            .write(&maps)
            .unwrap();
        assert_eq!(written(&maps), [1, 2, 65_535]);
        "".parse::<DeniedPorts>().unwrap().write(&maps).unwrap();
        assert!(written(&maps).is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["0", "65536", "1,,2", "x", "7-6", "1-2-3", ","] {
            assert!(text.parse::<DeniedPorts>().is_err(), "{text}");
        }
    }
}
