//! `cargo xtask screens`: the documents' screens, of real runs.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    demo::build,
    process,
    setup::{self, Scope},
    workspace,
};

/// Builds what is shown and what shows it, and runs that.
pub fn run() -> Result<()> {
    if !process::is_root() {
        bail!(
            "this makes network namespaces and loads eBPF programs, which only root may: \
             run it as root, for example with\n    sudo env \"PATH=$PATH\" cargo xtask screens"
        );
    }
    setup::ensure(&[Scope::Demo])?;
    let ftp_nat = build("ftp-nat", "ftp-nat")?;
    let demo = build("ftp-nat-tests", "demo")?;
    let screens = build("ftp-nat-tests", "screens")?;
    process::run(
        Command::new(screens)
            .arg("--ftp-nat")
            .arg(ftp_nat)
            .arg("--demo")
            .arg(demo)
            .arg("--docs")
            .arg(workspace::root().join("docs"))
            .env("PATH", process::path_with(&workspace::peers().join("bin"))?),
    )
}
