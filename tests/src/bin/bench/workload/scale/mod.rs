//! Many control connections at once.
//!
//! | module | how many, and how |
//! |---|---|
//! | [`real`] | 1,000 and 10,000 of real TCP, held through a gateway |
//! | [`synthetic`] | 100,000, made by packets that are put through the object |
//! | [`screen`] | those, looked at with `top` |
//! | [`daemon`] | those, in the maps of a daemon that has to list and to expire them |

mod daemon;
mod real;
mod screen;
mod synthetic;

use anyhow::Result;

use crate::{report::Case, turns::Effort};

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let mut cases = real::run(effort)?;
    let (measured, sessions) = synthetic::run(effort)?;
    cases.extend(measured);
    cases.extend(daemon::run(effort, &sessions)?);
    Ok(cases)
}
