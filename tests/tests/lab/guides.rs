//! The commands of the guides, run as they stand there.
//!
//! A block that begins with `sh run` is run on the gateway, one that begins with
//! `sh client` on the client; `eth0` and `eth1` are the gateway's interfaces.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, Server,
    firewall::{LAN, WAN},
    peers,
    process::{Finished, Process},
    topology::GATEWAY_OUTSIDE,
    wait,
};

use crate::support::transfers;

/// A block of commands: where, and which.
struct Block {
    on_client: bool,
    lines: Vec<String>,
}

fn blocks(guide: &str) -> Result<Vec<Block>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides");
    let text = fs::read_to_string(folder.join(format!("{guide}.md")))?;
    let mut blocks = Vec::new();
    // Every other part is inside a block.
    for part in text.split("```").skip(1).step_by(2) {
        let (kind, commands) = part.split_once('\n').unwrap_or((part, ""));
        let on_client = match kind {
            "sh run" => false,
            "sh client" => true,
            _ => continue,
        };
        // What belongs to a list is indented.
        let lines = commands
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let lines = lines.map(str::to_owned);
        blocks.push(Block {
            on_client,
            lines: lines.collect(),
        });
    }
    ensure!(!blocks.is_empty(), "{guide} has no commands");
    Ok(blocks)
}

/// A reader of a guide.
struct Reader<'a> {
    lab: &'a Lab,
    server: &'a Server,
    path: OsString,
    running: Option<Process>,
    commands: usize,
}

impl<'a> Reader<'a> {
    /// With `ftp-nat` at hand, whose pins are the lab's.
    fn new(lab: &'a Lab, server: &'a Server) -> Result<Self> {
        let folder = lab.net().dir().join("at-hand");
        fs::create_dir(&folder)?;
        let program = folder.join("ftp-nat");
        let text = format!(
            "#!/bin/sh\nexec {} \"$@\" --pin-path {}\n",
            peers::ftp_nat()?.display(),
            lab.net().pin_path().display()
        );
        fs::write(&program, text)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let others = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(folder).chain(std::env::split_paths(&others));
        Ok(Self {
            lab,
            server,
            path: std::env::join_paths(all)?,
            running: None,
            commands: 0,
        })
    }

    fn follow(&mut self, guide: &str) -> Result<()> {
        for block in blocks(guide)? {
            for line in &block.lines {
                let line = line.replace("eth0", WAN).replace("eth1", LAN);
                let line = line.replace("docker0", LAN);
                self.commands += 1;
                self.type_in(&line, block.on_client)
                    .with_context(|| format!("`{line}` of {guide}"))?;
            }
        }
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        let running = self.running.as_mut();
        running.is_some_and(|run| run.is_running().unwrap_or(false))
    }

    fn type_in(&mut self, line: &str, on_client: bool) -> Result<()> {
        let host = if on_client {
            &self.lab.client
        } else {
            &self.lab.gateway
        };
        let target = self.lab.reach(self.server);
        // Each byte by its number: a password may have any.
        let coded = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02x}")).collect() };
        let (user, password) = (coded(&target.user), coded(&target.password));
        let login = format!("{user}:{password}@{}", target.at);
        let mut command = host.command("sh");
        command
            .args(["-ec", &format!("exec {}", line.replace("SERVER", &login))])
            .env("PATH", &self.path)
            .stdin(std::process::Stdio::null());
        if line.starts_with("ftp-nat run") {
            let mut process = host.spawn(command, "guide-run")?;
            process.until_line("ready:")?;
            self.running = Some(process);
            return Ok(());
        }
        let done: Finished = host.finish(command, "guide", "", wait::PATIENCE)?;
        // Of a lab's clock nobody takes care: a warning is no failure.
        let is_fine = match done.status.code() {
            Some(1) => line.starts_with("ftp-nat doctor"),
            code => code == Some(0),
        };
        ensure!(is_fine, "{}: {}{}", done.status, done.text(), done.stderr);
        Ok(())
    }
}

/// Follows a guide, and transfers files in the mode that it is about.
fn guide_works(guide: &str, mode: Mode, prepare: impl FnOnce(&Lab) -> Result<()>) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    prepare(&lab)?;
    let server = lab.server.vsftpd().start()?;
    guide_works_with(&lab, &server, guide, mode)
}

fn guide_works_with(lab: &Lab, server: &Server, guide: &str, mode: Mode) -> Result<()> {
    let mut reader = follow(lab, server, guide)?;
    if reader.is_running() {
        transfers(lab, server, Client::Curl, mode)?;
    }
    Ok(())
}

fn follow<'a>(lab: &'a Lab, server: &'a Server, guide: &str) -> Result<Reader<'a>> {
    server.publish("hello.txt", "hello\n")?;
    let mut reader = Reader::new(lab, server)?;
    reader.follow(guide)?;
    ensure!(reader.commands >= 2, "only {} commands", reader.commands);
    Ok(reader)
}

#[test]
fn a_home_gateway() -> Result<()> {
    guide_works("home-gateway", Mode::Port, |_| Ok(()))
}

#[test]
fn a_server_behind_dnat() -> Result<()> {
    guide_works("server-behind-dnat", Mode::Pasv, |_| Ok(()))
}

/// The container's end of the bridge is the lab's link.
#[test]
fn a_host_of_containers() -> Result<()> {
    guide_works("containers", Mode::Pasv, |lab| {
        let gateway = &lab.gateway;
        let address = gateway.run(&["ip", "-o", "-4", "address", "show", LAN])?;
        let mut address = address.split_whitespace().skip_while(|w| *w != "inet");
        let address = address.nth(1).context("no address")?.to_owned();
        gateway.run(&["ip", "link", "set", LAN, "down"])?;
        gateway.run(&["ip", "address", "flush", "dev", LAN])?;
        gateway.run(&["ip", "link", "set", LAN, "name", "veth7"])?;
        gateway.run(&["ip", "link", "add", LAN, "type", "bridge"])?;
        gateway.run(&["ip", "link", "set", "veth7", "master", LAN])?;
        gateway.run(&["ip", "link", "set", "veth7", "up"])?;
        gateway.address(LAN, &address)?;
        gateway.run(&["ip", "link", "set", LAN, "up"]).map(drop)
    })
}

/// Of a machine that is no gateway: what it announces itself is another test's
/// (`on_the_gateway`).
#[test]
fn a_cloud_machine() -> Result<()> {
    let lab = Lab::masquerade()?;
    let chain = "type filter hook input priority 0";
    lab.gateway.nft(&format!(
        "add table inet filter; add chain inet filter input {{ {chain}; }}"
    ))?;
    let server = lab.server.vsftpd().start()?;
    let mut reader = follow(&lab, &server, "cloud")?;
    ensure!(reader.is_running(), "it ended");
    Ok(())
}

#[test]
fn tls() -> Result<()> {
    let lab = Lab::dnat()?;
    let certificate = lab.server.certificate()?;
    let server = lab
        .server
        .pure_ftpd()
        .passive_ports(50_000, 50_099)
        .passive_address(GATEWAY_OUTSIDE)
        .with("--tls=1")
        .with(&format!("--certfile={}", certificate.display()))
        .start()?;
    guide_works_with(&lab, &server, "ftps", Mode::Pasv)
}

#[test]
fn beside_einat() -> Result<()> {
    guide_works("einat", Mode::Port, |_| Ok(()))
}

#[test]
fn moving_from_the_kernels_helper() -> Result<()> {
    guide_works("nf-conntrack-ftp", Mode::Port, Lab::kernel_helper)
}
