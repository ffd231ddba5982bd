//! Whole connections: an honest sender and receiver, four links that lose,
//! double and delay, and the fuzzer choosing what happens next.

use crate::{path::run_by, random::drawn, rng::Rng};

/// The first bytes choose the case, the others the schedule.
pub fn run(bytes: &[u8]) {
    let mut rng = Rng::following(bytes);
    let case = drawn(&mut rng);
    run_by(&case, &mut rng);
}
