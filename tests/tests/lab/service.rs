//! As a service: with the capabilities of the unit and no others, telling the
//! service manager how it is.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Lab, Mode, peers,
    process::{Finished, Process},
    wait,
};

use crate::support::transfers;

/// What the unit says behind `key=`.
fn unit(key: &str) -> Result<String> {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd/ftp-nat.service");
    let text = fs::read_to_string(unit)?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{key}=")));
    value
        .map(str::to_owned)
        .with_context(|| format!("no {key} in the unit"))
}

/// Capabilities as setpriv(1) has them: `bpf` for CAP_BPF.
fn capabilities() -> Result<Vec<String>> {
    let list = unit("CapabilityBoundingSet")?;
    let names = list.split_whitespace().map(|cap| {
        let name = cap.strip_prefix("CAP_").unwrap_or(cap);
        name.to_lowercase()
    });
    Ok(names.collect())
}

/// `run` with these capabilities alone, as the unit's other words have it.
fn command(lab: &Lab, capabilities: &[String]) -> Result<std::process::Command> {
    let set = capabilities.iter().map(|cap| format!(",+{cap}"));
    let set = format!("-all{}", set.collect::<String>());
    let mut command = lab.gateway.command("setpriv");
    command
        .arg(format!("--bounding-set={set}"))
        .args(["--inh-caps=-all", "--no-new-privs"])
        .arg(peers::ftp_nat()?)
        .args(["run", "--wan", "wan", "--lan", "lan", "--pin-path"])
        .arg(lab.net().pin_path())
        .stdin(std::process::Stdio::null());
    Ok(command)
}

#[test]
fn the_units_capabilities_are_enough() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let start = || -> Result<Process> {
        let command = command(&lab, &capabilities()?)?;
        let mut process = lab.gateway.spawn(command, "ftp-nat")?;
        process.until_line("ready:")?;
        Ok(process)
    };
    let mut process = start()?;
    transfers(&lab, &server, Client::Curl, Mode::Port)?;
    process.kill()?;
    // Taking over what is pinned needs no more.
    let process = start()?;
    transfers(&lab, &server, Client::Curl, Mode::Eprt)?;
    let said = process.log();
    ensure!(!said.contains("ERROR"), "{said}");
    Ok(())
}

#[test]
fn none_of_them_can_be_left_out() -> Result<()> {
    let lab = Lab::masquerade()?;
    let all = capabilities()?;
    ensure!(all.len() == 3, "{all:?}");
    for left_out in &all {
        let others: Vec<_> = all.iter().filter(|cap| *cap != left_out).cloned().collect();
        let command = command(&lab, &others)?;
        let done: Finished = lab
            .gateway
            .finish(command, "incapable", "", wait::PATIENCE)?;
        ensure!(!done.status.success(), "it runs without {left_out}");
        let name = format!("CAP_{}", left_out.to_uppercase());
        ensure!(done.stderr.contains(&name), "{}", done.stderr);
    }
    Ok(())
}

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(lab: &Lab) -> Result<Self> {
        let path = lab.net().dir().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(wait::PATIENCE))?;
        Ok(Self { socket, path })
    }

    /// Reads what is told until `wanted` is among it.
    fn until(&self, wanted: &str) -> Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let length = self
                .socket
                .recv(&mut bytes)
                .with_context(|| format!("no {wanted}"))?;
            let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if told.lines().any(|line| line == wanted) {
                return Ok(());
            }
        }
    }
}

#[test]
fn the_service_manager_is_told() -> Result<()> {
    let lab = Lab::masquerade()?;
    let manager = Manager::new(&lab)?;
    let mut command = command(&lab, &capabilities()?)?;
    command
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", "400000");
    let mut process = lab.gateway.spawn(command, "ftp-nat")?;
    manager.until("READY=1")?;
    // Again and again.
    manager.until("WATCHDOG=1")?;
    manager.until("WATCHDOG=1")?;
    process.signal(nix::sys::signal::Signal::SIGTERM)?;
    manager.until("STOPPING=1")?;
    wait::until_true("its end", Duration::from_secs(10), || {
        Ok(!process.is_running()?)
    })
}

#[test]
fn metrics_count_what_happens() -> Result<()> {
    let lab = Lab::masquerade()?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = lab.ftp_nat().arg("--metrics").arg("9121").start()?;
    transfers(&lab, &server, Client::Curl, Mode::Port)?;
    let scrape = || {
        let url = "http://127.0.0.1:9121/metrics";
        lab.gateway.run(&["curl", "--silent", "--fail", url])
    };
    let read = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|rest| rest.trim().parse::<u64>().ok());
        value.with_context(|| format!("no {name} in {text}"))
    };
    let passed = |text: &str, direction: &str, mode: &str| {
        let class = format!("{{direction=\"{direction}\",mode=\"{mode}\"}} ");
        read(text, &format!("ftp_nat_transfer_bytes_total{class}"))
    };
    // 300,001 bytes down and 200,003 up, headers and acknowledgements besides. The
    // last connection may end after its client.
    wait::until_true("the connections' ends", wait::PATIENCE, || {
        let events = ftp_nat.done(&["events", "--json"])?;
        Ok(events.matches("\"data_ended\"").count() == 3)
    })?;
    let text = scrape()?;
    let down = passed(&text, "to_client", "active")?;
    let up = passed(&text, "to_server", "active")?;
    ensure!((300_001..400_000).contains(&down), "{down} bytes down");
    ensure!((200_003..300_000).contains(&up), "{up} bytes up");
    for direction in ["to_client", "to_server"] {
        ensure!(passed(&text, direction, "passive")? == 0, "{text}");
    }
    let value = |name: &str| read(&text, name);
    let used = value("ftp_nat_expectations_ended_total{outcome=\"used\"} ")?;
    ensure!(used >= 3, "three transfers used {used} announcements");
    ensure!(
        used == ftp_nat.counter("expectations_used")?,
        "stats says otherwise"
    );
    ensure!(value("ftp_nat_sessions_learned_total ")? >= 3);
    ensure!(text.ends_with("# EOF\n"), "{text}");
    // A port that is taken is found out before anything is done.
    let pins = lab.net().pin_path().with_extension("other");
    let mut second = lab.gateway.command(peers::ftp_nat()?);
    second.args(["run", "--wan", "wan", "--metrics", "9121", "--pin-path"]);
    second.arg(&pins);
    let refused = lab.gateway.finish(second, "second", "", wait::PATIENCE)?;
    ensure!(!refused.status.success() && !pins.exists(), "it started");
    ensure!(
        refused.stderr.contains("127.0.0.1:9121"),
        "{}",
        refused.stderr
    );
    Ok(())
}
