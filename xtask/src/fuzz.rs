//! `cargo xtask fuzz`: coverage-guided fuzzing of the control-stream engine.
//!
//! The coverage comes from flags that stable Rust has, and libFuzzer is built
//! with the targets, so neither a nightly nor cargo-fuzz is needed. There is no
//! sanitizer: the engine forbids `unsafe`, and its overflows are checked.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process,
    setup::{self, Scope},
    workspace,
};

/// How long the part `fuzz` of the tests runs each target.
pub const SMOKE_SECONDS: u32 = 15;

/// What libFuzzer is guided by: counters on edges, and the operands of comparisons.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// A fuzz target.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// The line parser alone, against the reference
    Line,
    /// Any segments and acknowledgements through the engine
    Stream,
    /// Whole connections on a schedule that the fuzzer chooses
    Model,
}

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// Only this target
    #[arg(value_enum)]
    target: Option<Target>,
    /// How long to run each target
    #[arg(long, default_value_t = SMOKE_SECONDS, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run the target once on this file, telling each step, instead of fuzzing
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
}

/// The verb.
pub fn run(args: &Args) -> Result<()> {
    prepare()?;
    let targets = args.target.map_or(Target::ALL.to_vec(), |one| vec![one]);
    if let (Some(file), [target]) = (&args.replay, &targets[..]) {
        return target.replay(file);
    }
    targets.iter().try_for_each(|t| t.fuzz(args.seconds))
}

/// Builds all targets.
pub fn prepare() -> Result<()> {
    setup::ensure(&[Scope::Fuzz])?;
    process::run(&mut cargo("build"))
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Line, Self::Stream, Self::Model];

    /// As on the command line, and as its folders are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Stream => "stream",
            Self::Model => "model",
        }
    }

    /// The longest input worth trying: beyond it, it only gets slower.
    fn longest(self) -> usize {
        match self {
            Self::Line => 600,
            Self::Stream => 1_000,
            Self::Model => 4_000,
        }
    }

    /// Runs the target for a while; what it finds is an error.
    pub fn fuzz(self, seconds: u32) -> Result<()> {
        let name = self.name();
        let fuzz = workspace::root().join("fuzz");
        let [corpus, artifacts] = ["corpus", "artifacts"].map(|kind| fuzz.join(kind).join(name));
        for folder in [&corpus, &artifacts] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("can't make the folder {}", folder.display()))?;
        }
        let prefix = format!("-artifact_prefix={}/", artifacts.display());
        let dictionary = format!("-dict={}", fuzz.join("dictionary.txt").display());
        let mut command = self.command();
        command
            .arg(&corpus)
            .arg(fuzz.join("seeds").join(name))
            .args([&prefix, &dictionary])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={}", self.longest()))
            .args(["-print_final_stats=1", "-print_funcs=0", "-timeout=20"]);
        println!("fuzz {name}: {seconds} seconds");
        let told = follow(&mut command)?;
        match told {
            Told {
                found: Some(file), ..
            } => bail!(
                "the target {name} found something; to see it again, step by step:\n    \
                 cargo xtask fuzz {name} --replay {}",
                file.strip_prefix(workspace::root())
                    .unwrap_or(&file)
                    .display()
            ),
            Told { runs: 0, .. } => bail!("the target {name} ended without a single run"),
            Told { runs, coverage, .. } => {
                println!("fuzz {name}: {runs} runs, {coverage} edges, nothing found")
            }
        }
        Ok(())
    }

    fn replay(self, file: &Path) -> Result<()> {
        // Cargo and the target run in the caller's folder, so the name stays right.
        process::run(
            self.command()
                .env("FTP_NAT_TRACE", "1")
                .env("RUST_BACKTRACE", "0")
                .arg(file),
        )
    }

    fn command(self) -> Command {
        let mut command = cargo("run");
        command.args(["--bin", self.name(), "--"]);
        command
    }
}

/// What libFuzzer told.
#[derive(Default)]
struct Told {
    /// The input that it found something with.
    found: Option<PathBuf>,
    runs: u64,
    coverage: u64,
}

impl Told {
    /// Understands a line; `true` if it is one that a person wants to see.
    fn read_line(&mut self, line: &str) -> bool {
        if let Some((_, file)) = line.split_once("Test unit written to ") {
            self.found = Some(file.into());
        } else if let Some(runs) = line.strip_prefix("stat::number_of_executed_units:") {
            self.runs = runs.trim().parse().unwrap_or(0);
        } else if let Some((_, rest)) = line.split_once(" cov: ") {
            let number = rest.split(' ').next().unwrap_or_default();
            self.coverage = number.parse().unwrap_or(self.coverage);
        }
        // Words of its own trade: progress, advice, what isn't linked in.
        let noise = [
            "#",
            "INFO: ",
            "WARNING: ",
            "stat::",
            "\"",
            "Dictionary: ",
            "Done ",
        ];
        !line.is_empty() && !noise.iter().any(|start| line.starts_with(start))
    }
}

/// Runs a target to its end, showing what matters of what it says.
fn follow(command: &mut Command) -> Result<Told> {
    let mut child = command
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::piped())
        .spawn()
        .context("can't start cargo")?;
    let output = child.stderr.take().context("cargo has no output")?;
    let mut told = Told::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("can't read what the target says")?;
        let line = String::from_utf8_lossy(&line);
        if told.read_line(line.trim_end()) {
            eprintln!("{line}");
        }
    }
    let status = child.wait().context("can't wait for the target")?;
    if !status.success() && told.found.is_none() {
        bail!("the target ended early: {status}");
    }
    Ok(told)
}

/// A cargo on the fuzz crate. With a target named, even if it is the host's
/// own, the flags are not for build scripts.
fn cargo(verb: &str) -> Command {
    let mut command = Command::new(workspace::cargo());
    command
        .args([
            verb,
            "--quiet",
            "--release",
            "--locked",
            "--target",
            "host-tuple",
        ])
        .arg("--manifest-path")
        .arg(workspace::root().join("fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(workspace::cache().join("fuzz"))
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"))
        .env_remove(OsStr::new("RUSTFLAGS"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_tells_is_understood() {
        let mut told = Told::default();
        let shown: Vec<&str> = [
            "INFO: Seed: 1",
            "#2\tINITED cov: 31 ft: 32 corp: 1/1b exec/s: 0 rss: 27Mb",
            "thread '<unnamed>' panicked at src/line.rs:1:1:",
            "artifact_prefix='x/'; Test unit written to x/crash-1",
            "stat::number_of_executed_units: 4711",
        ]
        .into_iter()
        .filter(|line| told.read_line(line))
        .collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert_eq!(told.found, Some("x/crash-1".into()));
        assert_eq!((told.runs, told.coverage), (4711, 31));
    }
}
