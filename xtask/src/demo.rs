//! `cargo xtask demo`: from a fresh machine to FTP through a NAT gateway.

use std::{
    convert::Infallible,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process,
    setup::{self, Scope},
    workspace,
};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// Passed to the demo as they are; `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Sets up, builds, and becomes the demo, so that its exit code and every
/// signal, Ctrl-C above all, are its own business.
pub fn run(args: &Args) -> Result<Infallible> {
    if !process::is_root() {
        bail!(
            "the demo makes network namespaces and loads eBPF programs, which only root may: \
             run it as root, for example with\n    sudo env \"PATH=$PATH\" cargo xtask demo"
        );
    }
    setup::ensure(&[Scope::Demo])?;
    eprintln!("building ftp-nat and the demo");
    let ftp_nat = build("ftp-nat", "ftp-nat")?;
    let demo = build("ftp-nat-tests", "demo")?;
    let failure = Command::new(&demo)
        .arg("--ftp-nat")
        .arg(ftp_nat)
        .args(&args.rest)
        .env("PATH", process::path_with(&workspace::peers().join("bin"))?)
        .exec();
    Err(failure).with_context(|| format!("can't start {}", demo.display()))
}

/// Builds one release binary; cargo says where it put it.
pub fn build(package: &str, binary: &str) -> Result<PathBuf> {
    let messages = process::output(
        Command::new(workspace::cargo())
            .args([
                "build",
                "--release",
                "--message-format=json-render-diagnostics",
            ])
            .args(["--package", package, "--bin", binary])
            .current_dir(workspace::root())
            .stderr(Stdio::inherit()),
    )?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == binary)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo built {package}, but names no binary {binary}"))
}
