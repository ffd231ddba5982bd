//! Runs checks and test suites, showing what they say as they say it.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};

use super::tally::Tally;

/// Something that either holds or doesn't: one test of its own.
pub fn check(name: &str, body: impl FnOnce() -> Result<()>) -> Tally {
    let mut tally = Tally::default();
    match body() {
        Ok(()) => {
            println!("check {name} ... ok");
            tally.passed = 1;
        }
        Err(error) => {
            println!("check {name} ... FAILED\n{error:#}");
            tally.fail(name.to_owned());
        }
    }
    tally
}

/// A `cargo test`: its output is passed on unchanged, and counted.
pub fn suite(mut command: Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = watch(&mut command, |line| tally.read_line(line))?;
    if !status.success() && tally.failed == 0 {
        // It didn't compile, or a test binary crashed without a word.
        tally.fail(format!("cargo test itself: {status}"));
    }
    Ok(tally)
}

/// A virtual machine whose output is that of a test runner: passed on, counted,
/// and with what follows `ended` on a line.
pub fn guest(mut command: Command, ended: &str) -> Result<(Tally, Option<String>)> {
    let mut tally = Tally::default();
    let mut end = None;
    let status = watch(&mut command, |line| match line.strip_prefix(ended) {
        Some(rest) => end = Some(rest.to_owned()),
        None => tally.read_line(line),
    })?;
    if !status.success() {
        tally.fail(format!("the virtual machine itself: {status}"));
    }
    Ok((tally, end))
}

/// Runs a command to its end, showing what it says and giving each line.
fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {name}"))?;
    let mut output = child.stdout.take().context("a command without output")?;
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("can't read what {name} says"));
            }
        };
        let chunk = &buffer[..count];
        // By chunk, not by line: a test's name is to be seen while it still runs.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(chunk)?;
        stdout.flush()?;
        for &byte in chunk {
            if byte == b'\n' {
                each(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
    }
    child
        .wait()
        .with_context(|| format!("can't wait for {name}"))
}
