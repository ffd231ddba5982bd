//! The one lab of the tests: a gateway with links of all kinds on both sides.
//!
//! ```text
//!  inside hosts                  gateway                   outside hosts
//!  10.10.K.1 --- 10.10.K.254 (in-KIND) (out-KIND) 61.144.K.2 --- 61.144.K.100
//! ```
//! K is the number of the kind. All of the inside is masqueraded. Port 21 of
//! 61.144.K.2 goes to the inside host that a test chooses.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use ftp_nat_tests::lab::{
    Host, Payload, Server,
    control::Control,
    ftp_nat::{Builder, FtpNat},
    net::Net,
    process::Process,
};

use self::kinds::KINDS;

mod kinds;

/// Who opens the data connection.
#[derive(Clone, Copy)]
pub enum Mode {
    /// The server, to a client inside.
    Active,
    /// The client, to a server inside.
    Passive,
}

/// A host at the other end of one of the gateway's links.
struct End {
    kind: &'static str,
    host: Host,
    address: Ipv4Addr,
    /// The gateway's address on the link.
    gateway: Ipv4Addr,
    server: Server,
}

/// The lab.
pub struct Site {
    pub ftp_nat: FtpNat,
    pub gateway: Host,
    inside: Vec<End>,
    outside: Vec<End>,
    /// What keeps links up.
    _links: Vec<Process>,
    net: Net,
}

/// Bytes of the files: little, for the machine is slow, but several segments.
const LEN: usize = 40_000;

/// Rules as a home gateway's: what is new from outside is dropped.
const RULES: &str = "
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid drop
        ct state established,related accept
        iifname \"in-*\" oifname \"out-*\" accept
        ct status dnat accept
    }
}
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat;
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname \"out-*\" masquerade
    }
}";

impl Site {
    /// The lab, made by the first test that asks. It goes with the machine.
    pub fn get() -> Result<MutexGuard<'static, Self>> {
        static SITE: LazyLock<Result<Mutex<Site>, String>> =
            LazyLock::new(|| Site::new().map(Mutex::new).map_err(|e| format!("{e:#}")));
        match &*SITE {
            Ok(site) => Ok(site.lock().unwrap_or_else(PoisonError::into_inner)),
            Err(error) => Err(anyhow!("the lab can't be made: {error}")),
        }
    }

    fn new() -> Result<Self> {
        let net = Net::new()?;
        let gateway = net.host("gateway")?;
        gateway.nft(RULES)?;
        gateway.sysctl("net.ipv4.ip_forward", "1")?;
        let (mut inside, mut outside, mut links) = (Vec::new(), Vec::new(), Vec::new());
        let mut ftp_nat = Builder::new(&gateway, net.pin_path());
        for (k, kind) in (0..).zip(KINDS) {
            for (side, ends) in [("in", &mut inside), ("out", &mut outside)] {
                let (address, at_gateway) = match side {
                    "in" => (Ipv4Addr::new(10, 10, k, 1), Ipv4Addr::new(10, 10, k, 254)),
                    _ => (Ipv4Addr::new(61, 144, k, 100), Ipv4Addr::new(61, 144, k, 2)),
                };
                let host = net.host(&format!("{side}-{kind}"))?;
                let name = format!("{side}-{kind}");
                let link = kinds::join(kind, &gateway, &name, at_gateway, &host, address)
                    .with_context(|| format!("a link of kind {kind}"))?;
                links.extend(link);
                let server = host.vsftpd().bind(address.into()).start()?;
                ends.push(End {
                    kind,
                    host,
                    address,
                    gateway: at_gateway,
                    server,
                });
                ftp_nat = match side {
                    "in" => ftp_nat.lan(&name),
                    _ => ftp_nat.wan(&name),
                };
            }
        }
        Ok(Self {
            ftp_nat: ftp_nat.start()?,
            gateway,
            inside,
            outside,
            _links: links,
            net,
        })
    }

    /// Another instance, to be refused.
    pub fn other_instance(&self) -> Builder {
        let path = self.net.pin_path().with_extension("other");
        Builder::new(&self.gateway, path).wan("out-eth")
    }

    /// A client that has logged in, across links of two kinds, and the file
    /// `file.bin` of its server.
    pub fn log_in(&self, mode: Mode, inside: &str, outside: &str) -> Result<(Control, Payload)> {
        let (inside, outside) = (find(&self.inside, inside)?, find(&self.outside, outside)?);
        let (client, server, dialled) = match mode {
            Mode::Active => (inside, outside, outside.address),
            Mode::Passive => {
                let (from, to) = (outside.gateway, inside.address);
                self.gateway.nft(&format!(
                    "flush chain ip nat prerouting
                     add rule ip nat prerouting ip daddr {from} tcp dport 21 dnat to {to}"
                ))?;
                (outside, inside, outside.gateway)
            }
        };
        let file = server.server.publish_random("file.bin", 61, LEN)?;
        let target = server.server.target(SocketAddr::new(dialled.into(), 21));
        Ok((client.host.log_in(&target)?, file))
    }

    /// Fetches a file across links of two kinds and sees that the data came by
    /// ftp-nat, with its addresses translated.
    pub fn transfer(&self, mode: Mode, inside: &str, outside: &str) -> Result<()> {
        let what = format!("from {inside} inside to {outside} outside");
        self.try_transfer(mode, inside, outside)
            .with_context(|| match mode {
                Mode::Active => format!("active {what}"),
                Mode::Passive => format!("passive {what}"),
            })
    }

    fn try_transfer(&self, mode: Mode, inside: &str, outside: &str) -> Result<()> {
        let used = self.ftp_nat.counter("expectations_used")?;
        let (mut control, file) = self.log_in(mode, inside, outside)?;
        let got = match mode {
            Mode::Active => control.retrieve_active(0, "file.bin")?,
            Mode::Passive => control.retrieve_passive("file.bin")?,
        };
        file.verify(&got)?;
        control.expect("QUIT", 221)?;
        ensure!(
            self.ftp_nat.counter("expectations_used")? == used + 1,
            "the data came past ftp-nat"
        );
        Ok(())
    }
}

fn find<'a>(ends: &'a [End], kind: &str) -> Result<&'a End> {
    ends.iter()
        .find(|end| end.kind == kind)
        .with_context(|| format!("there is no link of kind {kind}"))
}
