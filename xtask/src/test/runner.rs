//! Runs checks and test suites, showing what they say as they say it.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    process::{Command, Stdio},
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
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("can't start cargo test")?;
    let mut output = child.stdout.take().context("cargo test has no output")?;
    let mut tally = Tally::default();
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("can't read what cargo test says"),
        };
        let chunk = &buffer[..count];
        // By chunk, not by line: a test's name is to be seen while it still runs.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(chunk)?;
        stdout.flush()?;
        for &byte in chunk {
            if byte == b'\n' {
                tally.read_line(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
    }
    let status = child.wait().context("can't wait for cargo test")?;
    if !status.success() && tally.failed == 0 {
        // It didn't compile, or a test binary crashed without a word.
        tally.fail(format!("cargo test itself: {status}"));
    }
    Ok(tally)
}
