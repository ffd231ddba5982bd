//! A list of which a part is seen and one row is chosen.

use std::ops::Range;

/// The list. The chosen row is known by its key, so it stays chosen when rows
/// come, go or change places.
#[derive(Clone, Debug)]
pub struct List<K> {
    /// The keys of the rows, in order.
    keys: Vec<K>,
    /// For each row, which of the things that are shown it is.
    order: Vec<usize>,
    chosen: Option<K>,
    at: usize,
    offset: usize,
    height: usize,
    /// Which order it has: an index into those of its pane.
    pub by: usize,
    /// The other way round.
    pub reversed: bool,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            order: Vec::new(),
            chosen: None,
            at: 0,
            offset: 0,
            height: 1,
            by: 0,
            reversed: false,
        }
    }
}

impl<K: Clone + PartialEq> List<K> {
    /// The rows are these from now on.
    pub fn set(&mut self, rows: Vec<(usize, K)>) {
        (self.order, self.keys) = rows.into_iter().unzip();
        if let Some(chosen) = &self.chosen {
            match self.keys.iter().position(|key| key == chosen) {
                Some(at) => self.at = at,
                // It has gone: the one in its place.
                None => self.chosen = None,
            }
        }
        self.settle();
    }

    /// So many rows are seen.
    pub fn fit(&mut self, height: usize) {
        self.height = height.max(1);
        self.settle();
    }

    /// Goes so many rows down, or up.
    pub fn go(&mut self, rows: isize) {
        self.at = self.at.saturating_add_signed(rows);
        self.settle();
        self.chosen = self.key().cloned();
    }

    /// Goes so many screens down, or up.
    pub fn page(&mut self, screens: isize) {
        let rows = isize::try_from(self.height).unwrap_or(isize::MAX);
        self.go(rows.saturating_mul(screens));
    }

    fn settle(&mut self) {
        self.at = self.at.min(self.order.len().saturating_sub(1));
        let last = self.order.len().saturating_sub(self.height);
        let first = (self.at + 1).saturating_sub(self.height);
        self.offset = self.offset.clamp(first, self.at.max(first)).min(last);
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The chosen row.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&K> {
        self.keys.get(self.at)
    }

    /// The thing that is chosen.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.order.get(self.at).copied()
    }

    /// The rows that are seen.
    #[must_use]
    pub fn seen(&self) -> Range<usize> {
        self.offset..(self.offset + self.height).min(self.order.len())
    }

    /// The things in the rows that are seen.
    #[must_use]
    pub fn seen_things(&self) -> &[usize] {
        &self.order[self.seen()]
    }

    /// The keys of the rows that are seen.
    #[must_use]
    pub fn seen_keys(&self) -> &[K] {
        &self.keys[self.seen()]
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> &[K] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: &[char], height: usize) -> List<char> {
        let mut list = List::default();
        list.fit(height);
        list.set(keys.iter().copied().enumerate().collect());
        list
    }

    fn set(list: &mut List<char>, keys: &[char]) {
        list.set(keys.iter().copied().enumerate().collect());
    }

    #[test]
    fn the_chosen_row_stays_chosen() {
        let mut list = list(&['a', 'b', 'c'], 9);
        list.go(1);
        set(&mut list, &['c', 'x', 'a', 'b']);
        assert_eq!((list.key(), list.at()), (Some(&'b'), 3));
        set(&mut list, &['c', 'x']);
        assert_eq!(list.key(), Some(&'x'), "the last one, where it was");
        set(&mut list, &['x', 'c']);
        assert_eq!(list.key(), Some(&'c'), "by its place, until it is chosen");
        set(&mut list, &[]);
        assert_eq!((list.key(), list.index()), (None, None));
    }

    #[test]
    fn the_chosen_row_is_seen() {
        let mut list = list(&['a', 'b', 'c', 'd', 'e'], 2);
        assert_eq!(list.seen(), 0..2);
        list.go(2);
        assert_eq!((list.key(), list.seen()), (Some(&'c'), 1..3));
        list.page(1);
        assert_eq!((list.key(), list.seen()), (Some(&'e'), 3..5));
        list.go(-1);
        assert_eq!(list.seen(), 3..5, "it is seen already");
        list.go(isize::MIN);
        assert_eq!((list.key(), list.seen()), (Some(&'a'), 0..2));
        list.go(isize::MAX);
        list.fit(4);
        assert_eq!(list.seen(), 1..5, "no row is left unused");
        list.fit(9);
        assert_eq!(list.seen(), 0..5);
    }
}
