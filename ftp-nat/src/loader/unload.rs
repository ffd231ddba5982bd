//! Removes everything: links and filters, then maps and directories.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{self, Signal},
    unistd::Pid,
};

use super::{
    attach::{self, Side},
    pins::{Holder, Lock, Pins},
};
use crate::{
    drain,
    error::{Error, Result},
    maps::{Cursor, Maps},
    sys::{
        links,
        privileges::{self, Purpose},
    },
};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unloaded {
    /// A running instance was ended before. It may have removed everything itself.
    pub stopped: bool,
    /// Links of interfaces, those of interfaces that are gone included, and
    /// clsact filters.
    pub programs: usize,
    /// Maps.
    pub maps: usize,
    /// Control connections that were followed.
    pub sessions: u64,
    /// Those among them whose sequence numbers were shifted, or whose text was
    /// held: they can't go on without the programs.
    pub broken: u64,
}

/// How long a running instance gets to end.
const STOP_SECONDS: u64 = 10;

/// What is about to be removed: nobody else serves it from now on.
pub(crate) struct Taken {
    path: PathBuf,
    /// `None`: there are no pins.
    pins: Option<(Pins, Lock)>,
    /// `None`: there are none that this version can read.
    maps: Option<Maps>,
    stopped: bool,
}

/// Removes what is loaded under `pin_path` at once. A running instance is asked
/// to end if `stop` says so, and is an error otherwise.
pub fn unload(pin_path: &Path, stop: bool) -> Result<Unloaded> {
    take(pin_path, stop)?.remove()
}

/// The maps under `pin_path`, if there are any that this version can read.
pub(crate) fn maps(pin_path: &Path) -> Result<Option<Maps>> {
    let Some(pins) = Pins::find(pin_path)? else {
        return Ok(None);
    };
    match Maps::open(pins.path()) {
        Ok(maps) => Ok(Some(maps)),
        Err(Error::NothingLoaded { .. }) => Ok(None),
        Err(error @ Error::Incompatible { .. }) => {
            log::warn!("nothing can be waited for: {}", error.whole());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Ends a running instance, if `stop` says so, and takes its place.
pub(crate) fn take(pin_path: &Path, stop: bool) -> Result<Taken> {
    privileges::require(Purpose::Manage)?;
    let stopped = stop && stop_instance(pin_path)?;
    let pins = match Pins::find(pin_path)? {
        Some(pins) => {
            let advice = ", or let `ftp-nat unload --stop` do it";
            let lock = pins
                .lock()?
                .map_err(|holder| holder.error(pins.path(), advice))?;
            Some((pins, lock))
        }
        None => None,
    };
    Ok(Taken {
        path: pin_path.to_owned(),
        maps: maps(pin_path)?,
        pins,
        stopped,
    })
}

impl Taken {
    /// The maps, if they can be read.
    pub(crate) fn maps(&self) -> Option<&Maps> {
        self.maps.as_ref()
    }

    /// Removes it all.
    pub(crate) fn remove(self) -> Result<Unloaded> {
        drop(self.maps);
        let mut removed = match self.pins {
            Some((pins, lock)) => remove(&pins, lock)?,
            // Filters of clsact outlive pins that went with their mount.
            None => Unloaded {
                programs: remove_filters()?,
                ..Unloaded::default()
            },
        };
        removed.stopped = self.stopped;
        if removed == Unloaded::default() {
            return Err(Error::NothingLoaded { path: self.path });
        }
        Ok(removed)
    }
}

/// Asks the instance that runs, if one does, to end, and waits until it has.
/// Gives whether there was one.
fn stop_instance(pin_path: &Path) -> Result<bool> {
    let Some(pins) = Pins::find(pin_path)? else {
        return Ok(false);
    };
    let Err(holder) = pins.lock()? else {
        return Ok(false);
    };
    let Holder { pid: Some(pid) } = holder else {
        return Err(holder.error(pins.path(), ""));
    };
    let send = |signal| signal::kill(Pid::from_raw(pid), signal);
    send(Some(Signal::SIGTERM))
        .map_err(|e| Error::io(format!("ending process {pid}"))(e.into()))?;
    // The lock isn't asked for again and again: an open directory would keep
    // an instance with --unload-on-exit from removing it.
    let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS);
    while send(None) != Err(Errno::ESRCH) && !is_zombie(pid) {
        if Instant::now() > deadline {
            return Err(Error::DidNotStop {
                pid,
                seconds: STOP_SECONDS,
            });
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(true)
}

/// Whether the process has ended, and only its parent doesn't know yet.
fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    is_ended(&stat)
}

/// By /proc/PID/stat (proc_pid_stat(5)): the state stands behind the name, which
/// may hold anything.
fn is_ended(stat: &str) -> bool {
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| state.starts_with(['Z', 'X']))
}

/// Removes what is under `pins`, whose lock the caller holds.
pub(super) fn remove(pins: &Pins, lock: Lock) -> Result<Unloaded> {
    let (sessions, broken) = Maps::open(pins.path())
        .and_then(|maps| sessions(&maps))
        .unwrap_or((0, 0));
    let mut programs = 0;
    for file in pins.link_files()? {
        programs += usize::from(super::pins::remove_file(&file)?);
    }
    programs += remove_filters()?;
    pins.remove_stages()?;
    let maps = pins.remove_maps()?;
    // The lock is an open file, which would keep the filesystem busy. Who
    // locks now finds nothing loaded.
    drop(lock);
    pins.remove_directories()?;
    Ok(Unloaded {
        stopped: false,
        programs,
        maps,
        sessions,
        broken,
    })
}

fn remove_filters() -> Result<usize> {
    let devices = links::all()?;
    let hooks = devices
        .iter()
        .flat_map(|device| Side::BOTH.map(|side| (&device.name, side)));
    Ok(hooks
        .filter(|(name, side)| attach::remove_filter(name, *side))
        .count())
}

/// How many sessions there are, and how many of them need the programs to go on.
fn sessions(maps: &Maps) -> Result<(u64, u64)> {
    let now = crate::sys::clock::monotonic_ns();
    let (mut cursor, mut all, mut broken) = (Cursor::Start, 0, 0);
    while cursor != Cursor::End {
        for (_, session) in maps.sessions.page(&mut cursor, crate::maps::PAGE)? {
            if !session.expired(now) {
                all += 1;
                broken += u64::from(drain::needs(&session, now));
            }
        }
    }
    Ok((all, broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_nobody_waited_for_has_ended() {
        assert!(is_ended("77 (ftp-nat) Z 1 77 77 0"));
        assert!(is_ended("77 (a ) S) Z 1 77"));
        assert!(!is_ended("77 (ftp-nat) S 1 77 77 0"));
        assert!(!is_ended("77 (Z) S 1 77"));
        assert!(!is_ended(""));
    }
}
