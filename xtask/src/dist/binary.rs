//! The static binary.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process::{self, find_program},
    workspace,
};

/// The C library that is made for being linked in.
const MUSL: &str = "x86_64-unknown-linux-musl";
/// The host's, which can be linked in too; names are resolved by nobody here.
const GNU: &str = "x86_64-unknown-linux-gnu";

/// Builds it.
pub fn build() -> Result<PathBuf> {
    let target = if has_musl() { MUSL } else { GNU };
    eprintln!("building a static ftp-nat for {target}");
    let mut command = Command::new(workspace::cargo());
    command
        .args(["build", "--release", "--locked", "--package", "ftp-nat"])
        .args(["--target", target])
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .current_dir(workspace::root());
    if target == GNU {
        command.env(
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "-Ctarget-feature=+crt-static",
        );
    }
    process::run(&mut command)?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(workspace::cache, PathBuf::from);
    let file = folder.join(target).join("release/ftp-nat");
    check(&file)?;
    Ok(file)
}

/// The same program as another file, as a newer version would be: bytes behind
/// the end of an ELF file are nobody's.
pub fn another(file: &Path) -> Result<PathBuf> {
    let mut bytes = fs::read(file).with_context(|| format!("no {}", file.display()))?;
    bytes.extend_from_slice(b"\nnext\n");
    let next = file.with_file_name("ftp-nat-next");
    fs::write(&next, bytes).with_context(|| format!("can't write {}", next.display()))?;
    Ok(next)
}

/// Adds the target where rustup can.
fn has_musl() -> bool {
    let Some(rustup) = find_program("rustup") else {
        return false;
    };
    let add = process::output(Command::new(rustup).args(["target", "add", MUSL]));
    add.inspect_err(|e| eprintln!("{e:#}")).is_ok()
}

/// That the program needs nothing of the machine it runs on.
fn check(file: &Path) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("no {}", file.display()))?;
    match interpreter(&bytes) {
        Some(false) => Ok(()),
        Some(true) => bail!("{} is not static", file.display()),
        None => bail!("{} is no 64-bit ELF file", file.display()),
    }
}

/// Whether an ELF file asks for a dynamic linker (elf(5): `PT_INTERP`). `None`:
/// it is no little-endian 64-bit ELF file.
fn interpreter(bytes: &[u8]) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    let short = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    // e_phoff, e_phentsize, e_phnum.
    let first = usize::try_from(word(32)?).ok()?;
    let (size, count) = (usize::from(short(54)?), usize::from(short(56)?));
    let kinds = (0..count).map(|n| word(first + n * size));
    Some(kinds.flatten().any(|kind| kind == PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_linker_is_told_from_one_that_does_not() {
        // The test itself is linked against the host's libraries.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(interpreter(&own), Some(true));
        let mut none = own[..64].to_vec();
        none[56..58].fill(0);
        assert_eq!(interpreter(&none), Some(false));
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
    }
}
