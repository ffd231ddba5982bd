//! FTP servers from Debian packages, unpacked instead of installed: as packages
//! they conflict with each other, and an installed one is started as a service.
//!
//! ```text
//! target/peers/bin/vsftpd    launcher, which finds the libraries below
//! target/peers/vsftpd/...    the files of vsftpd and of the libraries it needs
//! ```

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{apt, needs::Peer};
use crate::{process, workspace};

/// Unpacks those that aren't there or have lost a library.
pub fn ensure(peers: &[Peer]) -> Result<()> {
    for peer in peers.iter().filter(|peer| !is_ready(peer)) {
        unpack(peer).with_context(|| format!("can't unpack the FTP server {}", peer.name))?;
    }
    Ok(())
}

fn is_ready(peer: &Peer) -> bool {
    launcher(peer).exists()
        && missing_libraries(&workspace::peers().join(peer.name), peer).is_ok_and(|m| m.is_empty())
}

fn launcher(peer: &Peer) -> PathBuf {
    workspace::peers().join("bin").join(peer.name)
}

/// Downloads the packages, unpacks them beside their place, and moves them there
/// when they are whole, so that an interruption leaves nothing half done.
fn unpack(peer: &Peer) -> Result<()> {
    apt::require_apt(peer.package)?;
    eprintln!("unpacking {}", peer.name);
    let place = workspace::peers().join(peer.name);
    let partial = place.with_extension("partial");
    remove(&partial)?;
    fs::create_dir_all(&partial)?;
    let packages = match packages_of(peer) {
        Ok(packages) => packages,
        // No lists yet: a fresh machine.
        Err(_) => {
            apt::update_once();
            packages_of(peer)?
        }
    };
    let download = || {
        process::output(
            apt::apt_get()
                .args(["download", "--quiet=2", "-o", "APT::Sandbox::User=root"])
                .args(&packages)
                .current_dir(&partial),
        )
    };
    if download().is_err() {
        // The lists may name a version that the mirror has replaced since.
        apt::update_once();
        download()?;
    }
    for entry in fs::read_dir(&partial)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            process::run(
                Command::new("dpkg")
                    .arg("--extract")
                    .arg(&file)
                    .arg(&partial),
            )?;
            fs::remove_file(&file)?;
        }
    }
    let missing = missing_libraries(&partial, peer)?;
    if !missing.is_empty() {
        bail!("it lacks these libraries: {}", missing.join(" "));
    }
    remove(&place)?;
    fs::rename(&partial, &place)?;
    write_launcher(peer, &place)
}

/// The package itself and the libraries that apt would install with it. Only
/// asked, never done: so it doesn't matter that it conflicts with another server.
fn packages_of(peer: &Peer) -> Result<Vec<String>> {
    let plan = process::output(
        apt::apt_get()
            .args([
                "install",
                "--simulate",
                "--reinstall",
                "--no-install-recommends",
            ])
            .arg(peer.package),
    )?;
    let mut packages = vec![peer.package.to_owned()];
    packages.extend(
        plan.lines()
            .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
            .filter(|name| name.starts_with("lib"))
            .map(str::to_owned),
    );
    Ok(packages)
}

/// Names of the shared libraries that the server in `place` would not find.
fn missing_libraries(place: &Path, peer: &Peer) -> Result<Vec<String>> {
    let text = process::output(
        Command::new("ldd")
            .arg(place.join("usr/sbin").join(peer.name))
            .env("LD_LIBRARY_PATH", library_path(place)),
    )?;
    Ok(text
        .lines()
        .filter(|line| line.ends_with("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

fn library_path(place: &Path) -> String {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    format!("{0}/usr/lib/{triplet}:{0}/lib/{triplet}", place.display())
}

/// `exec` keeps the process id, which whoever started the server will kill.
fn write_launcher(peer: &Peer, place: &Path) -> Result<()> {
    let file = launcher(peer);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}/usr/sbin/{}' \"$@\"\n",
        library_path(place),
        place.display(),
        peer.name
    );
    fs::write(&file, text).with_context(|| format!("can't write {}", file.display()))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
