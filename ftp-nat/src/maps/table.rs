//! The trait that kernel maps and the fake in memory share.

use crate::{error::Result, sys::bpf::BatchToken};

/// How many entries are read at once: enough to make system calls rare, few
/// enough that other work of the process isn't held up.
pub(crate) const PAGE: usize = 256;

/// Where a walk through a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cursor {
    /// Nothing was read yet.
    #[default]
    Start,
    /// The next page begins here.
    At(BatchToken),
    /// All was read.
    End,
}

/// A map from `K` to `V`. Others, the kernel above all, may change it at any
/// moment: what was read may be gone when it is written.
pub trait Table<K, V> {
    /// The value of `key`.
    fn get(&self, key: &K) -> Result<Option<V>>;

    /// Inserts or overwrites.
    fn set(&self, key: &K, value: &V) -> Result<()>;

    /// Inserts unless the key is there; gives whether it did.
    fn insert(&self, key: &K, value: &V) -> Result<bool>;

    /// Removes `key` and gives what its value was at that moment.
    fn take(&self, key: &K) -> Result<Option<V>>;

    /// The next entries, about `max` of them. Entries that stay are given
    /// exactly once; entries that come or go meanwhile may be given or not.
    fn page(&self, cursor: &mut Cursor, max: usize) -> Result<Vec<(K, V)>>;

    /// How many entries there is room for.
    fn max_entries(&self) -> u32;

    /// All entries.
    fn all(&self) -> Result<Vec<(K, V)>> {
        let (mut cursor, mut all) = (Cursor::Start, Vec::new());
        while cursor != Cursor::End {
            all.extend(self.page(&mut cursor, PAGE)?);
        }
        Ok(all)
    }

    /// How many entries there are.
    fn count(&self) -> Result<u64> {
        let (mut cursor, mut count) = (Cursor::Start, 0);
        while cursor != Cursor::End {
            count += self.page(&mut cursor, PAGE)?.len() as u64;
        }
        Ok(count)
    }
}
