//! The pin path: what lies where, and who may touch it.
//!
//! ```text
//! PIN-PATH/MAP                   every map of `layout::map::PINNED`; SETTINGS is
//!                                pinned last: when it is there, all are
//! PIN-PATH/links/IFINDEX-HOOK    the TCX links, e.g. 7-ingress (a bpf filesystem
//!                                allows no dot in names, interface names do)
//! PIN-PATH/stages/ID             the program array of each load, by the map's id
//! ```
//!
//! The directory itself is the lock: an instance that runs holds `flock` on it,
//! which the kernel releases however the process ends.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use ftp_nat_common::layout::map;
use nix::fcntl::{Flock, FlockArg};

use super::attach::Side;
use crate::{
    error::{Error, Result},
    sys::bpffs,
};

/// A pin path that exists.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    path: PathBuf,
}

/// What a pin path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing, or what a start left that never came to its end.
    Nothing,
    /// A data path.
    Loaded,
    /// Links, but no complete set of maps: somebody removed files.
    Damaged,
}

/// The lock on a pin path; released when dropped.
pub(crate) struct Lock {
    _flock: Flock<File>,
}

impl Pins {
    /// Makes the pin path, mounting a bpf filesystem if there is none.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let path = bpffs::canonical(path)?;
        bpffs::prepare(&path)?;
        Ok(Self { path })
    }

    /// The pin path, if it exists.
    pub(crate) fn find(path: &Path) -> Result<Option<Self>> {
        let path = bpffs::canonical(path)?;
        // Not `is_dir`: what may not be looked at isn't missing.
        match fs::metadata(&path) {
            Ok(it) => Ok((it.is_dir() && bpffs::is_bpffs(&path)?).then_some(Self { path })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(format!("looking at {}", path.display()))(e)),
        }
    }

    /// The pin path, or [`Error::NothingLoaded`].
    pub(crate) fn existing(path: &Path) -> Result<Self> {
        Self::find(path)?.ok_or_else(|| Error::NothingLoaded {
            path: path.to_owned(),
        })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a map is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn links_directory(&self) -> PathBuf {
        self.path.join("links")
    }

    /// Where the link of a hook is pinned.
    pub(super) fn link(&self, ifindex: u32, side: Side) -> PathBuf {
        self.links_directory()
            .join(format!("{ifindex}-{}", side.name()))
    }

    fn stages_directory(&self) -> PathBuf {
        self.path.join("stages")
    }

    /// Where the program array with a map id is pinned.
    pub(super) fn stages(&self, id: u32) -> PathBuf {
        self.stages_directory().join(id.to_string())
    }

    /// Makes the directory of the links.
    pub(super) fn create_links_directory(&self) -> Result<()> {
        create_directory(&self.links_directory())
    }

    /// Makes the directory of the program arrays.
    pub(super) fn create_stages_directory(&self) -> Result<()> {
        create_directory(&self.stages_directory())
    }

    /// The pinned links' files.
    pub(super) fn link_files(&self) -> Result<Vec<PathBuf>> {
        files_in(&self.links_directory())
    }

    /// The pinned program arrays' files.
    pub(super) fn stage_files(&self) -> Result<Vec<PathBuf>> {
        files_in(&self.stages_directory())
    }

    /// What is there.
    pub(super) fn content(&self) -> Result<Content> {
        Ok(if self.map(map::SETTINGS).exists() {
            Content::Loaded
        } else if self.link_files()?.is_empty() {
            Content::Nothing
        } else {
            Content::Damaged
        })
    }

    /// Removes the maps' files; gives how many there were.
    pub(super) fn remove_maps(&self) -> Result<usize> {
        // SETTINGS first, for the reason it is pinned last.
        let files = map::PINNED.iter().map(|name| self.map(name));
        files.map(|file| remove_file(&file).map(usize::from)).sum()
    }

    /// Removes the program arrays' files: nothing calls their programs any more.
    pub(super) fn remove_stages(&self) -> Result<()> {
        for file in self.stage_files()? {
            remove_file(&file)?;
        }
        Ok(())
    }

    /// Removes the directories, and the bpf filesystem if it is ours alone.
    pub(super) fn remove_directories(&self) -> Result<()> {
        for directory in [self.links_directory(), self.stages_directory()] {
            match fs::remove_dir(&directory) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    log::warn!("{} stays: {e}", directory.display());
                }
                _ => {}
            }
        }
        let gone = bpffs::release(&self.path)
            .map_err(Error::io(format!("removing {}", self.path.display())))?;
        if !gone {
            log::warn!("{} stays: something else is in it", self.path.display());
        }
        Ok(())
    }

    /// Locks the pin path against other instances.
    pub(crate) fn lock(&self) -> Result<std::result::Result<Lock, Holder>> {
        lock_directory(&self.path)
    }

    /// The process that serves the data path, its number unless it is in another
    /// PID namespace. `None`: there is none.
    pub(crate) fn served_by(&self) -> Result<Option<Option<i32>>> {
        let inode = fs::metadata(&self.path)
            .map_err(Error::io(format!("looking at {}", self.path.display())))?;
        // Without taking it where it can be seen: a start would be refused.
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        if let Some(pid) = holder(&locks, inode.dev(), inode.ino()) {
            return Ok(Some(Some(pid)));
        }
        Ok(self.lock()?.err().map(|holder| holder.pid))
    }

    /// Waits for the lock against other writers of the port lists, which a
    /// running instance doesn't hold.
    pub(crate) fn lock_ports(&self) -> Result<Lock> {
        let path = self.links_directory();
        let fail = || Error::io(format!("locking {}", path.display()));
        let file = File::open(&path).map_err(fail())?;
        match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(flock) => Ok(Lock { _flock: flock }),
            Err((_, e)) => Err(fail()(e.into())),
        }
    }
}

