//! What several tests share.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Host, Lab, Mode, Payload, Server, ServerKind,
    capture::{Sides, Trace},
    control::Control,
    firewall::{self, LAN, WAN},
    ftp_nat::{Builder, FtpNat},
    hooks,
    topology::{ETH, GATEWAY_OUTSIDE},
};

/// A port of the client whose text in PORT is so short that the gateway's
/// address makes the command longer whatever port is chosen for it:
/// `10,10,0,1,4,0` has 13 bytes and `61,144,1,2,4,0`, the shortest there is, 14.
/// So every use of it shifts the sequence numbers that follow.
pub const SHIFTING_PORT: u16 = 1024;
/// There are this many such ports (`4,0` to `4,9`).
pub const SHIFTING_PORTS: u16 = 10;

/// Who helps FTP through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Helper {
    /// The kernel's own, to validate the lab itself.
    Kernel,
    /// The one under test.
    FtpNat,
}

impl Helper {
    /// Starts it; what is given must be kept for as long as it is needed.
    pub fn start(self, lab: &Lab) -> Result<Option<FtpNat>> {
        match self {
            Self::Kernel => lab.kernel_helper().map(|()| None),
            Self::FtpNat => lab.ftp_nat().start().map(Some),
        }
    }
}

/// The address of an announcement as the far end must read it.
pub fn public_text(mode: Mode) -> String {
    match mode {
        Mode::Eprt => GATEWAY_OUTSIDE.to_string(),
        _ => GATEWAY_OUTSIDE.to_string().replace('.', ","),
    }
}

/// Download, upload and LIST, verified by hash.
pub fn transfers(lab: &Lab, server: &Server, client: Client, mode: Mode) -> Result<()> {
    let big = server.publish_random("download.bin", 1, 300_001)?;
    let session = lab.ftp(client, mode, server);
    big.verify(&session.get("download.bin")?)?;
    let up = Payload::random(2, 200_003);
    session.put("upload.bin", up.bytes())?;
    up.verify(&server.uploaded("upload.bin")?)?;
    let list = session.list()?;
    ensure!(
        list.contains("download.bin"),
        "LIST gave no download.bin: {list}"
    );
    Ok(())
}

/// One cell of the matrix: transfers that need help, with captures at both ends
/// that must show that the helper edited what was said, and nothing else.
pub fn cell(kind: ServerKind, client: Client, mode: Mode, helper: Helper) -> Result<()> {
    let lab = Lab::needing_help(mode)?;
    let server = lab.server.serve(kind).start()?;
    let helper = helper.start(&lab)?;
    let captures = lab.captures()?;
    transfers(&lab, &server, client, mode)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let edits = sides.verify_edits(server.port(), mode.announcement(), &public_text(mode))?;
    ensure!(edits >= 3, "three transfers had only {edits} announcements");
    ensure!(
        firewall::counted(&lab.gateway, "dropped_invalid")? == 0,
        "the connection tracker called a packet invalid"
    );
    if let Some(ftp_nat) = helper {
        let used = ftp_nat.counter("expectations_used")?;
        ensure!(
            used >= 3,
            "only {used} data connections came by an announcement"
        );
    }
    Ok(())
}

/// A lab with vsftpd outside, ftp-nat running, and a client that has logged in.
pub struct Session {
    /// The control connection.
    pub control: Control,
    /// The helper.
    pub ftp_nat: FtpNat,
    /// The server.
    pub server: Server,
    /// The lab.
    pub lab: Lab,
}

impl Session {
    /// Active mode behind masquerade.
    pub fn behind_masquerade() -> Result<Self> {
        Self::behind_masquerade_with(|run| run)
    }

    /// The same with other arguments.
    pub fn behind_masquerade_with(change: impl FnOnce(Builder) -> Builder) -> Result<Self> {
        Self::in_lab(Lab::masquerade()?, change)
    }

