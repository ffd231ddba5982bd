//! The files, where they belong on a machine.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{process, workspace};

/// Files that are copied as they are: from the sources, to the machine.
const COPIED: &[(&str, &str)] = &[
    ("dist/config.toml", "etc/ftp-nat/config.toml"),
    (
        "dist/systemd/ftp-nat.service",
        "usr/lib/systemd/system/ftp-nat.service",
    ),
    (
        "dist/systemd/ftp-nat.tmpfiles",
        "usr/lib/tmpfiles.d/ftp-nat.conf",
    ),
    // Where the documents link to them.
    ("dist/config.toml", "usr/share/doc/ftp-nat/dist/config.toml"),
    (
        "dist/grafana/ftp-nat.json",
        "usr/share/doc/ftp-nat/dist/grafana/ftp-nat.json",
    ),
    ("README.md", "usr/share/doc/ftp-nat/README.md"),
    ("LICENSE-MIT", "usr/share/doc/ftp-nat/LICENSE-MIT"),
    ("LICENSE-APACHE", "usr/share/doc/ftp-nat/LICENSE-APACHE"),
];

/// Completions: what clap calls them, and where the shells look.
const COMPLETIONS: [(&str, &str); 3] = [
    (
        "ftp-nat.bash",
        "usr/share/bash-completion/completions/ftp-nat",
    ),
    ("_ftp-nat", "usr/share/zsh/vendor-completions/_ftp-nat"),
    (
        "ftp-nat.fish",
        "usr/share/fish/vendor_completions.d/ftp-nat.fish",
    ),
];

/// Lays them out below `root`, which is made anew.
pub fn lay_out(root: &Path, binary: &Path) -> Result<PathBuf> {
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("can't remove {}", root.display()))?;
    }
    copy(binary, &root.join("usr/sbin/ftp-nat"), 0o755)?;
    let source = workspace::root();
    for (from, to) in COPIED {
        copy(&source.join(from), &root.join(to), 0o644)?;
    }
    documents(
        &source.join("docs"),
        &root.join("usr/share/doc/ftp-nat/docs"),
    )?;
    generated(root)?;
    Ok(root.to_owned())
}

/// The documents of a folder and of those in it, with their pictures.
fn documents(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("can't read {}", from.display()))? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            documents(&path, &to)?;
        } else if path.extension().is_some_and(|e| e == "md" || e == "svg") {
            copy(&path, &to, 0o644)?;
        }
    }
    Ok(())
}

/// Man pages and completions, from the definition of the command line.
fn generated(root: &Path) -> Result<()> {
    let folder = root.with_extension("generated");
    process::run(
        Command::new(workspace::cargo())
            .args(["run", "--quiet", "--locked", "--package", "ftp-nat"])
            .args(["--example", "manual", "--"])
            .arg(&folder)
            .current_dir(workspace::root()),
    )?;
    for (from, to) in COMPLETIONS {
        copy(&folder.join(from), &root.join(to), 0o644)?;
    }
    for entry in fs::read_dir(&folder)? {
        let page = entry?.path();
        if page.extension().is_some_and(|e| e == "8") {
            let name = page.file_name().unwrap_or_default();
            let to = root.join("usr/share/man/man8").join(name);
            copy(&page, &to, 0o644)?;
            // Without the time, so that the same sources give the same file.
            process::run(Command::new("gzip").args(["-9", "-n"]).arg(&to))?;
        }
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Copies a file, and makes the folders that it needs.
pub fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to)
        .with_context(|| format!("can't copy {} to {}", from.display(), to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}
