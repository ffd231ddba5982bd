//! `cargo xtask vm`: tests on the oldest kernel that is supported, in a virtual
//! machine, with the devices that a test machine's own kernel may lack.
//!
//! The machine sees the host's files, read-only, so that the tests and all the
//! programs that they use are there; what it writes is in its memory.

mod image;
mod machine;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use crate::{
    demo, process,
    setup::{self, Scope},
    test::{Part, Tally, runner},
    workspace,
};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Args {
    /// Run this shell command in the machine instead of the tests
    #[arg(long, conflicts_with = "rest")]
    run: Option<String>,
    /// For the test runner: a part of a test's name, `--nocapture`, ...
    #[arg(last = true)]
    rest: Vec<String>,
}

/// The verb.
pub fn run(args: &Args) -> Result<ExitCode> {
    let Some(line) = &args.run else {
        return crate::test::run(&crate::test::Args::only(Part::Vm, &args.rest));
    };
    prepare()?;
    let tally = boot(&format!("sh -c {}", quoted(line)))?;
    tally.failures.iter().for_each(|what| eprintln!("{what}"));
    Ok(match tally.failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Runs the tests of the virtual machine.
pub fn tests(rest: &[String]) -> Result<Tally> {
    prepare()?;
    let program = test_program()?;
    // A serial port is a terminal to it, and colours are nothing to count by.
    let plain = [program.display().to_string(), "--color=never".to_owned()];
    let words = plain.iter().chain(rest);
    let line: Vec<_> = words.map(|word| quoted(word)).collect();
    boot(&line.join(" "))
}

fn prepare() -> Result<()> {
    setup::ensure(&[Scope::Lab, Scope::Machine])
}

/// Builds the test target that runs in the machine; cargo says where it put it.
fn test_program() -> Result<PathBuf> {
    let messages = process::output(
        Command::new(workspace::cargo())
            .args(["test", "--no-run", "--workspace", "--locked"])
            .args(["--message-format=json-render-diagnostics"])
            .args(["--features", "ftp-nat-tests/guest", "--test", "guest"])
            .current_dir(workspace::root())
            .stderr(std::process::Stdio::inherit()),
    )?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "guest")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built the tests, but names no binary guest")
}

/// What the machine says when its job is done, before the exit status.
const ENDED: &str = "vm: the job ended with status ";

/// Boots the machine, runs a shell command in it, and waits for its end.
fn boot(line: &str) -> Result<Tally> {
    let ftp_nat = demo::build("ftp-nat", "ftp-nat")?;
    let kernel = setup::kernel()?;
    let image = image::make(&kernel, &job(&kernel.modules, &ftp_nat, line)?)?;
    let (mut tally, status) = runner::guest(machine::command(&kernel, &image), ENDED)?;
    // A test runner that counted failures has said enough.
    if tally.failed == 0 && status.as_deref() != Some("0") {
        tally.fail(match status {
            Some(status) => format!("the job in the virtual machine ended with status {status}"),
            None => format!("the virtual machine ended early\n{}", last_words()),
        });
    }
    Ok(tally)
}

/// The shell script that the machine ends up in.
fn job(modules: &Path, ftp_nat: &Path, line: &str) -> Result<String> {
    let machine = workspace::machine();
    let path = process::path_with(&workspace::peers().join("bin"))?;
    Ok(format!(
        "exec </dev/null >/dev/ttyS1 2>&1
export HOME=/root PATH={bin}:{path}
export FTP_NAT_BIN={ftp_nat} RUST_TEST_THREADS=1 RUST_BACKTRACE=0
# Everything takes longer here.
export FTP_NAT_PATIENCE=10
busybox stty -F /dev/ttyS1 raw
mkdir -p /lib/modules
mount --bind {modules} /lib/modules
# What the kernel calls for a module that is missing.
ln -s {busybox} /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
# Its device is only there once it is loaded.
busybox modprobe ppp_async
ip link set lo up
cd {root}
{line}
echo {ENDED}$?
busybox poweroff -f
",
        bin = quoted(&machine.join("bin").display().to_string()),
        path = quoted(&path.to_string_lossy()),
        ftp_nat = quoted(&ftp_nat.display().to_string()),
        modules = quoted(&modules.parent().unwrap_or(modules).display().to_string()),
        busybox = quoted(&machine.join("busybox/bin/busybox").display().to_string()),
        root = quoted(&workspace::root().display().to_string()),
    ))
}

/// A word for the shell, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The end of what the kernel said.
fn last_words() -> String {
    let path = machine::kernel_log();
    let log = fs::read(&path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_for_the_shell() {
        for word in ["a b", "it's", "$HOME `x` \"y\" \\", ""] {
            let line = format!("printf %s {}", quoted(word));
            let said = process::output(Command::new("sh").args(["-c", &line])).unwrap();
            assert_eq!(said, word);
        }
    }
}
