//! bpf-linker, of exactly one version: another one makes another object.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{process, workspace};

/// The version that made the committed object.
pub const VERSION: &str = "0.13.0";

/// The bpf-linker in PATH if its version is right, else the one in our cache.
pub fn find() -> Option<PathBuf> {
    [process::find_program("bpf-linker"), Some(cached())]
        .into_iter()
        .flatten()
        .find(|program| {
            process::output(Command::new(program).arg("--version"))
                .is_ok_and(|text| text.split_whitespace().any(|word| word == VERSION))
        })
}

/// Builds it into our cache where it is missing, so that a user's own stays as it
/// is. The packages for that are there by now.
pub fn ensure() -> Result<()> {
    if find().is_some() {
        return Ok(());
    }
    eprintln!("building bpf-linker {VERSION} (one or two minutes)");
    let llvm = process::output(Command::new("llvm-config-22").arg("--prefix"))?;
    process::run(
        Command::new(workspace::cargo())
            .args([
                "install",
                "bpf-linker",
                "--version",
                VERSION,
                "--locked",
                "--force",
            ])
            .args(["--no-default-features", "--features", "llvm-22"])
            .arg("--root")
            .arg(workspace::tools())
            .env("LLVM_PREFIX", llvm.trim())
            // Else cargo asks people to add the folder to theirs.
            .env("PATH", process::path_with(&workspace::tools().join("bin"))?)
            // A folder outside ours: cargo would take our `.cargo/config.toml` for its own.
            .current_dir("/"),
    )?;
    find()
        .map(drop)
        .context("bpf-linker was built, but doesn't run")
}

fn cached() -> PathBuf {
    workspace::tools().join("bin/bpf-linker")
}
