//! The parts of the test run, and how each is run.

use std::{fmt, process::Command};

use anyhow::{Result, bail};

use super::{
    runner::{self, check},
    tally::Tally,
};
use crate::{
    bench, demo, dist, fuzz, object, process,
    setup::{self, Scope},
    vm, workspace,
};

/// A part, in the order of a whole run: what fails fast comes first.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Formatting, clippy and rustdoc, warnings denied
    Lint,
    /// Unit and property tests on the host; no privilege needed
    Unit,
    /// A short run of every fuzz target
    Fuzz,
    /// The committed eBPF object is what its source gives
    Object,
    /// Single packets through the committed object (needs root)
    Packet,
    /// Real FTP clients and servers in network namespaces (needs root)
    Lab,
    /// A smoke run of the benchmark (needs root)
    Bench,
    /// The Debian package: installed, run, upgraded and purged in a chroot (needs root)
    Dist,
    /// The oldest supported kernel, in a virtual machine
    Vm,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Part {
    /// A whole run.
    pub const ALL: [Self; 9] = [
        Self::Lint,
        Self::Unit,
        Self::Fuzz,
        Self::Object,
        Self::Packet,
        Self::Lab,
        Self::Bench,
        Self::Dist,
        Self::Vm,
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Fuzz => "fuzz",
            Self::Object => "object",
            Self::Packet => "packet",
            Self::Lab => "lab",
            Self::Bench => "bench",
            Self::Dist => "dist",
            Self::Vm => "vm",
        }
    }

    /// For the headline.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Lint => "formatting, clippy and rustdoc",
            Self::Unit => "unit and property tests on the host",
            Self::Fuzz => "a short run of every fuzz target",
            Self::Object => "the committed object against its source",
            Self::Packet => "packets through the committed object",
            Self::Lab => "real clients and servers in network namespaces",
            Self::Bench => "a smoke run of the benchmark",
            Self::Dist => "the Debian package, in a chroot",
            Self::Vm => "the oldest supported kernel, in a virtual machine",
        }
    }

    /// Runs it. What keeps it from running at all is a failure of its own.
    pub fn run(self, rest: &[String]) -> Tally {
        let outcome = match self {
            Self::Lint => lint(),
            Self::Unit => runner::suite(cargo_test(&[], rest)),
            Self::Fuzz => fuzz(),
            Self::Object => Ok(check("object --check", || {
                object::run(&object::Args::check())
            })),
            Self::Packet => privileged("packet", rest),
            Self::Lab => setup::ensure(&[Scope::Lab]).and_then(|()| lab(rest)),
            Self::Bench => Ok(check("bench --quick", || bench::run(&bench::Args::smoke()))),
            Self::Dist => dist::tests(rest),
            Self::Vm => vm::tests(rest),
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            let mut tally = Tally::default();
            tally.fail(format!("{error:#}"));
            tally
        })
    }
}

fn lint() -> Result<Tally> {
    setup::ensure(&[Scope::Lint])?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(workspace::cargo());
        command.args(arguments).current_dir(workspace::root());
        command
    };
    let mut tally = check("fmt", || {
        process::run(&mut cargo(&["fmt", "--all", "--check"]))
    });
    tally.add(&check("fmt ftp-nat-ebpf", || {
        process::run(cargo(&["fmt", "--check"]).current_dir(workspace::ebpf_crate()))
    }));
    tally.add(&check("fmt fuzz", || {
        process::run(cargo(&["fmt", "--check"]).current_dir(workspace::root().join("fuzz")))
    }));
    tally.add(&check("clippy", || {
        process::run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "--deny=warnings",
        ]))
    }));
    // A link of a comment that leads nowhere, above all.
    tally.add(&check("doc", || {
        process::run(
            cargo(&["doc", "--workspace", "--no-deps", "--locked"])
                .arg("--document-private-items")
                .env("RUSTDOCFLAGS", "--deny=warnings"),
        )
    }));
    Ok(tally)
}

/// One check for each target.
fn fuzz() -> Result<Tally> {
    fuzz::prepare()?;
    let mut tally = Tally::default();
    for target in fuzz::Target::ALL {
        tally.add(&check(&format!("fuzz {}", target.name()), || {
            target.fuzz(fuzz::SMOKE_SECONDS)
        }));
    }
    Ok(tally)
}

/// Tests of the lab that may fail in a run and pass when they are run alone, of
/// some hundreds. Real programs and real TCP meet there, with their timers, their
/// draws of ports and whatever else the machine does. More than these are no chance.
const LAB_SECOND_TRIES: usize = 2;

fn lab(rest: &[String]) -> Result<Tally> {
    let mut tally = privileged("lab", rest)?;
    if !super::is_interrupted() {
        tally.try_again(LAB_SECOND_TRIES, |name| {
            privileged("lab", &["--exact".to_owned(), name.to_owned()])
        });
    }
    Ok(tally)
}

/// A test target that a plain `cargo test` leaves out, since it needs root.
fn privileged(target: &str, rest: &[String]) -> Result<Tally> {
    if !process::is_root() {
        bail!(
            "this part makes network namespaces and loads eBPF programs, which only root may: \
             run it as root, for example with `sudo env \"PATH=$PATH\" cargo xtask test {target}`"
        );
    }
    let ftp_nat = demo::build("ftp-nat", "ftp-nat")?;
    let mut command = cargo_test(
        &["--features", "ftp-nat-tests/root", "--test", target],
        rest,
    );
    command
        .env("FTP_NAT_BIN", ftp_nat)
        .env("PATH", process::path_with(&workspace::peers().join("bin"))?);
    // More labs at once than this and their timers say more about the machine than about us.
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", "2");
    }
    runner::suite(command)
}

/// Always of the whole workspace, so that all parts share what is built.
fn cargo_test(arguments: &[&str], rest: &[String]) -> Command {
    let mut command = Command::new(workspace::cargo());
    command
        .args(["test", "--workspace", "--no-fail-fast", "--locked"])
        .args(arguments)
        .arg("--")
        .args(rest)
        .current_dir(workspace::root());
    command
}
