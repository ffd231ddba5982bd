//! Unloading without breaking what runs: nothing new is helped at once, and all
//! is removed when the last connection that needs the programs has ended.

mod left;

use std::{path::Path, time::Duration};

use ftp_nat_common::layout::SETTING_DRAINING;

pub(crate) use self::left::needs;
pub use self::left::{Left, count};
use crate::{
    daemon::sweep::Sweep,
    error::{Error, Result},
    loader::unload::{self, Unloaded},
    maps::{Cursor, Maps, PAGE},
    sys::{clock, signals::Signals},
    traffic::Traffic,
};

/// How often is looked whether all has ended.
const INTERVAL: Duration = Duration::from_millis(250);

/// Stops helping, waits until nothing needs the programs any more, and removes
/// all. `tell` gets what is left at the beginning and after each change. A
/// running instance is asked to end if `stop` says so, and is an error otherwise.
///
/// On SIGINT, SIGTERM or SIGHUP it gives up with [`Error::StillDraining`]:
/// nothing new is helped, and what is left goes on.
pub fn unload(pin_path: &Path, stop: bool, tell: impl FnMut(Left)) -> Result<Unloaded> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the event loop"))?;
    runtime.block_on(drain(pin_path, stop, tell))
}

async fn drain(pin_path: &Path, stop: bool, tell: impl FnMut(Left)) -> Result<Unloaded> {
    let mut signals = Signals::new()?;
    // Before the instance ends: one with --unload-on-exit would remove all.
    let marked = if stop { mark(pin_path)? } else { None };
    let taken = unload::take(pin_path, stop).inspect_err(|_| {
        // It goes on running, and helping.
        if let Some(maps) = &marked {
            let _ = set(maps, false);
        }
    })?;
    if let Some(maps) = taken.maps() {
        begin(maps)?;
        wait(maps, pin_path, &mut signals, tell).await?;
    }
    taken.remove()
}

/// Marks the data path as being drained, if there is one that can be read and
/// that isn't marked yet.
fn mark(pin_path: &Path) -> Result<Option<Maps>> {
    let Some(maps) = unload::maps(pin_path)? else {
        return Ok(None);
    };
    if is_on(&maps)? {
        return Ok(None);
    }
    set(&maps, true)?;
    Ok(Some(maps))
}

/// Whether the data path is being drained.
pub fn is_on(maps: &Maps) -> Result<bool> {
    let settings = maps.settings.get(&0)?;
    Ok(settings.is_some_and(|settings| settings.flags & SETTING_DRAINING != 0))
}

fn set(maps: &Maps, on: bool) -> Result<()> {
    let Some(mut settings) = maps.settings.get(&0)? else {
        return Ok(());
    };
    settings.flags &= !SETTING_DRAINING;
    if on {
        settings.flags |= SETTING_DRAINING;
    }
    maps.settings.set(&0, &settings)
}

/// Nothing new from now on.
fn begin(maps: &Maps) -> Result<()> {
    set(maps, true)?;
    close(maps)
}

/// Withdraws what waits for its data connection.
fn close(maps: &Maps) -> Result<()> {
    let mut cursor = Cursor::Start;
    while cursor != Cursor::End {
        for (key, _) in maps.expectations.page(&mut cursor, PAGE)? {
            maps.expectations.take(&key)?;
        }
    }
    Ok(())
}

async fn wait(
    maps: &Maps,
    pin_path: &Path,
    signals: &mut Signals,
    mut tell: impl FnMut(Left),
) -> Result<()> {
    let mut told = None;
    loop {
        let left = left::count(maps, clock::monotonic_ns())?;
        if told != Some(left) {
            tell(left);
            told = Some(left);
        }
        if left == Left::default() {
            return Ok(());
        }
        tokio::select! {
            asked = signals.next() => {
                let signal = asked.name();
                return Err(Error::StillDraining { path: pin_path.to_owned(), signal, left });
            }
            () = tokio::time::sleep(INTERVAL) => {}
        }
        // A CPU that was at work when the draining began may have made one.
        close(maps)?;
        // Nobody asks `unload` for metrics.
        let (mut sweep, mut nobody) = (Sweep::default(), Traffic::default());
        while sweep
            .step(maps, &mut nobody, clock::monotonic_ns(), PAGE)?
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::translation::{Expectation, ExpectationKey};

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn draining_closes_all_pinholes_and_run_ends_it() {
        let maps = Maps::in_memory(&[]);
        for domain in 0..600 {
            let key = ExpectationKey {
                domain,
                ..ExpectationKey::default()
            };
            maps.expectations
                .set(&key, &Expectation::default())
                .unwrap();
        }
        assert!(!is_on(&maps).unwrap());
        begin(&maps).unwrap();
        assert!(is_on(&maps).unwrap());
        assert_eq!(maps.expectations.count().unwrap(), 0);
        let former = maps.settings.get(&0).unwrap();
        maps.settings
            .set(&0, &Policy::default().settings(former.as_ref()))
            .unwrap();
        assert!(!is_on(&maps).unwrap());
    }

    #[test]
    fn nothing_else_of_the_settings_changes() {
        let maps = Maps::in_memory(&[]);
        let before = maps.settings.get(&0).unwrap();
        set(&maps, true).unwrap();
        set(&maps, false).unwrap();
        assert_eq!(maps.settings.get(&0).unwrap(), before);
    }
}
