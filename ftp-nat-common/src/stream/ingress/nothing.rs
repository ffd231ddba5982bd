//! Surroundings for tests in which nothing is announced.

use crate::{addr::Port, counter::Counter, stream::Environment, translation::Kind};

/// Expects and counts nothing.
pub(super) struct Nothing;

impl Environment for Nothing {
    fn expect(&mut self, _: Kind, _: u16, _: usize) -> Option<u16> {
        None
    }
    fn withdraw(&mut self, _: usize, _: Port) {}
    fn count(&mut self, _: Counter) {}
}
