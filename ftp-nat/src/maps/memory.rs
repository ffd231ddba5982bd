//! A fake of the maps in memory, for tests.

use std::cell::RefCell;

use ftp_nat_common::{
    counter::Counter,
    layout::{PORT_WORDS, Settings, size},
};

use super::{Counts, Cursor, Maps, Table};
use crate::error::Result;

/// A table in memory. Slots of removed entries stay empty, so that a walk
/// isn't disturbed by removals, as in the kernel.
pub struct MemoryTable<K, V> {
    slots: RefCell<Vec<Option<(K, V)>>>,
    max_entries: u32,
    /// An array: all entries exist from the start, and none can go.
    fixed: bool,
}

impl<K, V> MemoryTable<K, V> {
    /// An empty hash.
    #[must_use]
    pub fn hash(max_entries: u32) -> Self {
        Self {
            slots: RefCell::default(),
            max_entries,
            fixed: false,
        }
    }
}

impl<V: Clone + Default> MemoryTable<u32, V> {
    /// An array of zeroes.
    #[must_use]
    pub fn array(max_entries: u32) -> Self {
        let slots = (0..max_entries).map(|i| Some((i, V::default()))).collect();
        Self {
            slots: RefCell::new(slots),
            max_entries,
            fixed: true,
        }
    }
}

impl<K: Clone + PartialEq, V: Clone> Table<K, V> for MemoryTable<K, V> {
    fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self
            .slots
            .borrow()
            .iter()
            .flatten()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.clone()))
    }

    fn set(&self, key: &K, value: &V) -> Result<()> {
        let mut slots = self.slots.borrow_mut();
        match slots.iter_mut().flatten().find(|(k, _)| k == key) {
            Some(entry) => entry.1 = value.clone(),
            None if self.fixed => {}
            None => slots.push(Some((key.clone(), value.clone()))),
        }
        Ok(())
    }

    fn insert(&self, key: &K, value: &V) -> Result<bool> {
        if self.get(key)?.is_some() {
            return Ok(false);
        }
        self.set(key, value)?;
        Ok(true)
    }

    fn take(&self, key: &K) -> Result<Option<V>> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots
            .iter_mut()
            .find(|s| s.as_ref().is_some_and(|(k, _)| k == key));
        Ok(slot.and_then(Option::take).map(|(_, v)| v))
    }

    fn page(&self, cursor: &mut Cursor, max: usize) -> Result<Vec<(K, V)>> {
        let slots = self.slots.borrow();
        let from = match *cursor {
            Cursor::Start => 0,
            Cursor::At(token) => token as usize,
            Cursor::End => return Ok(Vec::new()),
        };
        let to = (from + max).min(slots.len());
        *cursor = match u32::try_from(to) {
            Ok(token) if to < slots.len() => Cursor::At(token),
            _ => Cursor::End,
        };
        Ok(slots[from..to].iter().flatten().cloned().collect())
    }

    fn max_entries(&self) -> u32 {
        self.max_entries
    }
}

/// Counters in memory.
#[derive(Default)]
pub struct MemoryCounts(pub RefCell<Vec<(Counter, u64)>>);

impl Counts for MemoryCounts {
    fn get(&self, counter: Counter) -> Result<u64> {
        Ok(self
            .0
            .borrow()
            .iter()
            .filter(|(c, _)| *c == counter)
            .map(|(_, n)| n)
            .sum())
    }
}

impl Maps {
    /// Maps of the default sizes in memory, empty as after a fresh load, with
    /// the given counters.
    #[must_use]
    pub fn in_memory(counters: &[(Counter, u64)]) -> Self {
        let maps = Self {
            settings: Box::new(MemoryTable::array(1)),
            watched_ports: Box::new(MemoryTable::array(PORT_WORDS)),
            learned_ports: Box::new(MemoryTable::array(PORT_WORDS)),
            denied_ports: Box::new(MemoryTable::array(PORT_WORDS)),
            interfaces: Box::new(MemoryTable::hash(size::INTERFACES)),
            halves: Box::new(MemoryTable::hash(2 * size::SESSIONS)),
            sessions: Box::new(MemoryTable::hash(size::SESSIONS)),
            edits: Box::new(MemoryTable::hash(2 * size::SESSIONS)),
            expectations: Box::new(MemoryTable::hash(size::EXPECTATIONS)),
            flows: Box::new(MemoryTable::hash(2 * size::DATA_CONNECTIONS)),
            advertised: Box::new(MemoryTable::hash(size::ADVERTISED)),
            sources: Box::new(MemoryTable::hash(size::SOURCES)),
            stack_flows: Box::new(MemoryTable::hash(2 * size::DATA_CONNECTIONS)),
            encrypted: Box::new(MemoryTable::hash(size::SESSIONS)),
            sightings: Box::new(MemoryTable::hash(size::PAIRING)),
            candidates: Box::new(MemoryTable::hash(size::PAIRING)),
            counters: Box::new(MemoryCounts(RefCell::new(counters.to_vec()))),
        };
        // An array in memory can't fail.
        let _ = maps.settings.set(
            &0,
            &Settings {
                ..crate::loader::default_settings()
            },
        );
        maps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_survives_removals() {
        let table = MemoryTable::<u64, u32>::hash(100);
        for i in 0..10 {
            table.set(&i, &1).unwrap();
        }
        let (mut cursor, mut seen) = (Cursor::Start, Vec::new());
        while cursor != Cursor::End {
            for (key, _) in table.page(&mut cursor, 3).unwrap() {
                table.take(&key).unwrap();
                seen.push(key);
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!(table.count().unwrap(), 0);
    }
}
