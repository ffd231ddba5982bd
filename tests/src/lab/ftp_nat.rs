//! The helper under test: `ftp-nat` as a person would run it.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{
    host::Host,
    peers,
    process::{Finished, Process},
    pty::Terminal,
    wait,
};

/// What `ftp-nat run` is started with.
#[derive(Debug, Clone)]
pub struct Builder {
    host: Host,
    pin_path: PathBuf,
    interfaces: Vec<String>,
    ports: Vec<u16>,
    extra: Vec<String>,
    program: Option<PathBuf>,
}

impl Builder {
    /// On a host, with no interfaces yet.
    pub fn new(host: &Host, pin_path: PathBuf) -> Self {
        Self {
            host: host.clone(),
            pin_path,
            interfaces: Vec::new(),
            ports: Vec::new(),
            extra: Vec::new(),
            program: None,
        }
    }

    /// Adds an interface that faces the inside.
    #[must_use]
    pub fn lan(mut self, interface: &str) -> Self {
        self.interfaces.extend(["--lan".into(), interface.into()]);
        self
    }

    /// Adds an interface that faces the outside.
    #[must_use]
    pub fn wan(mut self, interface: &str) -> Self {
        self.interfaces.extend(["--wan".into(), interface.into()]);
        self
    }

    /// Forgets the interfaces given so far.
    #[must_use]
    pub fn no_interfaces(mut self) -> Self {
        self.interfaces.clear();
        self
    }

    /// Adds a control port; without any, the program's default holds.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }

    /// Adds an argument as it is.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.extra.push(arg.to_owned());
        self
    }

    /// Runs another program than `FTP_NAT_BIN`.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    fn binary(&self) -> Result<PathBuf> {
        self.program.clone().map_or_else(peers::ftp_nat, Ok)
    }

    fn run_words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["run".into()];
        words.extend(self.interfaces.iter().map(OsString::from));
        for port in &self.ports {
            words.extend(["--port".into(), port.to_string().into()]);
        }
        words.extend(["--pin-path".into(), self.pin_path.clone().into()]);
        words.extend(self.extra.iter().map(OsString::from));
        words
    }

    fn spawn(&self) -> Result<Process> {
        let mut process = self.begin()?;
        process.until_line("ready:")?;
        Ok(process)
    }

    /// Starts it and waits for nothing.
    pub fn begin(&self) -> Result<Process> {
        let mut command = self.host.command(self.binary()?);
        command
            .args(self.run_words())
            .stdin(std::process::Stdio::null());
        self.host.spawn(command, "ftp-nat")
    }

    /// Starts it and waits until it handles packets.
    pub fn start(self) -> Result<FtpNat> {
        let process = self.spawn()?;
        Ok(FtpNat {
            builder: self,
            process,
        })
    }

    /// Starts it and waits until it has ended: for what must be refused.
    pub fn refused(&self) -> Result<Finished> {
        let mut command = self.host.command(self.binary()?);
        command.args(self.run_words());
        self.host
            .finish(command, "ftp-nat-refused", "", wait::PATIENCE)
    }

    /// Starts another verb that stays, such as `unload`.
    pub fn staying(&self, words: &[&str]) -> Result<Process> {
        let mut command = self.host.command(self.binary()?);
        command.args(words).arg("--pin-path").arg(&self.pin_path);
        command.stdin(std::process::Stdio::null());
        self.host.spawn(command, "ftp-nat-verb")
    }

    /// Starts another verb on a terminal of that size.
    pub fn on_terminal(&self, words: &[&str], columns: u16, lines: u16) -> Result<Terminal> {
        let mut command = self.host.command(self.binary()?);
        command.args(words).arg("--pin-path").arg(&self.pin_path);
        Terminal::start(command, columns, lines)
    }

    /// Runs another verb, such as `stats`, to its end.
    pub fn verb(&self, words: &[&str]) -> Result<Finished> {
        let mut command = self.host.command(self.binary()?);
        command.args(words).arg("--pin-path").arg(&self.pin_path);
        self.host
            .finish(command, "ftp-nat-verb", "", wait::PATIENCE)
    }
}

/// A running `ftp-nat`.
#[derive(Debug)]
pub struct FtpNat {
    builder: Builder,
    process: Process,
}

impl FtpNat {
    /// The running program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where it pins.
    pub fn pin_path(&self) -> &PathBuf {
        &self.builder.pin_path
    }

    /// Kills it without warning; what it loaded stays.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn terminate(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        wait::until_true("the end of ftp-nat", Duration::from_secs(10), || {
            Ok(!self.process.is_running()?)
        })
    }

    /// Runs it again after its end, adopting what is pinned.
    pub fn run_again(&mut self) -> Result<()> {
        if self.process.is_running()? {
            bail!("ftp-nat is still running");
        }
        self.process = self.builder.spawn()?;
        Ok(())
    }

    /// Runs it again after its end with other arguments.
    pub fn run_again_with(&mut self, change: impl FnOnce(Builder) -> Builder) -> Result<()> {
        self.builder = change(self.builder.clone());
        self.run_again()
    }

    /// Waits until it has ended by itself.
    pub fn until_ended(&mut self) -> Result<()> {
        wait::until_true("the end of ftp-nat", wait::PATIENCE, || {
            Ok(!self.process.is_running()?)
        })
    }

    /// What it was started with.
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// Starts another verb on a terminal of that size.
    pub fn on_terminal(&self, words: &[&str], columns: u16, lines: u16) -> Result<Terminal> {
        self.builder.on_terminal(words, columns, lines)
    }

    /// Runs another verb to its end, whatever that is.
    pub fn verb(&self, words: &[&str]) -> Result<Finished> {
        self.builder.verb(words)
    }

    /// Runs another verb that must succeed.
    pub fn done(&self, words: &[&str]) -> Result<String> {
        Ok(self
            .verb(words)?
            .success(&format!("ftp-nat {}", words.join(" ")))?
            .text())
    }

    /// Runs a verb with `--json` and reads its answer.
    pub fn json(&self, verb: &str) -> Result<Value> {
        let text = self.done(&[verb, "--json"])?;
        serde_json::from_str(&text).with_context(|| format!("{verb} --json gave {text}"))
    }

    /// Adds a control port.
    pub fn add_port(&self, port: u16) -> Result<()> {
        self.done(&["ports", "add", &port.to_string()]).map(drop)
    }

    /// Removes a control port.
    pub fn remove_port(&self, port: u16) -> Result<()> {
        self.done(&["ports", "remove", &port.to_string()]).map(drop)
    }

    /// Removes the data path from the kernel.
    pub fn unload(&self) -> Result<()> {
        self.done(&["unload"]).map(drop)
    }

    /// One counter of `stats --json`.
    pub fn counter(&self, name: &str) -> Result<u64> {
        let stats = self.json("stats")?;
        stats["counters"][name]
            .as_u64()
            .with_context(|| format!("no counter {name} in {stats}"))
    }

    /// All counters.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>> {
        let stats = self.json("stats")?;
        serde_json::from_value(stats["counters"].clone())
            .with_context(|| format!("no counters in {stats}"))
    }

    /// Waits until a counter is at least `least`, and gives it.
    pub fn until_counter(&self, name: &str, least: u64) -> Result<u64> {
        wait::until(&format!("{name} >= {least}"), wait::PATIENCE, || {
            Ok(Some(self.counter(name)?).filter(|n| *n >= least))
        })
    }
}