fn create_directory(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io(format!("making directory {}", path.display()))(e))
        }
        _ => Ok(()),
    }
}

/// The files in a directory, which may not be there.
fn files_in(path: &Path) -> Result<Vec<PathBuf>> {
    let fail = || Error::io(format!("reading {}", path.display()));
    match fs::read_dir(path) {
        Ok(entries) => entries
            .map(|entry| entry.map(|e| e.path()).map_err(fail()))
            .collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(fail()(e)),
    }
}

/// Removes a file; gives whether it was there.
pub(super) fn remove_file(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(format!("removing {}", path.display()))(e)),
    }
}

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The process, unless it is in a PID namespace that can't be seen.
    pub(crate) pid: Option<i32>,
}

impl Holder {
    /// The error for a command that needs the lock.
    pub(crate) fn error(self, path: &Path, advice: &'static str) -> Error {
        let pid = self
            .pid
            .map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
        Error::AnotherInstance {
            path: path.to_owned(),
            pid,
            advice,
        }
    }
}

fn lock_directory(path: &Path) -> Result<std::result::Result<Lock, Holder>> {
    let fail = || Error::io(format!("locking {}", path.display()));
    loop {
        let file = File::open(path).map_err(fail())?;
        let inode = file.metadata().map_err(fail())?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(flock) => {
                // The directory may have been removed and made anew between
                // `open` and `flock`: then this lock guards nothing.
                let now = fs::metadata(path).map_err(fail())?;
                if (now.dev(), now.ino()) == (inode.dev(), inode.ino()) {
                    return Ok(Ok(Lock { _flock: flock }));
                }
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
                let pid = holder(&locks, inode.dev(), inode.ino());
                return Ok(Err(Holder { pid }));
            }
            Err((_, e)) => return Err(fail()(e.into())),
        }
    }
}

/// The process that holds `flock` on an inode, by `/proc/locks` (proc_locks(5)).
fn holder(locks: &str, device: u64, inode: u64) -> Option<i32> {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let pid = match fields[..] {
            [_, "FLOCK", _, "WRITE", pid, at, ..] if at == place => pid,
            _ => return None,
        };
        pid.parse().ok().filter(|pid| *pid > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 10 00:1c:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4242 00:1c:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 11 00:1c:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 00:1c:78 0 EOF\n";
        assert_eq!(holder(locks, libc::makedev(0, 0x1c), 77), Some(4242));
        assert_eq!(
            holder(locks, libc::makedev(0, 0x1c), 78),
            None,
            "another PID namespace"
        );
        assert_eq!(holder(locks, libc::makedev(0, 0x1c), 79), None);
    }

    #[test]
    fn a_second_lock_names_the_first() {
        let path = std::env::temp_dir().join(format!("ftp-nat-lock-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let first = lock_directory(&path).unwrap().ok().unwrap();
        let second = lock_directory(&path).unwrap().err().unwrap();
        assert_eq!(second.pid, i32::try_from(std::process::id()).ok());
        drop(first);
        assert!(lock_directory(&path).unwrap().is_ok());
        fs::remove_dir(&path).unwrap();
    }
}
