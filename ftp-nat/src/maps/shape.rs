//! The shape that every pinned map must have: type, sizes and flags. Pinned
//! maps are checked against it before anything in them is believed, and a test
//! checks the shipped object against it.

use aya::maps::MapType;
use ftp_nat_common::{
    addr::{Addr, Tuple},
    counter::Counter,
    layout::{Interface, PORT_WORDS, Settings, map, size},
    pairing::{Candidate, PairingKey, Sighting},
    session::{EditsKey, HalfRef, Session},
    source::{Source, SourceKey},
    stream::Edits,
    translation::{Expectation, ExpectationKey, Flow},
    unannounced::EncryptedKey,
};

use crate::policy::sizes::Sizes;

/// Hashes take memory as they fill: sized for a busy gateway, they would
/// otherwise cost every small one a hundred megabytes.
const BPF_F_NO_PREALLOC: u32 = 1;

/// What a map looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Its name in the object and under the pin path.
    pub name: &'static str,
    /// Its type.
    pub kind: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Room for so many entries.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
}

const fn shape<K, V>(name: &'static str, kind: MapType, max_entries: u32) -> Shape {
    Shape {
        name,
        kind,
        key_size: size_of::<K>() as u32,
        value_size: size_of::<V>() as u32,
        max_entries,
        flags: if matches!(kind, MapType::Hash) {
            BPF_F_NO_PREALLOC
        } else {
            0
        },
    }
}

/// All pinned maps.
pub const SHAPES: [Shape; 18] = [
    shape::<u32, Settings>(map::SETTINGS, MapType::Array, 1),
    shape::<u32, u64>(map::WATCHED_PORTS, MapType::Array, PORT_WORDS),
    shape::<u32, u64>(map::LEARNED_PORTS, MapType::Array, PORT_WORDS),
    shape::<u32, u64>(map::DENIED_PORTS, MapType::Array, PORT_WORDS),
    shape::<u32, Interface>(map::INTERFACES, MapType::Hash, size::INTERFACES),
    shape::<PairingKey, Sighting>(map::SIGHTINGS, MapType::LruHash, size::PAIRING),
    shape::<Tuple, Candidate>(map::CANDIDATES, MapType::LruHash, size::PAIRING),
    shape::<Tuple, HalfRef>(map::HALVES, MapType::Hash, 2 * size::SESSIONS),
    shape::<u64, Session>(map::SESSIONS, MapType::Hash, size::SESSIONS),
    shape::<EditsKey, Edits>(map::EDITS, MapType::Hash, 2 * size::SESSIONS),
    shape::<ExpectationKey, Expectation>(map::EXPECTATIONS, MapType::Hash, size::EXPECTATIONS),
    shape::<Tuple, Flow>(map::FLOWS, MapType::Hash, 2 * size::DATA_CONNECTIONS),
    shape::<Addr, Addr>(map::ADVERTISED, MapType::Hash, size::ADVERTISED),
    shape::<SourceKey, Source>(map::SOURCES, MapType::Hash, size::SOURCES),
    shape::<Tuple, Tuple>(map::STACK_FLOWS, MapType::Hash, 2 * size::DATA_CONNECTIONS),
    shape::<EncryptedKey, u64>(map::ENCRYPTED, MapType::Hash, size::SESSIONS),
    shape::<u32, u64>(
        map::COUNTERS,
        MapType::PerCpuArray,
        Counter::ALL.len() as u32,
    ),
    shape::<(), ()>(map::EVENTS, MapType::RingBuf, size::EVENTS),
];

impl Shape {
    /// What differs in `found`, in words. The sizes that can be chosen may differ.
    #[must_use]
    pub fn difference(&self, found: &Self) -> Option<String> {
        let chosen = Sizes::DEFAULT.entries(self.name).is_some();
        let entries = if chosen {
            found.max_entries
        } else {
            self.max_entries
        };
        if found.kind != self.kind {
            return Some(format!("type {:?} instead of {:?}", found.kind, self.kind));
        }
        let numbers = [
            ("bytes in a key", found.key_size, self.key_size),
            ("bytes in a value", found.value_size, self.value_size),
            ("entries", found.max_entries, entries),
            ("as flags", found.flags, self.flags),
        ];
        numbers
            .iter()
            .find(|(_, found, expected)| found != expected)
            .map(|(what, found, expected)| format!("{found} {what} instead of {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_map_has_a_shape() {
        let names = SHAPES.map(|shape| shape.name);
        assert_eq!(names.as_slice(), map::PINNED);
    }

    #[test]
    fn a_difference_is_named() {
        let ours = SHAPES[7];
        assert_eq!(ours.name, map::HALVES);
        assert_eq!(ours.difference(&ours), None);
        let kind = Shape {
            kind: MapType::LruHash,
            ..ours
        };
        assert_eq!(
            ours.difference(&kind).unwrap(),
            "type LruHash instead of Hash"
        );
        let value = Shape {
            value_size: 16,
            ..ours
        };
        assert_eq!(
            ours.difference(&value).unwrap(),
            "16 bytes in a value instead of 8"
        );
    }

    #[test]
    fn room_may_differ_where_it_can_be_chosen() {
        for shape in &SHAPES {
            let smaller = Shape {
                max_entries: shape.max_entries - 1,
                ..*shape
            };
            let chosen = [
                "HALVES",
                "SESSIONS",
                "EDITS",
                "EXPECTATIONS",
                "FLOWS",
                "STACK_FLOWS",
                "ENCRYPTED",
            ];
            let allowed = shape.difference(&smaller).is_none();
            assert_eq!(allowed, chosen.contains(&shape.name), "{}", shape.name);
        }
    }
}
