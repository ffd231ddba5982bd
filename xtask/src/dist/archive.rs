//! The archive for machines without dpkg, and checksums.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::VERSION;
use crate::process;

/// Packs what is laid out in `root`, into the folder `out`.
pub fn build(root: &Path, out: &Path) -> Result<PathBuf> {
    let name = format!("ftp-nat-{VERSION}-x86_64-linux");
    let file = out.join(format!("{name}.tar.gz"));
    process::output(
        Command::new("tar")
            .args([
                "--create",
                "--gzip",
                "--sort=name",
                "--owner=0",
                "--group=0",
            ])
            .arg("--numeric-owner")
            .arg(format!("--transform=s,^\\.,{name},"))
            .arg("--directory")
            .arg(root)
            .arg("--file")
            .arg(&file)
            .arg("."),
    )?;
    Ok(file)
}

/// Writes `SHA256SUMS`, which sha256sum(1) checks; gives it with the files.
pub fn checksums(out: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut text = String::new();
    for file in files {
        let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        for byte in Sha256::digest(&bytes) {
            write!(text, "{byte:02x}")?;
        }
        writeln!(text, "  {name}")?;
    }
    let sums = out.join("SHA256SUMS");
    fs::write(&sums, text)?;
    Ok(files.iter().cloned().chain([sums]).collect())
}
