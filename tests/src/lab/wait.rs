//! Waiting for a condition with a deadline: nothing in a lab sleeps and hopes.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What most conditions are given: far more than they need on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks at `condition` until it gives a value, for at most `limit`.
///
/// An error of the condition ends the wait at once; `what` says in the error
/// what was waited for.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition().with_context(|| format!("waiting for {what}"))? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("{what}: not seen within {limit:?}");
        }
        thread::sleep(POLL);
    }
}

/// Like [`until`], for a condition that is only true or false.
pub fn until_true(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    until(what, limit, || Ok(condition()?.then_some(())))
}
