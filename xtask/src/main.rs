//! The project's chores, one file per verb. `cargo xtask --help` lists them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod demo;
mod dist;
#[cfg(test)]
mod documents;
mod fuzz;
mod object;
mod process;
mod screens;
mod setup;
mod test;
mod vm;
mod workspace;

#[derive(Parser)]
#[command(
    name = "cargo-xtask",
    bin_name = "cargo xtask",
    about = "The chores of ftp-nat",
    version
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what is missing on this machine (Debian)
    Setup(setup::Args),
    /// Rebuild the committed eBPF object, or check that it is what its source gives
    Object(object::Args),
    /// Run all tests, or one part of them
    Test(test::Args),
    /// Run the tests of the oldest supported kernel, in a virtual machine
    Vm(vm::Args),
    /// Fuzz the control-stream engine, guided by coverage
    Fuzz(fuzz::Args),
    /// Measure ftp-nat beside the kernel's own FTP helper, in network namespaces
    Bench(bench::Args),
    /// Make what is given to others: a Debian package, an archive, checksums
    Dist(dist::Args),
    /// Show FTP through a NAT gateway without and with ftp-nat, in network namespaces
    Demo(demo::Args),
    /// Make docs/screens.md anew, of real runs (needs root)
    Screens,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Object(args) => object::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Test(args) => test::run(&args),
        Verb::Vm(args) => vm::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Dist(args) => dist::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Demo(args) => demo::run(&args).map(|never| match never {}),
        Verb::Screens => screens::run().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
