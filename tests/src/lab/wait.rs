//! Waiting for a condition with a deadline: nothing in a lab sleeps and hopes.

use std::{
    env,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What most conditions are given: far more than they need on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A time limit on this machine: `FTP_NAT_PATIENCE` times as long where it is slow.
pub fn scaled(limit: Duration) -> Duration {
    static FACTOR: LazyLock<u32> = LazyLock::new(|| {
        let text = env::var("FTP_NAT_PATIENCE").unwrap_or_default();
        text.parse().unwrap_or(1)
    });
    limit * *FACTOR
}

/// Looks at `condition` until it gives a value, for at most `limit`,
/// [`scaled`].
///
/// An error of the condition ends the wait at once; `what` says in the error
/// what was waited for.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let limit = scaled(limit);
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
