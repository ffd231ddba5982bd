//! What can go wrong, said so that the reader knows what to do.
//!
//! An error's own text leaves out its cause, which is its `source`:
//! [`Error::whole`] gives both.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::loader::DEFAULT_PIN_PATH;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line can't be understood, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// Options that can't be used together.
    #[error("{0}")]
    CommandLine(String),
    /// Something is wrong with a configuration file.
    #[error(transparent)]
    Configuration(#[from] crate::config::Problems),
    /// A configuration file can't be read.
    #[error("the configuration file {} can't be read ({advice})", .path.display())]
    ConfigurationFile {
        /// Its name.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A named interface doesn't exist.
    #[error("no such interface: {name} (there are: {existing})")]
    NoSuchInterface {
        /// The name that was given.
        name: String,
        /// The interfaces of this network namespace.
        existing: String,
    },
    /// No interface was named.
    #[error(
        "no interface was named: name the outside ones with --wan and the inside ones with --lan, \
         or as wan and lan in the configuration file"
    )]
    NoInterface,
    /// The same interface was given twice.
    #[error("interface {name} is named twice: name each interface once")]
    InterfaceTwice {
        /// The interface.
        name: String,
    },
    /// An interface was named with `--wan` and with `--lan`.
    #[error(
        "interface {name} is named as --wan and as --lan: it can be one of them only \
         (where inside and outside share one interface, name it as --wan)"
    )]
    InterfaceBothKinds {
        /// The interface.
        name: String,
    },
    /// A domain is no number and no VRF.
    #[error("no domain {name}: name a VRF device, or a number from 0 to 2147483647 of your choice")]
    NoSuchDomain {
        /// What was given.
        name: String,
    },
    /// A domain was given for an interface that isn't used.
    #[error("--domain names interface {name}, which is neither a --wan nor a --lan")]
    DomainOfOther {
        /// The interface.
        name: String,
    },
    /// Two domains were given for an interface.
    #[error("interface {name} is given two domains: it can be in one only")]
    DomainTwice {
        /// The interface.
        name: String,
    },
    /// Two named interfaces lie on top of each other.
    #[error(
        "interface {upper} lies on top of {lower} ({upper} is its bridge, bond, VRF or VLAN), so every \
         packet would be handled twice: name only the one that carries the IP address"
    )]
    Stacked {
        /// The device on top.
        upper: String,
        /// The device below.
        lower: String,
    },
    /// The interface's packets have a link header nobody here can step over.
    #[error(
        "interface {name} has link type {link_type} (ARPHRD_* of <linux/if_arp.h>): only Ethernet and \
         devices without a link header (tun, WireGuard, PPP, IP tunnels) are supported"
    )]
    LinkLayer {
        /// The interface.
        name: String,
        /// Its ARPHRD type.
        link_type: u16,
    },
    /// The process lacks capabilities.
    #[error(
        "not permitted: {missing} missing. Run as root (sudo), or give the program \
         CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and CAP_SYS_ADMIN where the bpf filesystem has to be mounted"
    )]
    NotPermitted {
        /// The missing capabilities, by name.
        missing: String,
    },
    /// The kernel is too old for what is wanted.
    #[error("{feature} needs Linux {needed} or newer, this is {found}{advice}")]
    KernelTooOld {
        /// What needs the newer kernel.
        feature: &'static str,
        /// The version needed.
        needed: &'static str,
        /// The version that runs.
        found: String,
        /// What else would do, if anything; begins with a space or colon.
        advice: &'static str,
    },
    /// There is nothing under the pin path.
    #[error("nothing is loaded at {}: start it with `ftp-nat run`, or name the right place with --pin-path", path.display())]
    NothingLoaded {
        /// The pin path.
        path: PathBuf,
    },
    /// No `run` answers at the control socket.
    #[error(
        "no `ftp-nat run` serves {}: what happened is in its memory. Start it again, or name the right \
         place with --pin-path",
        path.display()
    )]
    NobodyServes {
        /// The pin path.
        path: PathBuf,
    },
    /// Another process holds the lock of the pin path.
    #[error(
        "another instance running: process {pid} serves {}; stop it first{advice}",
        path.display()
    )]
    AnotherInstance {
        /// The pin path.
        path: PathBuf,
        /// The other process, `unknown` if it is in another PID namespace.
        pid: String,
        /// What else would do; begins with a comma.
        advice: &'static str,
    },
    /// The running instance did not end in time.
    #[error(
        "process {pid} was asked to end and still runs after {seconds} s: end it by hand, then try again"
    )]
    DidNotStop {
        /// The process.
        pid: i32,
        /// How long was waited.
        seconds: u64,
    },
    /// `unload` was interrupted while it waited.
    #[error(
        "{signal}: {} is still being drained: nothing new is helped, and {left} go on. `ftp-nat unload` waits \
         for them again, `{}` ends them, `ftp-nat run` helps again",
        path.display(), unload_command(path).replace("unload", "unload --now")
    )]
    StillDraining {
        /// The pin path.
        path: PathBuf,
        /// What interrupted it.
        signal: &'static str,
        /// What is left.
        left: crate::drain::Left,
    },
    /// A pinned map isn't what this version expects.
    #[error(
        "what is pinned at {} can't be used: map {map}: {difference}. It was made by another version; \
         `{}` removes it (running FTP sessions are lost)",
        path.display(), unload_command(path)
    )]
    Incompatible {
        /// The pin path.
        path: PathBuf,
        /// The map that differs.
        map: &'static str,
        /// What differs.
        difference: String,
    },
    /// A size was asked for that the pinned maps don't have.
    #[error(
        "{option} {wanted} can't be had: the tables pinned at {} have room for {found}, which is fixed \
         while they exist. Leave the option out to keep them, or run `{}` first",
        path.display(), unload_command(path)
    )]
    OtherSize {
        /// The pin path.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// What it asks for.
        wanted: u32,
        /// What there is.
        found: u32,
    },
    /// Live links under the pin path belong to interfaces of another network namespace.
    #[error(
        "what is pinned at {} is attached to an interface of another network namespace: \
         use another --pin-path here, or remove it with `{}`",
        path.display(), unload_command(path)
    )]
    OtherNamespace {
        /// The pin path.
        path: PathBuf,
    },
    /// Another ftp-nat with other pins is on the interface.
    #[error(
        "interface {name} is handled by another ftp-nat, whose pins are elsewhere: unload that one, \
         or name its directory with --pin-path"
    )]
    InterfaceTaken {
        /// The interface.
        name: String,
    },
    /// clsact can't be added to an interface.
    #[error(
        "interface {name} has an ingress qdisc, and clsact can't be added beside it: a clsact qdisc \
         does all that it does (tc qdisc del dev {name} ingress && tc qdisc add dev {name} clsact, \
         then add its filters again)"
    )]
    IngressQdisc {
        /// The interface.
        name: String,
    },
    /// The place for the bpf filesystem is taken by other files.
    #[error(
        "{} is not on a bpf filesystem and holds other files: name an empty or new directory with --pin-path",
        path.display()
    )]
    NotEmpty {
        /// The pin path.
        path: PathBuf,
    },
    /// A bpf filesystem could not be mounted.
    #[error(
        "could not mount a bpf filesystem on {} (needs CAP_SYS_ADMIN; by hand: mount -t bpf bpf {})",
        path.display(), path.display()
    )]
    Mount {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The object was refused.
    #[error("loading the eBPF object")]
    Object(#[from] aya::EbpfError),
    /// A program was refused, or could not be attached.
    #[error("{what}")]
    Program {
        /// What was tried.
        what: String,
        /// Why not.
        source: Box<aya::programs::ProgramError>,
    },
    /// The object lacks something that the loader relies on.
    #[error(
        "the eBPF object has no {0}: object and loader are of different versions; rebuild with `cargo xtask object`"
    )]
    ObjectLacks(&'static str),
    /// Metrics can't be served.
    #[error(
        "--metrics: {address} can't be listened at: name an address of this machine and a free port"
    )]
    Metrics {
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// An operation on a file, a map or the kernel failed.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// The error and all its causes on one line.
    #[must_use]
    pub fn whole(&self) -> String {
        whole(self)
    }

    /// An [`Error::Io`], for use with `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// An error and all its causes on one line.
#[must_use]
pub fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors of other crates repeat their cause in their own text.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// The command that removes what is pinned at `path`.
fn unload_command(path: &Path) -> String {
    if path == Path::new(DEFAULT_PIN_PATH) {
        "ftp-nat unload".to_owned()
    } else {
        format!("ftp-nat unload --pin-path {}", path.display())
    }
}
