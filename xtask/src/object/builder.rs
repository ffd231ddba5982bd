//! Who builds the object: a compiler, a linker, LLVM's tools.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process,
    setup::{self, Scope},
    workspace,
};

/// Debian's compiler. rustup's comes first in PATH and has no `core` for bpfel.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Which compiler, and how cargo is called with it.
pub enum Compiler {
    /// Debian's, with a prebuilt `core` for the target.
    Debian,
    /// A rustup nightly, which builds `core` from rust-src.
    Rustup {
        /// The toolchain's name.
        name: String,
        /// Where its rust-src lies, to be kept out of the object.
        library: PathBuf,
    },
}

/// A builder that is there and complete.
pub struct Builder {
    /// The compiler.
    pub compiler: Compiler,
    /// bpf-linker of our version.
    pub linker: PathBuf,
    /// What it is made of, for the provenance.
    pub versions: Versions,
}

/// All that can make a difference in the object besides its sources.
#[derive(Clone, PartialEq, Eq)]
pub struct Versions {
    /// `rustc --version`.
    pub rustc: String,
    /// `bpf-linker --version`, the number.
    pub linker: String,
    /// The LLVM under bpf-linker and of `llvm-objcopy`.
    pub llvm: String,
}

impl Versions {
    /// "`rustc A`, here it is `B`" for each part that differs.
    pub fn differences(&self, here: &Self) -> Vec<String> {
        [
            ("", &self.rustc, &here.rustc),
            ("bpf-linker ", &self.linker, &here.linker),
            ("LLVM ", &self.llvm, &here.llvm),
        ]
        .into_iter()
        .filter(|(_, committed, here)| committed != here)
        .map(|(name, committed, here)| format!("{name}{committed}, here it is {name}{here}"))
        .collect()
    }
}

impl Builder {
    /// Installs what is missing and asks everyone for their version.
    pub fn prepare(toolchain: Option<&str>) -> Result<Self> {
        let (compiler, rustc) = if let Some(name) = toolchain {
            setup::ensure(&[Scope::ObjectTools])?;
            rustup(name)?
        } else {
            setup::ensure(&[Scope::Compiler, Scope::ObjectTools])?;
            let version = process::output(Command::new(DEBIAN_RUSTC).arg("--version"))?;
            (Compiler::Debian, version)
        };
        let linker = setup::bpf_linker()?;
        let versions = Versions {
            rustc: rustc.trim().to_owned(),
            linker: last_word(&process::output(Command::new(&linker).arg("--version"))?),
            llvm: llvm_version()?,
        };
        Ok(Self {
            compiler,
            linker,
            versions,
        })
    }

    /// A cargo that uses the compiler.
    pub fn cargo(&self) -> Command {
        match &self.compiler {
            Compiler::Debian => {
                let mut command = Command::new(workspace::cargo());
                // The target is unstable: only the crates that use unstable features may.
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "aya_ebpf,ftp_nat_ebpf");
                command
            }
            Compiler::Rustup { name, .. } => {
                let mut command = Command::new("rustup");
                command.args(["run", name, "cargo"]).env_remove("RUSTC");
                command
            }
        }
    }
}

fn rustup(name: &str) -> Result<(Compiler, String)> {
    let rustc = |argument: &[&str]| {
        process::output(
            Command::new("rustup")
                .args(["run", name, "rustc"])
                .args(argument),
        )
        .with_context(|| format!("can't use the rustup toolchain {name}"))
    };
    let version = rustc(&["--version"])?;
    if !version.contains("nightly") && !version.contains("-dev") {
        bail!(
            "{name} is {}: building core needs a nightly",
            version.trim()
        );
    }
    let sysroot = rustc(&["--print", "sysroot"])?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    if !library.join("library/core/Cargo.toml").exists() {
        bail!(
            "the toolchain {name} has no rust-src: run\n    rustup component add rust-src --toolchain {name}"
        );
    }
    let compiler = Compiler::Rustup {
        name: name.to_owned(),
        library,
    };
    Ok((compiler, version))
}

fn llvm_version() -> Result<String> {
    process::output(Command::new("llvm-objcopy-22").arg("--version"))?
        .lines()
        .find(|line| line.contains("LLVM version"))
        .map(last_word)
        .context("llvm-objcopy-22 names no LLVM version")
}

fn last_word(text: &str) -> String {
    text.split_whitespace()
        .last()
        .unwrap_or_default()
        .to_owned()
}
