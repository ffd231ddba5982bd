//! One host of a lab: what can be done inside its namespace.

use std::{
    fs::{self, File},
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    sched::{CloneFlags, setns},
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
    },
};

use super::{
    capture::Capture,
    cleanup,
    process::{Finished, Process, checked},
    wait,
};

/// A host of a lab: a handle to its network namespace.
#[derive(Debug, Clone)]
pub struct Host {
    name: String,
    netns: String,
    ns: Arc<File>,
    dir: PathBuf,
}

impl Host {
    pub(super) fn new(name: &str, netns: String, ns: Arc<File>, dir: &Path) -> Self {
        Self {
            name: name.to_owned(),
            netns,
            ns,
            dir: dir.to_owned(),
        }
    }

    /// The host's short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its namespace, as `ip netns` lists it.
    pub fn netns(&self) -> &str {
        &self.netns
    }

    /// The folder of the lab.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `work` on a thread inside the namespace. Sockets made there belong
    /// to it for ever, wherever they are used afterwards.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.ns, CloneFlags::CLONE_NEWNET)
                    .with_context(|| format!("cannot enter namespace {}", self.netns))?;
                work()
            });
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace.
    ///
    /// Only the network namespace is entered, unlike `ip netns exec`, which
    /// would also give the program a `/sys` without the pins.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let ns = Arc::clone(&self.ns);
        // SAFETY: between fork and exec only setns(2) is called, which is
        // async-signal-safe, on a descriptor that the closure keeps open.
        unsafe {
            command.pre_exec(
                move || match libc::setns(ns.as_raw_fd(), libc::CLONE_NEWNET) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                },
            );
        }
        command
    }

    /// Runs a short command to its end; its failure is an error with what it said.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        let (program, args) = words.split_first().context("no command given")?;
        let _making = cleanup::making();
        checked(self.command(program).args(args)).with_context(|| format!("on {}", self.name))
    }

    /// Starts a program that stays; it is killed when the handle is dropped.
    pub fn spawn(&self, command: Command, name: &str) -> Result<Process> {
        Process::spawn(command, &format!("{}-{name}", self.name), &self.dir)
    }

    /// Runs a program with some standard input to its end, for at most `limit`.
    pub fn finish(
        &self,
        mut command: Command,
        name: &str,
        input: &str,
        limit: Duration,
    ) -> Result<Finished> {
        if input.is_empty() {
            command.stdin(Stdio::null());
        } else {
            // Through a file, so that neither side can wait for the other.
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.join(format!("{n}-{name}.in"));
            fs::write(&path, input)?;
            command.stdin(File::open(&path)?);
        }
        self.spawn(command, name)?.finish(limit)
    }

    /// Sets a sysctl, named with dots or slashes.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        // `/proc/sys/net` shows the namespace of the thread that opens it.
        self.enter(|| {
            fs::write(&path, value)
                .with_context(|| format!("cannot set {} on {}", path.display(), self.name))
        })
    }

    /// Adds an address to an interface.
    pub fn address(&self, interface: &str, address: &str) -> Result<&Self> {
        self.run(&["ip", "address", "add", address, "dev", interface])?;
        Ok(self)
    }

    /// Sets the default route (of the address's family).
    pub fn default_route(&self, via: IpAddr) -> Result<&Self> {
        let family = if via.is_ipv4() { "-4" } else { "-6" };
        self.run(&[
            "ip",
            family,
            "route",
            "replace",
            "default",
            "via",
            &via.to_string(),
        ])?;
        Ok(self)
    }

    /// Sets an interface's MTU.
    pub fn mtu(&self, interface: &str, mtu: u32) -> Result<&Self> {
        self.run(&["ip", "link", "set", interface, "mtu", &mtu.to_string()])?;
        Ok(self)
    }

    /// Loads nftables rules.
    pub fn nft(&self, rules: &str) -> Result<()> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        let done = self.finish(command, "nft", rules, wait::PATIENCE)?;
        done.success("nft")
            .with_context(|| format!("rules for {}:\n{rules}", self.name))?;
        Ok(())
    }

    /// Begins to capture what passes an interface, in both directions.
    pub fn capture(&self, interface: &str) -> Result<Capture> {
        Capture::start(self, interface)
    }

    /// A TCP connection from this host.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream> {
        self.enter(|| {
            TcpStream::connect_timeout(&to, wait::scaled(Duration::from_secs(5)))
                .map_err(|e| anyhow!(e).context(format!("cannot connect to {to}")))
        })
    }

    /// The same over IPv4 from a port of this host's.
    pub fn connect_from(&self, port: u16, to: SocketAddrV4) -> Result<TcpStream> {
        self.enter(|| {
            let flags = SockFlag::SOCK_CLOEXEC;
            let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
            setsockopt(&fd, sockopt::ReuseAddr, &true)?;
            let own = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
            bind(fd.as_raw_fd(), &SockaddrIn::from(own)).context("bind")?;
            connect(fd.as_raw_fd(), &SockaddrIn::from(to)).context("connect")?;
            Ok(TcpStream::from(fd))
        })
    }

    /// A TCP listener on this host.
    pub fn listen(&self, at: SocketAddr) -> Result<TcpListener> {
        // A listener that was just closed can live a moment longer, in a child
        // of another thread that was forked and hasn't run its program yet.
        wait::until(&format!("{at} to be free"), wait::PATIENCE, || {
            self.enter(|| match TcpListener::bind(at) {
                Ok(listener) => Ok(Some(listener)),
                Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
                Err(error) => Err(error).with_context(|| format!("cannot listen at {at}")),
            })
        })
    }

    /// Whether a program of this host listens at a TCP port.
    ///
    /// Read from the kernel's table: a trial connection would confuse a server
    /// and its log.
    pub fn is_listening(&self, port: u16) -> Result<bool> {
        let list = self.sockets()?;
        Ok(list.iter().any(|s| s.local == port && s.state == LISTEN))
    }

    /// Whether a connection from or to a TCP port of another host or of this one
    /// is not yet over: both ends have closed it when neither host says so.
    pub fn is_connected(&self, port: u16) -> Result<bool> {
        let list = self.sockets()?;
        Ok(list.iter().any(|s| {
            let of_port = s.local == port || s.remote == port;
            of_port && s.state != LISTEN && s.state != TIME_WAIT
        }))
    }

    /// Whether any TCP connection of the host is not yet over.
    pub fn has_connections(&self) -> Result<bool> {
        let list = self.sockets()?;
        Ok(list
            .iter()
            .any(|s| s.state != LISTEN && s.state != TIME_WAIT))
    }

    fn sockets(&self) -> Result<Vec<Socket>> {
        self.enter(|| {
            let mut list = Vec::new();
            for table in ["tcp", "tcp6"] {
                let text = fs::read_to_string(format!("/proc/thread-self/net/{table}"))?;
                list.extend(text.lines().skip(1).filter_map(Socket::parse));
            }
            Ok(list)
        })
    }

    /// Entries of the connection tracker, one per line.
    pub fn conntrack(&self) -> Result<Vec<String>> {
        Ok(self
            .run(&["conntrack", "-L"])?
            .lines()
            .map(str::to_owned)
            .collect())
    }
}

const LISTEN: u8 = 0x0a;
const TIME_WAIT: u8 = 0x06;

/// A line of the kernel's table of TCP sockets.
struct Socket {
    local: u16,
    remote: u16,
    state: u8,
}

impl Socket {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(1);
        let mut port = || u16::from_str_radix(fields.next()?.rsplit_once(':')?.1, 16).ok();
        let (local, remote) = (port()?, port()?);
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        Some(Self {
            local,
            remote,
            state,
        })
    }
}
