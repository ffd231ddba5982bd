//! Room in the tables. It is fixed when the maps are made.

use ftp_nat_common::layout::{map, size};

use crate::maps::Maps;

/// How many of each kind there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Control connections.
    pub sessions: u32,
    /// Announcements that wait for their data connections.
    pub expectations: u32,
    /// Data connections.
    pub transfers: u32,
}

impl Sizes {
    /// Those of a load without options.
    pub const DEFAULT: Self = Self {
        sessions: size::SESSIONS,
        expectations: size::EXPECTATIONS,
        transfers: size::DATA_CONNECTIONS,
    };

    /// Those of maps that exist.
    #[must_use]
    pub fn of(maps: &Maps) -> Self {
        Self {
            sessions: maps.sessions.max_entries(),
            expectations: maps.expectations.max_entries(),
            transfers: maps.flows.max_entries() / 2,
        }
    }

    /// The entries of a map; `None` where these sizes don't decide it.
    #[must_use]
    pub fn entries(&self, name: &str) -> Option<u32> {
        match name {
            map::SESSIONS | map::ENCRYPTED => Some(self.sessions),
            map::HALVES | map::EDITS => Some(2 * self.sessions),
            map::EXPECTATIONS => Some(self.expectations),
            map::FLOWS | map::STACK_FLOWS => Some(2 * self.transfers),
            _ => None,
        }
    }
}

/// The sizes that were asked for, where they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedSizes {
    /// See [`Sizes::sessions`].
    pub sessions: Option<u32>,
    /// See [`Sizes::expectations`].
    pub expectations: Option<u32>,
    /// See [`Sizes::transfers`].
    pub transfers: Option<u32>,
}

impl WantedSizes {
    /// Those of new maps.
    #[must_use]
    pub fn or_default(&self) -> Sizes {
        Sizes {
            sessions: self.sessions.unwrap_or(Sizes::DEFAULT.sessions),
            expectations: self.expectations.unwrap_or(Sizes::DEFAULT.expectations),
            transfers: self.transfers.unwrap_or(Sizes::DEFAULT.transfers),
        }
    }

    /// The option, what it asks for and what there is, where `found` is another
    /// size than one that was asked for.
    #[must_use]
    pub fn conflict(&self, found: &Sizes) -> Option<(&'static str, u32, u32)> {
        [
            ("--max-sessions", self.sessions, found.sessions),
            ("--max-expectations", self.expectations, found.expectations),
            ("--max-transfers", self.transfers, found.transfers),
        ]
        .into_iter()
        .find_map(|(option, wanted, found)| {
            wanted
                .filter(|wanted| *wanted != found)
                .map(|wanted| (option, wanted, found))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_can_conflict() {
        let found = Sizes {
            sessions: 4,
            ..Sizes::DEFAULT
        };
        let wanted = |sessions| WantedSizes {
            sessions,
            ..WantedSizes::default()
        };
        assert_eq!(wanted(None).conflict(&found), None);
        assert_eq!(wanted(Some(4)).conflict(&found), None);
        assert_eq!(
            wanted(Some(5)).conflict(&found),
            Some(("--max-sessions", 5, 4))
        );
        assert_eq!(wanted(None).or_default(), Sizes::DEFAULT);
    }

    #[test]
    fn the_maps_in_memory_have_the_default_sizes() {
        assert_eq!(Sizes::of(&Maps::in_memory(&[])), Sizes::DEFAULT);
    }
}