    /// The same in a lab like that.
    pub fn in_lab(lab: Lab, change: impl FnOnce(Builder) -> Builder) -> Result<Self> {
        let server = lab.server.vsftpd().start()?;
        let ftp_nat = change(lab.ftp_nat()).start()?;
        let control = lab.client.log_in(&lab.reach(&server))?;
        Ok(Self {
            control,
            ftp_nat,
            server,
            lab,
        })
    }

    /// Announces a port of the client and gives what the server was told: the
    /// line as the server received it.
    pub fn announce(&mut self, port: u16) -> Result<String> {
        let captures = self.lab.captures()?;
        let reply = self.control.announce(port)?;
        ensure!(reply.code == 200, "PORT was answered `{}`", reply.text);
        let (_, at_server) = captures;
        port_line(&at_server.stop()?)
    }
}

impl Session {
    /// That no program is left on the gateway's interfaces.
    pub fn nothing_is_attached(&self) -> Result<()> {
        for interface in [LAN, WAN] {
            let left = hooks::programs(&self.lab.gateway, interface)?;
            ensure!(left.is_empty(), "left on {interface}: {left:?}");
        }
        Ok(())
    }
}

/// An address of the server's host that no session knows.
pub const STRANGER: &str = "61.144.1.101";

impl Session {
    /// Has the server's host connect from [`STRANGER`], which must fail.
    pub fn stranger_is_refused(&self, to: SocketAddr) -> Result<()> {
        let server = &self.lab.server;
        server.address(ETH, &format!("{STRANGER}/24"))?;
        let gateway = GATEWAY_OUTSIDE.to_string();
        let route = [
            "ip", "route", "replace", &gateway, "dev", ETH, "src", STRANGER,
        ];
        server.run(&route)?;
        ensure!(server.connect(to).is_err(), "a stranger came through");
        server.run(&["ip", "route", "delete", &gateway]).map(drop)
    }
}

/// Changes what the kernel side is told, behind the program's back.
pub fn change_settings(
    gateway: &Host,
    ftp_nat: &FtpNat,
    change: impl FnOnce(&mut [u8]),
) -> Result<()> {
    let pin = ftp_nat.pin_path().join("SETTINGS");
    let path = pin.to_string_lossy();
    let dump = gateway.run(&["bpftool", "-j", "map", "dump", "pinned", &path])?;
    let values: serde_json::Value = serde_json::from_str(&dump)?;
    let text = values[0]["value"].as_array().context("no value")?;
    let mut bytes = text
        .iter()
        .map(|byte| {
            let digits = byte.as_str().and_then(|b| b.strip_prefix("0x"));
            Ok(u8::from_str_radix(digits.context("no byte")?, 16)?)
        })
        .collect::<Result<Vec<_>>>()?;
    change(&mut bytes);
    let mut words = vec![
        "bpftool", "map", "update", "pinned", &path, "key", "0", "0", "0", "0", "value", "hex",
    ];
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.extend(bytes.iter().map(String::as_str));
    gateway.run(&words).map(drop)
}

/// The last PORT command in what a host received, even where the capture began
/// in the middle of the connection.
pub fn port_line(trace: &Trace) -> Result<String> {
    let lines = trace.tcp().filter_map(|(_, tcp)| {
        let text = String::from_utf8_lossy(tcp.payload).into_owned();
        text.starts_with("PORT ")
            .then(|| text.trim_end().to_owned())
    });
    lines.last().context("the server received no PORT command")
}

/// The port in a PORT command.
pub fn port_of(command: &str) -> Result<u16> {
    let mut numbers = command.rsplit(',').map(str::parse::<u8>);
    let (low, high) = (numbers.next(), numbers.next());
    match (high, low) {
        (Some(Ok(high)), Some(Ok(low))) => Ok(u16::from_be_bytes([high, low])),
        _ => anyhow::bail!("no port in `{command}`"),
    }
}
