//! The configuration file, and doing what it says now while running.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{Client, Lab, Mode, Server, control::Control, ftp_nat::FtpNat};
use nix::sys::signal::Signal;

use crate::support::{SHIFTING_PORT, transfers};

/// A port of the default list of those that are never opened.
const REDIS: u16 = 6379;

/// ftp-nat behind masquerade, told by a file alone, and a client that has logged in.
struct Configured {
    control: Control,
    ftp_nat: FtpNat,
    server: Server,
    file: PathBuf,
    lab: Lab,
}

impl Configured {
    fn new(text: &str) -> Result<Self> {
        let lab = Lab::masquerade()?;
        let server = lab.server.vsftpd().start()?;
        let file = lab.net().dir().join("config.toml");
        fs::write(&file, text)?;
        let path = file.to_str().context("a folder that is no text")?;
        let run = lab.ftp_nat().no_interfaces();
        let ftp_nat = run.arg("--config").arg(path).start()?;
        let control = lab.client.log_in(&lab.reach(&server))?;
        Ok(Self {
            control,
            ftp_nat,
            server,
            file,
            lab,
        })
    }

    /// Writes another file, asks for it, and waits until `said` is in the log.
    fn hang_up(&mut self, text: &str, said: &str) -> Result<()> {
        fs::write(&self.file, text)?;
        let before = self.ftp_nat.process().log().len();
        self.ftp_nat.process().signal(Signal::SIGHUP)?;
        self.ftp_nat
            .process()
            .until_ready(&format!("`{said}` in the log"), |log| {
                Ok(log.get(before..).is_some_and(|new| new.contains(said)))
            })
    }
}

const FIRST: &str = "wan = ['wan']\nlan = ['lan']\nport = [21]\nlog-level = 'info'\n";

#[test]
fn a_file_alone_will_do() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let file = lab.net().dir().join("config.toml");
    fs::write(&file, FIRST)?;
    let path = file.to_str().context("a folder that is no text")?;
    let run = lab.ftp_nat().no_interfaces().arg("--config").arg(path);
    let _ftp_nat = run.start()?;
    transfers(&lab, &server, Client::Curl, Mode::Port)
}

#[test]
fn a_broken_file_is_refused_and_nothing_is_loaded() -> Result<()> {
    let lab = Lab::masquerade()?;
    let file = lab.net().dir().join("config.toml");
    fs::write(&file, format!("{FIRST}prot = 2121\n"))?;
    let path = file.to_str().context("a folder that is no text")?;
    let refused = lab.ftp_nat().arg("--config").arg(path).refused()?;
    ensure!(!refused.status.success(), "it was taken");
    let place = format!("{path}:5: there is no key prot: did you mean port?");
    ensure!(refused.stderr.contains(&place), "{}", refused.stderr);
    ensure!(!lab.net().pin_path().exists(), "something is pinned");
    Ok(())
}

