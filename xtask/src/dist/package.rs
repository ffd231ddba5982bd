//! The Debian package.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::files::copy;
use crate::{process, workspace};

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Builds the package of what is laid out in `root`, into the folder `out`.
pub fn build(root: &Path, version: &str, out: &Path) -> Result<PathBuf> {
    let control = root.join("DEBIAN");
    let source = workspace::root().join("dist/debian");
    let template = fs::read_to_string(source.join("control.in"))
        .with_context(|| format!("can't read {}/control.in", source.display()))?;
    let text = template
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", "amd64")
        .replace("@HOMEPAGE@", env!("CARGO_PKG_REPOSITORY"))
        .replace("@SIZE@", &kibibytes(root)?.to_string());
    fs::create_dir_all(&control)?;
    fs::write(control.join("control"), text)?;
    fs::write(control.join("conffiles"), "/etc/ftp-nat/config.toml\n")?;
    for script in SCRIPTS {
        copy(&source.join(script), &control.join(script), 0o755)?;
    }
    let file = out.join(format!("ftp-nat_{version}_amd64.deb"));
    process::output(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zxz", "--build"])
            .arg(root)
            .arg(&file),
    )?;
    fs::remove_dir_all(&control)?;
    Ok(file)
}

/// The size of all files in a folder, in KiB as Debian counts it.
fn kibibytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            kibibytes(&entry.path())?
        } else {
            entry.metadata()?.len().div_ceil(1024)
        };
    }
    Ok(sum)
}
