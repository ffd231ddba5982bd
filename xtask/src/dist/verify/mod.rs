//! Installs the package, and does with it what people do: in a chroot, and where
//! systemd is the first process.
//!
//! | script | does |
//! |---|---|
//! | `package.sh` | all that doesn't need systemd, in a chroot |
//! | `service.sh` | makes a machine and becomes its systemd |
//! | `inside.sh` | what is done there |
//! | `machine.sh` | what they share |
//!
//! `links` follows the links of its documents.

mod links;

use std::{fs, path::Path, process::Command};

use anyhow::{Result, bail};

use super::{VERSION, archive, binary, files, folder, package};
use crate::{
    process,
    setup::{self, Scope},
    test::{
        Tally,
        runner::{self, check},
    },
};

/// What runs in namespaces of its own, as the first process there.
const PACKAGE: &str = concat!(include_str!("machine.sh"), include_str!("package.sh"));
/// Likewise.
const SERVICE: &str = concat!(include_str!("machine.sh"), include_str!("service.sh"));
/// What is done on the machine that `SERVICE` makes.
const INSIDE: &str = concat!(include_str!("machine.sh"), include_str!("inside.sh"));
/// How long that may take, in seconds. It takes about twenty.
const SERVICE_LIMIT: &str = "240";

/// Builds everything and runs the tests of it.
pub fn tests(rest: &[String]) -> Result<Tally> {
    if !process::is_root() {
        bail!("this part installs a package in a chroot, which only root may: run it as root");
    }
    if !rest.is_empty() {
        bail!("the tests of the package build on each other: all are run, or none");
    }
    setup::ensure(&[Scope::Dist])?;
    let out = folder().join("test");
    fs::create_dir_all(&out)?;
    let binary = binary::build()?;
    let next = files::lay_out(&out.join("next"), &binary::another(&binary)?)?;
    let new = package::build(&next, &format!("{VERSION}+next"), &out)?;
    let root = files::lay_out(&out.join("root"), &binary)?;
    let old = package::build(&root, VERSION, &out)?;
    let archive = archive::build(&root, &out)?;
    archive::checksums(&out, &[old.clone(), archive.clone()])?;
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["/bin/bash", "-c", PACKAGE, "verify"])
        .args([&old, &new, &archive])
        .current_dir(&out);
    let mut tally = check("links of the documents", || links::follow(&root));
    tally.add(&runner::suite(command)?);
    tally.add(&service(&out, &old, &new)?);
    Ok(tally)
}

/// The package where systemd is the first process.
fn service(out: &Path, old: &Path, new: &Path) -> Result<Tally> {
    let folder = out.join("service");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::copy(old, folder.join("old.deb"))?;
    fs::copy(new, folder.join("new.deb"))?;
    fs::write(folder.join("inside.sh"), INSIDE)?;
    fs::write(folder.join("said"), "")?;
    // systemd's own words are of use where the machine did not come to its end.
    let outside = "place=$(mktemp -d) || exit 1\n\
        timeout --kill-after 5 \"$3\" unshare --mount --net --pid --cgroup --ipc --uts --fork \
            --kill-child /bin/bash -c \"$1\" service \"$place\" \"$2\" > \"$2/console\" 2>&1\n\
        rmdir \"$place\"\n\
        cat \"$2/said\"\n\
        grep -q '^test result: ok' \"$2/said\" || { tail -n 40 \"$2/console\"; exit 1; }";
    let mut command = Command::new("/bin/bash");
    command
        .args(["-c", outside, "service", SERVICE])
        .arg(&folder)
        .arg(SERVICE_LIMIT);
    runner::suite(command)
}
