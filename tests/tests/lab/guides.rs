//! The commands of the guides, run as they stand there.
//!
//! A block that begins with `sh run` is run on the gateway, one that begins with
//! `sh client` on the client; `eth0` and `eth1` are the gateway's interfaces.

use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, Payload, Server,
    firewall::{self, LAN, WAN},
    host::Host,
    net::Net,
    peers,
    process::{Finished, Process},
    server::Target,
    topologies::Cloud,
    topology::{CLIENT_INSIDE, GATEWAY_OUTSIDE},
    wait,
};

use crate::support::transfers;

/// A block of commands: where, and which.
struct Block {
    on_client: bool,
    lines: Vec<String>,
}

/// What stands between fences, each with what is said behind the first one.
fn fenced(guide: &str) -> Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides");
    let text = fs::read_to_string(folder.join(format!("{guide}.md")))?;
    // Every other part is inside a block.
    let parts = text.split("```").skip(1).step_by(2);
    let blocks = parts.map(|part| part.split_once('\n').unwrap_or((part, "")));
    Ok(blocks
        .map(|(kind, text)| (kind.to_owned(), text.to_owned()))
        .collect())
}

fn blocks(guide: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    for (kind, commands) in fenced(guide)? {
        let on_client = match kind.as_str() {
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
    gateway: &'a Host,
    client: &'a Host,
    /// The server that is meant by SERVER.
    target: Target,
    path: OsString,
    running: Option<Process>,
    commands: usize,
}

impl<'a> Reader<'a> {
    /// With `ftp-nat` at hand, whose pins are the lab's.
    fn new(net: &Net, gateway: &'a Host, client: &'a Host, target: Target) -> Result<Self> {
        let folder = net.dir().join("at-hand");
        fs::create_dir(&folder)?;
        let program = folder.join("ftp-nat");
        let text = format!(
            "#!/bin/sh\nexec {} \"$@\" --pin-path {}\n",
            peers::ftp_nat()?.display(),
            net.pin_path().display()
        );
        fs::write(&program, text)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let others = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(folder).chain(std::env::split_paths(&others));
        Ok(Self {
            gateway,
            client,
            target,
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
        ensure!(self.commands >= 2, "only {} commands", self.commands);
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        let running = self.running.as_mut();
        running.is_some_and(|run| run.is_running().unwrap_or(false))
    }

    fn type_in(&mut self, line: &str, on_client: bool) -> Result<()> {
        let host = if on_client { self.client } else { self.gateway };
        let target = &self.target;
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
    let (gateway, client) = (&lab.gateway, &lab.client);
    let mut reader = Reader::new(lab.net(), gateway, client, lab.reach(server))?;
    reader.follow(guide)?;
    Ok(reader)
}

#[test]
fn a_home_gateway() -> Result<()> {
    guide_works("home-gateway", Mode::Port, |_| Ok(()))
}

/// A gateway that lets nothing in yet: the guide's own rules forward the port.
#[test]
fn a_server_behind_dnat() -> Result<()> {
    guide_works("server-behind-dnat", Mode::Pasv, |lab| {
        lab.gateway.nft(&format!(
            "flush ruleset
table ip nat {{
    chain prerouting {{ type nat hook prerouting priority dstnat; }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname {WAN} masquerade
    }}
}}
table inet filter {{
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname {LAN} accept
    }}
}}"
        ))
    })
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

/// The addresses of the guide.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 4);

/// A download and an upload, by who knows the machine by its public address.
fn from_the_world(cloud: &Cloud, server: &Server) -> Result<()> {
    let session = cloud.outside.ftp(Client::Curl).mode(Mode::Pasv);
    let session = session.to(&server.target(SocketAddr::new(PUBLIC.into(), 21)));
    let file = server.publish_random("down", 1, 100_013)?;
    file.verify(&session.get("down")?)?;
    let up = Payload::random(2, 70_001);
    session.put("up", up.bytes())?;
    up.verify(&server.uploaded("up")?)
}

/// The server runs on the machine, whose input chain is shut but for the control
/// port: the guide's rule opens it.
#[test]
fn a_cloud_machine() -> Result<()> {
    let cloud = Cloud::new(PRIVATE, PUBLIC)?;
    let chain = "type filter hook input priority 0; policy drop";
    cloud.gateway.nft(&format!(
        "add table inet filter; add chain inet filter input {{ {chain}; }};
         add rule inet filter input ct state established,related accept;
         add rule inet filter input iifname lo accept;
         add rule inet filter input tcp dport 21 accept"
    ))?;
    let server = cloud.gateway.vsftpd().bind(PRIVATE.into()).start()?;
    let target = server.target(SocketAddr::new(PUBLIC.into(), 21));
    let mut reader = Reader::new(cloud.net(), &cloud.gateway, &cloud.outside, target)?;
    reader.follow("cloud")?;
    ensure!(reader.is_running(), "it ended");
    from_the_world(&cloud, &server)
}

/// What the guide says of the file, for either kind of machine.
#[test]
fn the_files_of_a_cloud_machine() -> Result<()> {
    let files: Vec<_> = fenced("cloud")?
        .into_iter()
        .filter_map(|(kind, text)| (kind == "toml").then_some(text))
        .collect();
    let [alone, gateway] = files.as_slice() else {
        bail!("{} files in the guide", files.len());
    };
    for (file, on_itself) in [(alone, true), (gateway, false)] {
        let cloud = Cloud::new(PRIVATE, PUBLIC)?;
        let path = cloud.net().dir().join("config.toml");
        fs::write(&path, file.replace("eth0", WAN).replace("eth1", LAN))?;
        let server = if on_itself {
            cloud.gateway.vsftpd().bind(PRIVATE.into()).start()?
        } else {
            firewall::forward_port(&cloud.gateway, 21, CLIENT_INSIDE, 21)?;
            cloud.inside.vsftpd().start()?
        };
        let _ftp_nat = cloud
            .ftp_nat()
            .no_interfaces()
            .arg("--config")
            .arg(&path.display().to_string())
            .start()?;
        from_the_world(&cloud, &server)?;
    }
    Ok(())
}

#[test]
fn tls() -> Result<()> {
    let lab = Lab::dnat()?;
    let server = lab
        .server
        .pure_ftpd_with_tls()?
        .passive_ports(50_000, 50_099)
        .passive_address(GATEWAY_OUTSIDE)
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
