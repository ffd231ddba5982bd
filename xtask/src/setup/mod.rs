//! `cargo xtask setup`: installs what is missing on a Debian machine. The other
//! verbs call it for what they need themselves, so a person seldom has to.
//!
//! It looks before it acts: where all is there, it costs a few look-ups of files.

mod apt;
mod kernel;
mod linker;
mod needs;
mod unpack;

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

pub use self::kernel::Kernel;
use self::needs::Need;
use crate::{
    process::{self, find_program},
    workspace,
};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// Also what the tests need: real FTP servers and clients, network tools
    #[arg(long)]
    tests: bool,
}

/// What the machine is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Formatting and linting.
    Lint,
    /// Debian's compiler for the eBPF object.
    Compiler,
    /// A C++ compiler, for libFuzzer.
    Fuzz,
    /// Making the Debian package, and trying it.
    Dist,
    /// What the object needs besides a compiler.
    ObjectTools,
    /// The demo: a server, clients and network tools; no eBPF toolchain.
    Demo,
    /// The benchmark: network tools.
    Bench,
    /// The tests in namespaces: all servers, all clients.
    Lab,
    /// The tests in a virtual machine, beyond [`Scope::Lab`].
    Machine,
}

/// The verb.
pub fn run(args: &Args) -> Result<()> {
    let mut scopes = vec![Scope::Compiler, Scope::ObjectTools];
    if args.tests {
        scopes.extend([
            Scope::Lint,
            Scope::Fuzz,
            Scope::Lab,
            Scope::Dist,
            Scope::Machine,
        ]);
    }
    ensure(&scopes)?;
    eprintln!("set-up: all that is needed is there");
    Ok(())
}

/// Installs what the scopes need and is missing: all packages in one go, so that
/// whoever has to install them by hand sees the whole list.
pub fn ensure(scopes: &[Scope]) -> Result<()> {
    apt::install(scopes.iter().flat_map(|scope| scope.packages()))?;
    scopes.iter().try_for_each(|scope| match scope {
        Scope::Compiler | Scope::Fuzz | Scope::Bench | Scope::Dist => Ok(()),
        Scope::Lint => ensure_components(),
        Scope::ObjectTools => linker::ensure(),
        Scope::Demo => unpack::ensure(&workspace::peers(), &needs::PEERS[..1]),
        Scope::Lab => unpack::ensure(&workspace::peers(), needs::PEERS),
        Scope::Machine => {
            unpack::ensure(&workspace::machine(), needs::MACHINE)?;
            kernel::ensure(&workspace::machine())
        }
    })
}

impl Scope {
    fn packages(self) -> Vec<&'static Need> {
        let lists: &[&'static [Need]] = match self {
            Self::Lint | Self::Machine => &[],
            Self::Compiler => &[needs::COMPILER],
            Self::Fuzz => &[needs::FUZZ],
            Self::Dist => &[needs::DIST, needs::NETWORK],
            Self::ObjectTools if linker::find().is_some() => &[needs::LLVM],
            Self::ObjectTools => &[needs::LLVM, needs::LINKER_BUILD],
            Self::Bench => &[needs::NETWORK],
            Self::Demo => &[needs::DEMO, needs::NETWORK],
            Self::Lab => &[needs::DEMO, needs::NETWORK, needs::LAB],
        };
        lists.iter().copied().flatten().collect()
    }
}

/// The bpf-linker that [`Scope::ObjectTools`] has ensured.
pub fn bpf_linker() -> Result<PathBuf> {
    linker::find().with_context(|| {
        format!(
            "bpf-linker {} is missing: run `cargo xtask setup`",
            linker::VERSION
        )
    })
}

/// The kernel that [`Scope::Machine`] has ensured.
pub fn kernel() -> Result<Kernel> {
    kernel::find(&workspace::machine())
}

/// rustfmt and clippy come with rustup's default profile, but not with its minimal one.
fn ensure_components() -> Result<()> {
    let cargo = workspace::cargo();
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(verb, _)| {
            process::output(Command::new(&cargo).args([verb, "--version"])).is_err()
        })
        .map(|(_, component)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Some(rustup) = find_program("rustup") else {
        bail!(
            "{} missing, and there is no rustup to add them with: install them the way cargo was installed",
            missing.join(" and ")
        );
    };
    process::run(
        Command::new(rustup)
            .args(["component", "add"])
            .args(missing),
    )
}
