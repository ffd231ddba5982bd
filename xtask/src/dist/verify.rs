//! Installs the package in a chroot, and does with it what people do.

use std::{fs, process::Command};

use anyhow::{Result, bail};

use super::{VERSION, archive, binary, files, folder, package};
use crate::{
    process,
    setup::{self, Scope},
    test::{Tally, runner},
};

/// What runs in namespaces of its own, as the first process there.
const SCRIPT: &str = include_str!("verify.sh");

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
    let root = files::lay_out(&out.join("root"), &binary::build()?)?;
    let old = package::build(&root, VERSION, &out)?;
    // The same once more, as dpkg sees a newer one.
    let new = package::build(&root, &format!("{VERSION}+next"), &out)?;
    let archive = archive::build(&root, &out)?;
    archive::checksums(&out, &[old.clone(), archive.clone()])?;
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
        .args(["/bin/bash", "-c", SCRIPT, "verify"])
        .args([&old, &new, &archive])
        .current_dir(&out);
    runner::suite(command)
}
