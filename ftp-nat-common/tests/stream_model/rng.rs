//! A small deterministic generator (SplitMix64): a failing seed must replay
//! the same on every machine, so no library's idea of randomness is used.

/// The generator.
#[derive(Clone)]
pub struct Rng {
    state: u64,
    /// Choices made beforehand, the next one last.
    script: Vec<u8>,
}

impl Rng {
    /// One whose whole future is given by `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Self {
            state: seed ^ 0x9e37_79b9_7f4a_7c15,
            script: Vec::new(),
        };
        rng.next();
        rng
    }

    /// One that takes its choices from `script`, a byte or two for each, as
    /// long as there are any: a fuzzer then decides what happens.
    pub fn following(script: &[u8]) -> Self {
        let script = script.iter().rev().copied().collect();
        Self {
            script,
            ..Self::new(0)
        }
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // A whole number is told by one byte of a script.
        mix(self.state ^ u64::from(self.script.pop().unwrap_or(0)) << 32)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        let scripted = match (self.script.pop(), n) {
            (None, _) => (self.next() >> 16) as usize,
            (Some(byte), ..=256) => usize::from(byte),
            (Some(byte), _) => usize::from(byte) << 8 | usize::from(self.script.pop().unwrap_or(0)),
        };
        scripted % n.max(1)
    }

    /// A number from `low` to `high`, both included.
    pub fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Scatters a number over 64 bits.
pub fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
