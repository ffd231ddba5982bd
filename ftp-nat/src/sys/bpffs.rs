//! The bpf filesystem under a pin path: found, or mounted.
//!
//! Where it is mounted when it is missing:
//! * a path below `/sys/fs/bpf`: on `/sys/fs/bpf`, as every distribution does;
//!   it stays when ftp-nat is unloaded, others may use it by then;
//! * any other path: on that very directory, which is made or must be empty,
//!   so that nothing else is hidden. This mount carries [`SOURCE`] as its
//!   source, by which `unload` knows that it may go with the pins.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MntFlags, MsFlags},
    sys::statfs,
};

use crate::error::{Error, Result};

/// Where the bpf filesystem usually is.
const STANDARD: &str = "/sys/fs/bpf";
/// The source of mounts that are ours alone, as in `/proc/mounts`.
const SOURCE: &str = "ftp-nat";

/// What has to be done before `path` can hold pins.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    /// Only directories.
    Directories,
    /// A mount on the standard place, then directories.
    StandardMount,
    /// A mount on the path itself.
    OwnMount,
}

fn need(path: &Path, on_bpffs: bool) -> Need {
    if on_bpffs {
        Need::Directories
    } else if path.starts_with(STANDARD) {
        Need::StandardMount
    } else {
        Need::OwnMount
    }
}

/// `path` without links or `..` in the part that exists.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    let name = || format!("looking at {}", path.display());
    let path = std::path::absolute(path).map_err(Error::io(name()))?;
    let existing = nearest_existing(&path);
    let mut canonical = existing.canonicalize().map_err(Error::io(name()))?;
    // Name by name: joining an empty rest would leave a slash at the end.
    canonical.extend(path.strip_prefix(existing).unwrap_or(Path::new("")));
    Ok(canonical)
}

fn nearest_existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"))
}

/// Whether `path`, or the nearest directory above it that exists, is on a bpf
/// filesystem.
pub(crate) fn is_bpffs(path: &Path) -> Result<bool> {
    let existing = nearest_existing(path);
    let stat = statfs::statfs(existing)
        .map_err(|e| Error::io(format!("looking at {}", existing.display()))(e.into()))?;
    Ok(stat.filesystem_type() == statfs::BPF_FS_MAGIC)
}

/// Makes `path` a directory on a bpf filesystem.
pub(crate) fn prepare(path: &Path) -> Result<()> {
    match need(path, is_bpffs(path)?) {
        Need::Directories => {}
        Need::StandardMount => mount(Path::new(STANDARD), "bpf")?,
        Need::OwnMount => {
            make_directories(path)?;
            let mut inside =
                fs::read_dir(path).map_err(Error::io(format!("reading {}", path.display())))?;
            if inside.next().is_some() {
                return Err(Error::NotEmpty {
                    path: path.to_owned(),
                });
            }
            mount(path, SOURCE)?;
        }
    }
    make_directories(path)
}

fn make_directories(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::io(format!("making directory {}", path.display())))
}

fn mount(target: &Path, source: &str) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    nix::mount::mount(Some(source), target, Some("bpf"), flags, Some("mode=0700")).map_err(
        |e| Error::Mount {
            path: target.to_owned(),
            source: e.into(),
        },
    )?;
    log::info!("mounted a bpf filesystem on {}", target.display());
    if own_mount_namespace() {
        log::warn!(
            "this process has a mount namespace of its own: the mount on {} goes with it, and the data \
             path with the mount. Enter a network namespace with `nsenter --net=...` rather than `ip netns exec`",
            target.display()
        );
    }
    Ok(())
}

/// Whether this process sees other mounts than the rest of the system: its
/// parent (`ip netns exec` becomes the program it starts) or the first process.
fn own_mount_namespace() -> bool {
    let of = |process: u32| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let own = of(std::process::id());
    let others = [std::os::unix::process::parent_id(), 1];
    own.is_some()
        && others
            .into_iter()
            .filter_map(of)
            .any(|other| Some(other) != own)
}

/// Undoes an own mount of [`prepare`] once nothing is pinned there, and removes
/// the directory. Gives whether it is gone.
pub(crate) fn release(path: &Path) -> io::Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    if is_own_mount(&mounts, path) {
        nix::mount::umount2(path, MntFlags::UMOUNT_NOFOLLOW)?;
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        // Somebody else keeps files there, or mounted the directory.
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOTEMPTY | libc::EBUSY)) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(e),
    }
}

fn is_own_mount(mounts: &str, path: &Path) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ');
        // /proc/mounts writes a space in a path as \040.
        let (source, target) = (
            fields.next(),
            fields.next().map(|t| t.replace("\\040", " ")),
        );
        source == Some(SOURCE) && target.as_deref().map(Path::new) == Some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_never_hides_other_files() {
        assert_eq!(
            need(Path::new("/sys/fs/bpf/ftp-nat"), true),
            Need::Directories
        );
        assert_eq!(
            need(Path::new("/sys/fs/bpf/ftp-nat"), false),
            Need::StandardMount
        );
        assert_eq!(need(Path::new("/run/ftp-nat/pins"), false), Need::OwnMount);
    }

    #[test]
    fn only_our_own_mount_is_undone() {
        let mounts = "bpf /sys/fs/bpf bpf rw 0 0\nftp-nat /run/a\\040b bpf rw 0 0\n";
        assert!(is_own_mount(mounts, Path::new("/run/a b")));
        assert!(!is_own_mount(mounts, Path::new("/sys/fs/bpf")));
        assert!(!is_own_mount(mounts, Path::new("/run")));
    }

    #[test]
    fn a_path_that_does_not_exist_yet_has_a_canonical_form() {
        let path = canonical(Path::new("/proc/self/../no-such-thing/pins")).unwrap();
        assert!(path.ends_with("no-such-thing/pins"), "{}", path.display());
        assert!(path.is_absolute());
    }
}
