//! A lab leaves nothing behind, whatever its end is.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use ftp_nat_tests::lab::{
    Lab,
    cleanup::{BPFFS, NETNS_DIR, folder},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Names of what is left of a lab.
fn rest_of(lab: &str) -> Vec<String> {
    let mut rest = Vec::new();
    for entry in fs::read_dir(NETNS_DIR).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(lab) {
            rest.push(name);
        }
    }
    for path in [folder(lab), Path::new(BPFFS).join(lab)] {
        if path.exists() {
            rest.push(path.display().to_string());
        }
    }
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(lab) {
            rest.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    rest
}

#[test]
fn after_a_drop() -> Result<()> {
    let lab = Lab::masquerade()?;
    let name = lab.net().name().to_owned();
    let server = lab.server.vsftpd().start()?;
    ensure!(!rest_of(&name).is_empty(), "the look-out sees nothing");
    // The server outlives its lab here, and must not survive it.
    drop(lab);
    ensure!(rest_of(&name).is_empty(), "left: {:?}", rest_of(&name));
    drop(server);
    Ok(())
}

#[test]
fn after_a_panic() -> Result<()> {
    let mut name = String::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::dnat().unwrap();
        lab.net().name().clone_into(&mut name);
        let _server = lab.server.pyftpdlib().start().unwrap();
        panic!("on purpose");
    }));
    ensure!(panicked.is_err() && !name.is_empty());
    ensure!(rest_of(&name).is_empty(), "left: {:?}", rest_of(&name));
    Ok(())
}

/// The demo in a process of its own.
struct Demo {
    child: Child,
    said: BufReader<ChildStdout>,
    /// The labs it made so far.
    labs: Vec<String>,
}

impl Demo {
    fn start(args: &[&str]) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(args)
            // What `--keep` opens.
            .env("SHELL", "/bin/true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the demo")?;
        let said = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self {
            child,
            said,
            labs: Vec::new(),
        })
    }

    /// Reads on until a line begins with `start`, or to the end.
    fn until(&mut self, start: &str) -> Result<bool> {
        let mut line = String::new();
        while self.said.read_line(&mut line)? > 0 {
            if let Some(lab) = line.strip_prefix("lab: ") {
                self.labs.push(lab.trim().to_owned());
            }
            if line.starts_with(start) {
                return Ok(true);
            }
            line.clear();
        }
        Ok(false)
    }

    /// That it goes on until it says a line, and has a lab then.
    fn reach(mut self, start: &str) -> Result<Self> {
        if !self.until(start)? {
            let output = self.child.wait_with_output()?;
            bail!(
                "the demo ended early: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        ensure!(!self.left().is_empty(), "the demo has no lab");
        Ok(self)
    }

    fn end_by(&mut self, signal: Signal) -> Result<ExitStatus> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), signal)?;
        self.until("nothing")?;
        Ok(self.child.wait()?)
    }

    fn left(&self) -> Vec<String> {
        self.labs.iter().flat_map(|lab| rest_of(lab)).collect()
    }

    fn left_nothing(&self) -> Result<()> {
        ensure!(self.left().is_empty(), "left: {:?}", self.left());
        Ok(())
    }
}

#[test]
fn after_ctrl_c() -> Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut demo = Demo::start(&["--hold"])?.reach("Ctrl-C")?;
        let status = demo.end_by(signal)?;
        ensure!(
            status.code() == Some(128 + signal as i32),
            "it ended with {status}"
        );
        demo.left_nothing()?;
    }
    Ok(())
}

/// Nothing can be done at a SIGKILL; but the next process that makes a lab
/// removes what it finds abandoned.
#[test]
fn after_a_kill() -> Result<()> {
    let mut killed = Demo::start(&["--hold"])?.reach("Ctrl-C")?;
    killed.end_by(Signal::SIGKILL)?;
    ensure!(!killed.left().is_empty(), "the kernel cleans up by itself");
    let mut next = Demo::start(&["--hold"])?.reach("Ctrl-C")?;
    killed.left_nothing()?;
    next.end_by(Signal::SIGTERM)?;
    next.left_nothing()
}

#[test]
fn after_a_demo_that_fails() -> Result<()> {
    let mut demo = Demo::start(&["--ftp-nat", "/bin/false"])?.reach("2. ")?;
    demo.until("nothing")?;
    let status = demo.child.wait()?;
    ensure!(status.code() == Some(1), "it ended with {status}");
    demo.left_nothing()
}

#[test]
fn after_a_demo_that_is_kept_and_left() -> Result<()> {
    let mut demo = Demo::start(&["--ftp-nat", "/bin/false", "--keep"])?.reach("2. ")?;
    ensure!(demo.until("This is the gateway.")?, "no shell was opened");
    demo.until("nothing")?;
    demo.child.wait()?;
    demo.left_nothing()
}

#[test]
fn after_a_demo() -> Result<()> {
    let mut demo = Demo::start(&[])?.reach("4. ")?;
    demo.until("nothing")?;
    ensure!(demo.labs.len() == 2, "it made {:?}", demo.labs);
    let output = demo.child.wait_with_output()?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it failed: {problem}");
    for lab in &demo.labs {
        ensure!(rest_of(lab).is_empty(), "left: {:?}", rest_of(lab));
    }
    Ok(())
}

#[test]
fn after_a_demo_that_is_interrupted() -> Result<()> {
    for act in ["2. ", "3. ", "4. "] {
        let mut demo = Demo::start(&[])?.reach(act)?;
        let status = demo.end_by(Signal::SIGINT)?;
        ensure!(status.code() == Some(130), "it ended with {status}");
        demo.left_nothing()?;
    }
    Ok(())
}
