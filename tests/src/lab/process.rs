//! Programs: run to their end with a deadline, or kept running and killed on drop.

use std::{
    fs::{self, File},
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use super::{cleanup, wait};

/// How long a program may take to be ready. The kernel works for seconds on the
/// check of the helper's programs, and others may want the processors too.
const STARTING: Duration = Duration::from_secs(60);

/// Runs a short command to its end and gives its standard output.
pub fn checked(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let out = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| not_started(command, e))
        .with_context(|| format!("`{shown}`"))?;
    if !out.status.success() {
        bail!(
            "`{shown}` failed ({}): {}",
            out.status,
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn not_started(command: &Command, error: io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    if error.kind() == io::ErrorKind::NotFound {
        anyhow::anyhow!("{program} is not installed: run `cargo xtask setup --tests`")
    } else {
        anyhow::Error::new(error).context(format!("cannot start {program}"))
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|w| w.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A running program. Its output goes to a file of the lab; it is killed, with
/// all of its process group, when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a program ended, and what it said.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// This, if the program succeeded; else an error with what it said.
    pub fn success(self, what: &str) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        let how = match self.status.signal() {
            Some(signal) => format!("killed by signal {signal}"),
            None => self.status.to_string(),
        };
        bail!(
            "{what} failed ({how})\n{}\n{}",
            self.stderr.trim(),
            self.text().trim()
        )
    }

    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Process {
    /// Starts `command` with its output in files of `dir`.
    pub fn spawn(mut command: Command, name: &str, dir: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let (stdout, stderr) = (
            dir.join(format!("{n}-{name}.out")),
            dir.join(format!("{n}-{name}.err")),
        );
        command
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            // A group of its own: Ctrl-C reaches the lab alone, which then ends
            // its programs in order.
            .process_group(0);
        let _making = cleanup::making();
        let child = command.spawn().map_err(|e| not_started(&command, e))?;
        Ok(Self {
            child,
            name: name.to_owned(),
            stdout,
            stderr,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// All it has said so far, standard output first.
    pub fn log(&self) -> String {
        let read = |p| String::from_utf8_lossy(&fs::read(p).unwrap_or_default()).into_owned();
        read(&self.stdout) + &read(&self.stderr)
    }

    /// Its last words, for an error.
    fn last_words(&self) -> String {
        match self.log().trim() {
            "" => format!("{} said nothing", self.name),
            log => format!("{} said:\n{log}", self.name),
        }
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for `condition`; that the program ends first is an error with its log.
    pub fn until_ready(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&str) -> Result<bool>,
    ) -> Result<()> {
        let what = format!("{}: {what}", self.name);
        wait::until_true(&what, STARTING, || {
            if condition(&self.log())? {
                return Ok(true);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended early ({status})");
            }
            Ok(false)
        })
        .with_context(|| self.last_words())
    }

    /// Waits for a whole line of its output that begins with `start`.
    pub fn until_line(&mut self, start: &str) -> Result<()> {
        self.until_ready(&format!("a line `{start}...`"), |log| {
            Ok(log
                .split_inclusive('\n')
                .any(|l| l.starts_with(start) && l.ends_with('\n')))
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Kills it without warning (SIGKILL) and waits for its end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for its end, killing it after `limit`.
    pub fn finish(mut self, limit: Duration) -> Result<Finished> {
        let name = self.name.clone();
        let ended = wait::until(&format!("the end of {name}"), limit, || {
            Ok(self.child.try_wait()?)
        });
        let status = ended.with_context(|| self.last_words())?;
        Ok(Finished {
            status,
            stdout: fs::read(&self.stdout)?,
            stderr: String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only while the leader isn't reaped is the group surely still ours.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
