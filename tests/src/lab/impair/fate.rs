//! What becomes of each frame.

use std::time::{Duration, Instant};

use super::Impairment;

/// How long a frame that is to be late waits for others to overtake it.
const LATENESS: Duration = Duration::from_millis(10);
/// A late frame is overtaken by at most so many.
const OVERTAKERS: u64 = 3;

/// What a relay did to the TCP segments that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All that came.
    pub seen: u64,
    /// Those that vanished.
    pub lost: u64,
    /// Those that were sent twice.
    pub duplicated: u64,
    /// Those that were overtaken, or at least late.
    pub reordered: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
    }
}

/// A frame that waits to be overtaken.
#[derive(Debug)]
struct Late {
    frame: Vec<u8>,
    /// Frames that must still pass it.
    overtakers: u64,
    until: Instant,
}

/// One direction of a bad link.
#[derive(Debug)]
pub(super) struct Lane {
    how: Impairment,
    random: u64,
    late: Vec<Late>,
    pub(super) tally: Tally,
}

impl Lane {
    pub(super) fn new(how: Impairment, direction: u64) -> Self {
        Self {
            how,
            random: how.seed.wrapping_mul(2).wrapping_add(direction),
            late: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// splitmix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        self.draw() % 1000 < u64::from(per_mille)
    }

    /// Takes a frame that came and gives those to be sent now, in order.
    pub(super) fn take(&mut self, frame: &[u8], syn: bool, now: Instant) -> Vec<Vec<u8>> {
        self.tally.seen += 1;
        if syn && !self.how.handshakes {
            return self.passed(vec![frame.to_vec()]);
        }
        // All three are drawn for every frame, so that one kind's rate doesn't
        // change what another one meets.
        let lost = self.happens(self.how.loss);
        let twice = self.happens(self.how.duplication);
        let late = self.happens(self.how.reordering);
        let overtakers = 1 + self.draw() % OVERTAKERS;
        if lost {
            self.tally.lost += 1;
            return Vec::new();
        }
        if late {
            self.tally.reordered += 1;
            self.late.push(Late {
                frame: frame.to_vec(),
                overtakers,
                until: now + LATENESS,
            });
            return Vec::new();
        }
        let mut out = vec![frame.to_vec()];
        if twice {
            self.tally.duplicated += 1;
            out.push(frame.to_vec());
        }
        self.passed(out)
    }

    /// Adds the late frames that enough others have passed now.
    fn passed(&mut self, mut out: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut waiting = Vec::new();
        for mut late in self.late.drain(..) {
            late.overtakers -= 1;
            if late.overtakers == 0 {
                out.push(late.frame);
            } else {
                waiting.push(late);
            }
        }
        self.late = waiting;
        out
    }

    /// The frames that have waited long enough.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let (due, waiting) = self.late.drain(..).partition(|l| l.until <= now);
        self.late = waiting;
        let due: Vec<Late> = due;
        due.into_iter().map(|l| l.frame).collect()
    }

    /// When the first late frame is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.late.iter().map(|l| l.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(how: Impairment, frames: u32) -> (Vec<u32>, Tally) {
        let mut lane = Lane::new(how, 0);
        let now = Instant::now();
        let mut out = Vec::new();
        for n in 0..frames {
            out.extend(lane.take(&n.to_be_bytes(), false, now));
        }
        out.extend(lane.overdue(now + LATENESS));
        let numbers = out
            .iter()
            .map(|f| u32::from_be_bytes(f[..].try_into().unwrap()))
            .collect();
        (numbers, lane.tally)
    }

    #[test]
    fn a_good_link_changes_nothing() {
        let (out, tally) = run(Impairment::default(), 500);
        assert_eq!(out, (0..500).collect::<Vec<_>>());
        assert_eq!(tally.seen, 500);
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let how = Impairment::all(100, 7);
        assert_eq!(run(how, 2000), run(how, 2000));
        assert_ne!(run(how, 2000), run(Impairment::all(100, 8), 2000));
    }

    #[test]
    fn rates_are_what_was_asked_for() {
        let (out, tally) = run(Impairment::all(100, 1), 10_000);
        for count in [tally.lost, tally.duplicated, tally.reordered] {
            assert!((600..1200).contains(&count), "{tally:?}");
        }
        assert_eq!(out.len() as u64, tally.seen - tally.lost + tally.duplicated);
    }

    #[test]
    fn reordered_frames_are_overtaken_by_a_few_and_none_is_missing() {
        let (mut out, _) = run(Impairment::reordering(200, 3), 1000);
        let behind = |i: usize| out[..i].iter().filter(|n| **n > out[i]).count();
        let most = (0..out.len()).map(behind).max().unwrap();
        assert!((1..=10).contains(&most), "{most}");
        out.sort_unstable();
        assert_eq!(out, (0..1000).collect::<Vec<_>>());
    }
}
