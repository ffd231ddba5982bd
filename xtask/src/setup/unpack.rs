//! Programs from Debian packages, unpacked instead of installed. FTP servers
//! conflict with each other as packages, and an installed one is started as a
//! service; a virtual machine's packages may conflict with newer ones.
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

use super::{apt, needs::Unpacked};
use crate::process;

/// Unpacks those that aren't in `folder` or have lost a library.
pub fn ensure(folder: &Path, programs: &[Unpacked]) -> Result<()> {
    for wanted in programs.iter().filter(|wanted| !is_ready(folder, wanted)) {
        unpack(folder, wanted).with_context(|| format!("can't unpack {}", wanted.name))?;
    }
    Ok(())
}

fn is_ready(folder: &Path, wanted: &Unpacked) -> bool {
    fs::read_to_string(launcher(folder, wanted)).is_ok_and(|text| text == launching(wanted))
        && missing_libraries(&folder.join(wanted.name), wanted).is_ok_and(|m| m.is_empty())
}

fn launcher(folder: &Path, wanted: &Unpacked) -> PathBuf {
    folder.join("bin").join(wanted.name)
}

/// Unpacks beside the place, and moves it there when it is whole, so that an
/// interruption leaves nothing half done.
fn unpack(folder: &Path, wanted: &Unpacked) -> Result<()> {
    let place = folder.join(wanted.name);
    fetch(
        &place,
        wanted.package,
        || packages_of(wanted),
        |partial| {
            let missing = missing_libraries(partial, wanted)?;
            if !missing.is_empty() {
                bail!("it lacks these libraries: {}", missing.join(" "));
            }
            Ok(())
        },
    )?;
    write_launcher(folder, wanted)
}

/// Downloads the packages that `list` names and unpacks them into `place`, after
/// `finish` has seen to them. `what` is for the message where there is no apt.
pub fn fetch(
    place: &Path,
    what: &str,
    list: impl Fn() -> Result<Vec<String>>,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    apt::require_apt(what)?;
    eprintln!("unpacking {what}");
    let partial = place.with_extension("partial");
    remove(&partial)?;
    fs::create_dir_all(&partial)?;
    let packages = match list() {
        Ok(packages) => packages,
        // No lists yet: a fresh machine.
        Err(_) => {
            apt::update_once();
            list()?
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
    finish(&partial)?;
    remove(place)?;
    fs::rename(&partial, place)?;
    Ok(())
}

/// The package itself, what it needs besides, and the libraries that apt would
/// install with it. Only asked, never done: so it doesn't matter that it
/// conflicts with another one.
fn packages_of(wanted: &Unpacked) -> Result<Vec<String>> {
    let plan = process::output(
        apt::apt_get()
            .args([
                "install",
                "--simulate",
                "--reinstall",
                "--no-install-recommends",
            ])
            .arg(wanted.package),
    )?;
    let mut packages = vec![wanted.package.to_owned()];
    packages.extend(wanted.with.iter().map(|&name| name.to_owned()));
    packages.extend(
        plan.lines()
            .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
            .filter(|name| name.starts_with("lib"))
            .map(str::to_owned),
    );
    Ok(packages)
}

/// Names of the shared libraries that the program in `place` would not find.
fn missing_libraries(place: &Path, wanted: &Unpacked) -> Result<Vec<String>> {
    let text = process::output(
        Command::new("sh")
            // A static program has no libraries, which is no failure.
            .args(["-c", "ldd \"$0\" 2>&1 || [ -x \"$0\" ]"])
            .arg(place.join(wanted.program))
            .env(
                "LD_LIBRARY_PATH",
                library_path(&place.display().to_string()),
            ),
    )?;
    Ok(text
        .lines()
        .filter(|line| line.ends_with("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}

fn library_path(place: &str) -> String {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    format!("{place}/usr/lib/{triplet}:{place}/lib/{triplet}")
}

/// What a launcher is. It finds its program from where it is itself, as the folder
/// of all of them may be moved or copied. `exec` keeps the process id, which whoever
/// started the program will kill.
fn launching(wanted: &Unpacked) -> String {
    format!(
        "#!/bin/sh\nplace=${{0%/*}}/../{}\nLD_LIBRARY_PATH=\"{}\" exec \"$place/{}\" \"$@\"\n",
        wanted.name,
        library_path("$place"),
        wanted.program,
    )
}

fn write_launcher(folder: &Path, wanted: &Unpacked) -> Result<()> {
    let file = launcher(folder, wanted);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&file, launching(wanted))
        .with_context(|| format!("can't write {}", file.display()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_their_folder_was_moved_to() {
        let wanted = Unpacked {
            name: "told",
            program: "usr/sbin/told",
            package: "told",
            with: &[],
        };
        let at = tempfile::tempdir().unwrap();
        let [before, after] = ["a folder", "moved"].map(|name| at.path().join(name));
        let program = before.join("told").join(wanted.program);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "#!/bin/sh\necho $LD_LIBRARY_PATH: \"$@\"\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        write_launcher(&before, &wanted).unwrap();
        fs::rename(&before, &after).unwrap();

        let said = process::output(Command::new(launcher(&after, &wanted)).args(["a", "b  c"]));
        let said = said.unwrap();
        assert!(said.trim_end().ends_with(": a b  c"), "{said}");
        assert!(said.contains("moved/bin/../told/usr/lib/"), "{said}");
        // One of another kind is written anew.
        assert!(is_ready(&after, &wanted));
        fs::write(launcher(&after, &wanted), "#!/bin/sh\nexec /elsewhere\n").unwrap();
        assert!(!is_ready(&after, &wanted));
    }
}