#[test]
fn sighup_applies_what_the_file_says_now_and_no_session_is_lost() -> Result<()> {
    let mut it = Configured::new(FIRST)?;
    let file = it.server.publish_random("file.bin", 61, 20_000)?;
    // Numbers are shifted from here on: the session needs the programs.
    file.verify(&it.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    ensure!(it.control.announce(REDIS)?.code == 500, "it was opened");
    it.hang_up(
        &format!("{FIRST}deny-ports = []\nexpect-timeout = 30\n"),
        "changed: expect-timeout: 60 -> 30",
    )?;
    file.verify(&it.control.retrieve_active(REDIS, "file.bin")?)?;
    // New programs on the same maps.
    let other = FIRST.replace("info", "debug");
    it.hang_up(&other, "changed: log-level: info -> debug")?;
    file.verify(&it.control.retrieve_active(SHIFTING_PORT + 1, "file.bin")?)?;
    ensure!(
        it.control.announce(REDIS)?.code == 500,
        "it is denied again"
    );
    it.hang_up(&other, "nothing has changed")
}

#[test]
fn what_can_not_be_applied_changes_nothing() -> Result<()> {
    let mut it = Configured::new(FIRST)?;
    let file = it.server.publish_random("file.bin", 62, 20_000)?;
    file.verify(&it.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    for (text, said) in [
        (
            format!("{FIRST}deny-ports = []\nprot = 7\n"),
            "did you mean port?",
        ),
        (
            format!("{FIRST}deny-ports = []\nmax-sessions = 9\n"),
            "only a new start can change max-sessions",
        ),
        (
            FIRST.replace("'lan'", "'nowhere7'"),
            "no such interface: nowhere7",
        ),
    ] {
        it.hang_up(&text, said)?;
        ensure!(
            it.control.announce(REDIS)?.code == 500,
            "{said}: half applied"
        );
    }
    file.verify(&it.control.retrieve_active(SHIFTING_PORT + 1, "file.bin")?)
}

#[test]
fn reload_says_what_changed_and_what_can_not() -> Result<()> {
    let mut it = Configured::new(FIRST)?;
    let file = it.server.publish_random("file.bin", 63, 20_000)?;
    file.verify(&it.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    let said = it.ftp_nat.done(&["reload"])?;
    ensure!(said == "nothing has changed\n", "{said}");
    // A new level needs new programs, the rest doesn't.
    let other = FIRST.replace("info", "debug") + "expect-timeout = 30\n";
    fs::write(&it.file, &other)?;
    let said = it.ftp_nat.done(&["reload"])?;
    for change in [
        "changed expect-timeout: 60 -> 30",
        "changed log-level: info -> debug",
    ] {
        ensure!(said.lines().any(|line| line == change), "{said}");
    }
    file.verify(&it.control.retrieve_active(SHIFTING_PORT + 1, "file.bin")?)?;
    fs::write(&it.file, format!("{other}prot = 7\n"))?;
    let refused = it.ftp_nat.verb(&["reload"])?;
    ensure!(refused.status.code() == Some(1), "{:?}", refused.status);
    ensure!(
        refused.stderr.contains(":6: there is no key prot"),
        "{}",
        refused.stderr
    );
    fs::write(&it.file, format!("{other}max-sessions = 9\n"))?;
    let refused = it.ftp_nat.verb(&["reload", "--json"])?;
    ensure!(refused.status.code() == Some(1), "{:?}", refused.status);
    let outcome: serde_json::Value = serde_json::from_str(&refused.text())?;
    ensure!(outcome["applied"] == false, "{outcome}");
    ensure!(outcome["needs_restart"][0] == "max-sessions", "{outcome}");
    ensure!(outcome["changes"][0]["after"] == "9", "{outcome}");
    it.ftp_nat.terminate()?;
    let nobody = it.ftp_nat.verb(&["reload"])?;
    ensure!(!nobody.status.success(), "nobody was there to do it");
    Ok(())
}

/// How many programs are pinned for an interface.
fn attached(it: &Configured, interface: &str) -> Result<usize> {
    let shown = it
        .lab
        .gateway
        .run(&["ip", "-o", "link", "show", interface])?;
    let index = shown.split(':').next().context("no index")?.to_owned();
    let mut count = 0;
    for file in fs::read_dir(it.ftp_nat.pin_path().join("links"))? {
        let name = file?.file_name().to_string_lossy().into_owned();
        count += usize::from(name.split('-').next() == Some(&index));
    }
    Ok(count)
}

#[test]
fn interfaces_are_added_and_left_by_reload_and_no_session_is_lost() -> Result<()> {
    let mut it = Configured::new(FIRST)?;
    let gateway = it.lab.gateway.clone();
    let veth = [
        "ip", "link", "add", "third", "type", "veth", "peer", "name", "beyond",
    ];
    gateway.run(&veth)?;
    let file = it.server.publish_random("file.bin", 64, 20_000)?;
    file.verify(&it.control.retrieve_active(SHIFTING_PORT, "file.bin")?)?;
    ensure!(attached(&it, "third")? == 0, "it was not asked for");

    let more = FIRST.replace("['lan']", "['lan', 'third']");
    fs::write(&it.file, &more)?;
    let said = it.ftp_nat.done(&["reload"])?;
    ensure!(said == "changed lan: lan -> lan,third\n", "{said}");
    ensure!(attached(&it, "third")? == 2, "ingress and egress");
    let next = it.control.retrieve_active(SHIFTING_PORT + 1, "file.bin")?;
    file.verify(&next)?;

    // With a mistake in it, nothing of it is done.
    it.hang_up(
        "wan = ['wan']\nlan = ['nowhere7']\n",
        "no such interface: nowhere7",
    )?;
    ensure!(attached(&it, "third")? == 2, "it was left");
    it.hang_up(FIRST, "changed: lan: lan,third -> lan")?;
    ensure!(attached(&it, "third")? == 0, "it was not left");
    let last = it.control.retrieve_active(SHIFTING_PORT + 2, "file.bin")?;
    file.verify(&last)
}

#[test]
fn the_address_of_metrics_is_changed_by_reload() -> Result<()> {
    let mut it = Configured::new(FIRST)?;
    let gateway = it.lab.gateway.clone();
    let served = |port: u16| {
        let url = format!("http://127.0.0.1:{port}/metrics");
        gateway
            .run(&["curl", "--silent", "--fail", &url])
            .is_ok_and(|text| text.ends_with("# EOF\n"))
    };
    let at = |port: &str| format!("{FIRST}metrics = '{port}'\n");
    ensure!(!served(9121), "it is off unless asked for");
    for (text, said, on, off) in [
        (at("9121"), "changed metrics: (none) -> 9121", 9121, 9122),
        (
            at("127.0.0.1:9122"),
            "changed metrics: 9121 -> 127.0.0.1:9122",
            9122,
            9121,
        ),
    ] {
        fs::write(&it.file, text)?;
        let told = it.ftp_nat.done(&["reload"])?;
        ensure!(told.trim_end() == said, "{told}");
        ensure!(served(on) && !served(off), "{said}");
    }
    // One that is taken, with another change beside it: neither is made.
    let _taken = gateway.listen("127.0.0.1:9123".parse()?)?;
    it.hang_up(&(at("9123") + "deny-ports = []\n"), "127.0.0.1:9123")?;
    ensure!(served(9122), "the one before is gone");
    ensure!(it.control.announce(REDIS)?.code == 500, "half applied");
    it.hang_up(FIRST, "changed: metrics: 127.0.0.1:9122 -> (none)")?;
    ensure!(!served(9122), "it is still served");
    Ok(())
}
