//! Taking turns: whatever disturbs the machine for a while disturbs all that
//! is compared.

use std::time::Duration;

use anyhow::Result;

use crate::{report::Series, workload::Packets};

/// Turns of a run that is to be believed, unless the command line says more.
const PAIRS: u32 = 7;

/// How long and how often things are measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// A smoke run.
    pub quick: bool,
    /// Turns that each of the compared has.
    pub pairs: u32,
    /// How long a turn is measured.
    pub slice: Duration,
    /// How long what is measured runs before.
    pub warm_up: Duration,
    /// Of `hooks` only these.
    pub packets: Option<Packets>,
}

impl Effort {
    /// As the command line asks.
    pub fn new(quick: bool, pairs: Option<u32>, packets: Option<Packets>) -> Self {
        let (default, slice, warm_up) = if quick {
            (1, 60, 20)
        } else {
            (PAIRS, 600, 150)
        };
        Self {
            quick,
            pairs: pairs.unwrap_or(default),
            slice: Duration::from_millis(slice),
            warm_up: Duration::from_millis(warm_up),
            packets,
        }
    }

    /// `full`, or much less in a smoke run.
    pub fn scaled(&self, full: u32) -> u32 {
        if self.quick { (full / 50).max(1) } else { full }
    }
}

/// Measures each of `labels` once in every turn: A B C, A B C, ... A first round
/// isn't counted, since caches and connection tables are cold.
pub fn alternate(
    effort: &Effort,
    labels: &[&str],
    mut measure: impl FnMut(usize) -> Result<f64>,
) -> Result<Vec<Series>> {
    let mut series: Vec<_> = labels.iter().map(|label| Series::new(label)).collect();
    let cold = u32::from(!effort.quick);
    for turn in 0..effort.pairs + cold {
        for (n, one) in series.iter_mut().enumerate() {
            let figure = measure(n)?;
            if turn >= cold {
                one.samples.push(figure);
            }
        }
    }
    Ok(series)
}
