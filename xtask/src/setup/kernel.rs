//! The kernel of the virtual machine: Debian 12's, the oldest that is supported.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::unpack;
use crate::process;

/// Debian's package that depends on its present kernel.
const META: &str = "linux-image-amd64";

/// What the release of that kernel begins with.
const FLOOR: &str = "6.1.";

/// Folders of modules that are kept: the whole is 380 MB, and indexing it slow.
const KEPT: [&str; 8] = [
    "arch",
    "crypto",
    "drivers/block",
    "drivers/net",
    "drivers/virtio",
    "fs",
    "lib",
    "net",
];

/// A kernel that is unpacked.
pub struct Kernel {
    /// The image that is booted.
    pub image: PathBuf,
    /// The folder `lib/modules/RELEASE`, with its indices.
    pub modules: PathBuf,
}

/// Unpacks it into `folder` unless it is there.
pub fn ensure(folder: &Path) -> Result<()> {
    if find(folder).is_ok() {
        return Ok(());
    }
    let index = |place: &Path| index(place, &folder.join("bin/busybox"));
    unpack::fetch(&place(folder), META, package, index)
}

/// The one that [`ensure`] has unpacked.
pub fn find(folder: &Path) -> Result<Kernel> {
    let place = place(folder);
    let modules = modules(&place)?;
    let release = modules.file_name().unwrap_or_default().to_string_lossy();
    let image = place.join(format!("boot/vmlinuz-{release}"));
    if !image.exists() || !modules.join("modules.dep").exists() {
        bail!("{} has no whole kernel", place.display());
    }
    Ok(Kernel { image, modules })
}

fn place(folder: &Path) -> PathBuf {
    folder.join("kernel")
}

/// The package of the kernel itself.
fn package() -> Result<Vec<String>> {
    let text = process::output(Command::new("apt-cache").args(["depends", META]))?;
    let name = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
        .with_context(|| format!("{META} depends on no kernel"))?;
    if !name.starts_with(FLOOR) {
        bail!("{META} is Linux {name}, not {FLOOR}x: is this Debian 12?");
    }
    Ok(vec![format!("linux-image-{name}")])
}

/// Keeps what is needed of the modules and writes their indices.
fn index(place: &Path, busybox: &Path) -> Result<()> {
    let modules = modules(place)?;
    let (all, kept) = (modules.join("kernel"), modules.join("kept"));
    for name in KEPT {
        let to = kept.join(name);
        fs::create_dir_all(to.parent().unwrap_or(&kept))?;
        fs::rename(all.join(name), to)?;
    }
    fs::remove_dir_all(&all)?;
    fs::rename(kept, all)?;
    let release = modules.file_name().unwrap_or_default();
    process::run(
        Command::new(busybox)
            .args(["depmod", "-b"])
            .arg(place)
            .arg(release),
    )
}

/// The one folder of `lib/modules`.
fn modules(place: &Path) -> Result<PathBuf> {
    let folder = place.join("lib/modules");
    let entry = fs::read_dir(&folder)
        .ok()
        .and_then(|mut entries| entries.next())
        .with_context(|| format!("{} is empty", folder.display()))?;
    Ok(entry?.path())
}
