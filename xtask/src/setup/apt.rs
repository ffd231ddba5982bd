//! Debian packages: what is missing, in one go.

use std::{path::Path, process::Command, sync::OnceLock};

use anyhow::{Result, bail};

use super::needs::Need;
use crate::process;

/// Installs the packages of those needs that aren't met.
pub fn install(needs: impl IntoIterator<Item = &'static Need>) -> Result<()> {
    let unmet: Vec<&Need> = needs.into_iter().filter(|need| !need.is_met()).collect();
    if unmet.is_empty() {
        return Ok(());
    }
    let missing: Vec<&str> = unmet.iter().map(|need| need.package).collect();
    let list = missing.join(" ");
    require_apt(&list)?;
    if !process::is_root() {
        bail!(
            "these packages are missing, and only root may install them: {list}\n\
             Run\n    sudo apt-get install --no-install-recommends {list}\n\
             or this command as root."
        );
    }
    update_once();
    eprintln!("installing {list}");
    // What dpkg says is of interest only when it fails.
    process::output(
        apt_get()
            // Never at the cost of something that is there.
            .args([
                "install",
                "--yes",
                "--quiet=2",
                "--no-install-recommends",
                "--no-remove",
            ])
            .args(&missing),
    )?;
    if let Some(need) = unmet.iter().find(|need| !need.is_met()) {
        bail!(
            "{} is installed, but has not what was expected of it: {}. Is this Debian 12?",
            need.package,
            need.probe
        );
    }
    Ok(())
}

/// Fails, with what to install by hand, where there is no apt.
pub fn require_apt(packages: &str) -> Result<()> {
    if Path::new("/etc/debian_version").exists() && process::find_program("apt-get").is_some() {
        return Ok(());
    }
    bail!(
        "this is no Debian, so nothing can be installed from here. Please install what \
         these Debian packages hold by hand: {packages}"
    );
}

/// An `apt-get` that asks nothing and waits for another one to finish.
pub fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// Refreshes the package lists, once per run. A failure is only reported: lists
/// that are a little old may do, and if not, the installation says so.
pub fn update_once() {
    static UPDATED: OnceLock<()> = OnceLock::new();
    UPDATED.get_or_init(|| {
        eprintln!("refreshing the package lists");
        if let Err(error) = process::output(apt_get().args(["update", "--quiet=2"])) {
            eprintln!("warning: {error:#}; going on with the lists that are there");
        }
    });
}
