//! `cargo xtask bench`: ftp-nat measured beside the kernel's own helper.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::{
    demo, process,
    setup::{self, Scope},
    workspace,
};

/// Options of the verb, which are those of the benchmark.
#[derive(clap::Args, Default)]
pub struct Args {
    /// A smoke run: every figure once and for a moment, good for nothing else
    #[arg(long)]
    quick: bool,
    /// Only this workload; can be repeated. A name that isn't one lists them all
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How many times each of the compared has its turn
    #[arg(long, value_name = "N")]
    pairs: Option<u32>,
    /// Of `hooks` only these packets, to profile them by themselves
    #[arg(long, value_name = "KIND")]
    packets: Option<String>,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Args {
    /// A smoke run of everything: it fails where a workload gives no figure.
    pub fn smoke() -> Self {
        Self {
            quick: true,
            ..Self::default()
        }
    }
}

/// The verb.
pub fn run(args: &Args) -> Result<()> {
    if !process::is_root() {
        bail!(
            "the benchmark makes network namespaces and loads eBPF programs, which only root may: \
             run it as root, for example with\n    sudo env \"PATH=$PATH\" cargo xtask bench"
        );
    }
    setup::ensure(&[Scope::Bench])?;
    eprintln!("building ftp-nat and the benchmark");
    let ftp_nat = demo::build("ftp-nat", "ftp-nat")?;
    let mut command = Command::new(demo::build("ftp-nat-tests", "bench")?);
    command
        .env("FTP_NAT_BIN", ftp_nat)
        .env("PATH", process::path_with(&workspace::peers().join("bin"))?);
    if args.quick {
        command.arg("--quick");
    }
    for name in &args.only {
        command.arg("--only").arg(name);
    }
    if let Some(pairs) = args.pairs {
        command.arg("--pairs").arg(pairs.to_string());
    }
    if let Some(packets) = &args.packets {
        command.arg("--packets").arg(packets);
    }
    if let Some(file) = &args.json {
        command.arg("--json").arg(file);
    }
    process::run(&mut command)
}
