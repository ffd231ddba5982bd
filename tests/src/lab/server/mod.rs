//! Real FTP servers, each with a configuration of ours in the lab's folder and
//! one account that may upload.

mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
mod vsftpd;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};

use super::{host::Host, payload::Payload, process::Process};

/// Where clients may upload to, below the root.
pub const UPLOAD: &str = "upload";

/// The servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// vsftpd.
    Vsftpd,
    /// ProFTPD.
    Proftpd,
    /// Pure-FTPd.
    PureFtpd,
    /// Python's pyftpdlib.
    Pyftpdlib,
}

impl ServerKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Vsftpd, Self::Proftpd, Self::PureFtpd, Self::Pyftpdlib];

    /// Its name as its authors write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vsftpd => "vsftpd",
            Self::Proftpd => "proftpd",
            Self::PureFtpd => "pure-ftpd",
            Self::Pyftpdlib => "pyftpdlib",
        }
    }
}

/// What a client must know to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address and control port to dial.
    pub at: SocketAddr,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

/// How a server is to be run.
#[derive(Debug, Clone)]
pub struct Builder {
    host: Host,
    kind: ServerKind,
    port: u16,
    bind: Option<IpAddr>,
    passive_address: Option<Ipv4Addr>,
    passive_ports: Option<(u16, u16)>,
    extra: Vec<String>,
}

impl Host {
    /// A server of some kind on this host.
    pub fn serve(&self, kind: ServerKind) -> Builder {
        Builder {
            host: self.clone(),
            kind,
            port: 21,
            bind: None,
            passive_address: None,
            passive_ports: None,
            extra: Vec::new(),
        }
    }

    /// vsftpd on this host.
    pub fn vsftpd(&self) -> Builder {
        self.serve(ServerKind::Vsftpd)
    }

    /// ProFTPD on this host.
    pub fn proftpd(&self) -> Builder {
        self.serve(ServerKind::Proftpd)
    }

    /// Pure-FTPd on this host.
    pub fn pure_ftpd(&self) -> Builder {
        self.serve(ServerKind::PureFtpd)
    }

    /// pyftpdlib on this host.
    pub fn pyftpdlib(&self) -> Builder {
        self.serve(ServerKind::Pyftpdlib)
    }

    /// The host's first IPv4 address.
    pub fn ipv4(&self) -> Result<Ipv4Addr> {
        let text = self.run(&["ip", "-4", "-o", "address", "show", "scope", "global"])?;
        let mut words = text.split_whitespace().skip_while(|w| *w != "inet").skip(1);
        let address = words.next().and_then(|a| a.split('/').next());
        let address = address.with_context(|| format!("{} has no IPv4 address", self.name()))?;
        Ok(address.parse()?)
    }
}

impl Builder {
    /// The control port; 21 unless told.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen at; the host's first IPv4 address unless told.
    #[must_use]
    pub fn bind(mut self, address: IpAddr) -> Self {
        self.bind = Some(address);
        self
    }

    /// The address to announce in 227, whatever the server's own is.
    #[must_use]
    pub fn passive_address(mut self, address: Ipv4Addr) -> Self {
        self.passive_address = Some(address);
        self
    }

    /// The ports to announce in 227 and 229.
    #[must_use]
    pub fn passive_ports(mut self, first: u16, last: u16) -> Self {
        self.passive_ports = Some((first, last));
        self
    }

    /// A line for the server's configuration (vsftpd, proftpd) or an argument
    /// for its command (pure-ftpd, pyftpdlib).
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.extra.push(line.to_owned());
        self
    }

    /// Starts the server and waits until it listens.
    pub fn start(self) -> Result<Server> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = self.host.dir().join(format!("{}-{n}", self.kind.name()));
        let setup = Setup {
            ip: match self.bind {
                Some(ip) => ip,
                None => self.host.ipv4()?.into(),
            },
            root: dir.join("root"),
            empty: dir.join("empty"),
            dir,
            port: self.port,
            passive_address: self.passive_address,
            passive_ports: self.passive_ports,
            extra: self.extra,
        };
        setup.make_folders()?;
        let ready = match self.kind {
            ServerKind::Vsftpd => vsftpd::prepare(&self.host, &setup),
            ServerKind::Proftpd => proftpd::prepare(&self.host, &setup),
            ServerKind::PureFtpd => pure_ftpd::prepare(&self.host, &setup),
            ServerKind::Pyftpdlib => pyftpdlib::prepare(&self.host, &setup),
        };
        let Ready {
            command,
            user,
            password,
        } = ready.with_context(|| format!("cannot set up {}", self.kind.name()))?;
        let mut process = self.host.spawn(command, self.kind.name())?;
        process.until_ready(&format!("listening at port {}", setup.port), |_| {
            self.host.is_listening(setup.port)
        })?;
        Ok(Server {
            process,
            kind: self.kind,
            setup,
            user,
            password,
        })
    }
}

/// What the kinds of servers are told.
#[derive(Debug)]
struct Setup {
    dir: PathBuf,
    root: PathBuf,
    /// An empty folder, for the part of a server that needs no files.
    empty: PathBuf,
    ip: IpAddr,
    port: u16,
    passive_address: Option<Ipv4Addr>,
    passive_ports: Option<(u16, u16)>,
    extra: Vec<String>,
}

impl Setup {
    fn make_folders(&self) -> Result<()> {
        // The root belongs to root (some servers refuse one that the user can
        // write to); only the folder for uploads is open to all.
        let upload = self.root.join(UPLOAD);
        for (dir, mode) in [
            (&self.dir, 0o755),
            (&self.root, 0o755),
            (&self.empty, 0o755),
            (&upload, 0o777),
        ] {
            fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            fs::set_permissions(dir, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Writes a file into the server's own folder.
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// A server that can be started.
struct Ready {
    command: Command,
    user: String,
    password: String,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    kind: ServerKind,
    setup: Setup,
    user: String,
    password: String,
}

impl Server {
    /// Which server it is.
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// The address it listens at.
    pub fn ip(&self) -> IpAddr {
        self.setup.ip
    }

    /// Its control port.
    pub fn port(&self) -> u16 {
        self.setup.port
    }

    /// How to log in when it is dialled at `at`.
    pub fn target(&self, at: SocketAddr) -> Target {
        Target {
            at,
            user: self.user.clone(),
            password: self.password.clone(),
        }
    }

    /// The folder that clients see.
    pub fn root(&self) -> &Path {
        &self.setup.root
    }

    /// Puts a file where clients can fetch it.
    pub fn publish(&self, name: &str, contents: impl Into<Vec<u8>>) -> Result<Payload> {
        let payload = Payload::from_bytes(contents);
        let path = self.setup.root.join(name);
        fs::write(&path, payload.bytes())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        Ok(payload)
    }

    /// Publishes `len` bytes without any pattern.
    pub fn publish_random(&self, name: &str, seed: u64, len: usize) -> Result<Payload> {
        self.publish(name, Payload::random(seed, len).bytes())
    }

    /// What a client uploaded under a name in [`UPLOAD`].
    pub fn uploaded(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.setup.root.join(UPLOAD).join(name);
        fs::read(&path).with_context(|| format!("{name} was not uploaded to {}", self.kind.name()))
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
