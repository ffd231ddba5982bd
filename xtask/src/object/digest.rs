//! SHA-256 of files and of the object's sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::workspace;

/// All that the object is compiled from, except what the lock file pins.
const SOURCES: [&str; 5] = [
    "ftp-nat-ebpf/Cargo.toml",
    "ftp-nat-ebpf/Cargo.lock",
    "ftp-nat-ebpf/src",
    "ftp-nat-common/Cargo.toml",
    "ftp-nat-common/src",
];

/// Digest of one file's bytes.
pub fn file(path: &Path) -> Result<String> {
    Ok(hex(Sha256::new_with_prefix(read(path)?)))
}

/// One digest of all sources, their names included.
pub fn sources() -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&workspace::root().join(source), &mut files)?;
    }
    files.sort();
    let mut sum = Sha256::new();
    for path in files {
        let name = path.strip_prefix(workspace::root()).unwrap_or(&path);
        let bytes = read(&path)?;
        // Lengths keep one file's end from passing as the next one's start.
        sum.update(format!("{} {}\n", name.display(), bytes.len()));
        sum.update(bytes);
    }
    Ok(hex(sum))
}

/// The file itself, or every Rust file below the folder: an editor's leavings are no source.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("can't read {}", path.display()))? {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            collect(&path, files)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("can't read {}", path.display()))
}

fn hex(sum: Sha256) -> String {
    format!("{:x}", sum.finalize())
}
