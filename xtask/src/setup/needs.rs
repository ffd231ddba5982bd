//! What is needed for what, and the Debian package that has it.

use std::{fmt, path::Path};

use crate::process::find_program;

/// How to see that a package's content is there, whoever installed it.
#[derive(Clone, Copy)]
pub enum Probe {
    /// A program of that name in PATH or in a folder of system programs.
    Program(&'static str),
    /// A file or folder.
    Path(&'static str),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => write!(f, "the program {name}"),
            Self::Path(path) => f.write_str(path),
        }
    }
}

/// One package and the probe that makes its installation unnecessary.
pub struct Need {
    /// Debian's name of the package.
    pub package: &'static str,
    /// What is looked for.
    pub probe: Probe,
}

impl Need {
    const fn program(package: &'static str, program: &'static str) -> Self {
        Self {
            package,
            probe: Probe::Program(program),
        }
    }

    const fn path(package: &'static str, path: &'static str) -> Self {
        Self {
            package,
            probe: Probe::Path(path),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_met(&self) -> bool {
        match self.probe {
            Probe::Program(name) => find_program(name).is_some(),
            Probe::Path(path) => Path::new(path).exists(),
        }
    }
}

/// A compiler with a prebuilt `core` for bpfel; the libraries for the host come with it.
pub const COMPILER: &[Need] = &[
    Need::path("rustc-web", "/usr/bin/rustc"),
    Need::path(
        "libstd-rust-web-dev-bpf",
        "/usr/lib/rustlib/bpfel-unknown-none/lib",
    ),
];

/// LLVM's tools, and under them the library that bpf-linker uses.
pub const LLVM: &[Need] = &[Need::program("llvm-22", "llvm-objcopy-22")];

/// Building bpf-linker, where it isn't there yet.
pub const LINKER_BUILD: &[Need] = &[
    Need::program("gcc", "cc"),
    Need::path("llvm-22-dev", "/usr/lib/llvm-22/lib/libLLVM.so"),
    Need::path("libpolly-22-dev", "/usr/lib/llvm-22/lib/libPolly.a"),
    Need::path("libzstd-dev", "/usr/include/zstd.h"),
    Need::path("zlib1g-dev", "/usr/include/zlib.h"),
];

/// Building libFuzzer.
pub const FUZZ: &[Need] = &[Need::program("g++", "c++")];

/// Making the Debian package and trying it.
pub const DIST: &[Need] = &[
    Need::program("dpkg", "dpkg-deb"),
    Need::program("systemd", "systemd-analyze"),
    Need::program("man-db", "man"),
];

/// The demo's clients.
pub const DEMO: &[Need] = &[Need::program("curl", "curl"), Need::program("lftp", "lftp")];

/// What namespaces, links and firewalls are made with.
pub const NETWORK: &[Need] = &[
    Need::program("nftables", "nft"),
    Need::program("iproute2", "ip"),
    Need::program("ethtool", "ethtool"),
];

/// What the namespace tests need beyond [`DEMO`].
pub const LAB: &[Need] = &[
    Need::program("tnftp", "tnftp"),
    Need::program("inetutils-ftp", "inetutils-ftp"),
    // Debian's own Python sees these; another one that comes first in PATH wouldn't.
    Need::path("python3", "/usr/bin/python3"),
    Need::path(
        "python3-pyftpdlib",
        "/usr/lib/python3/dist-packages/pyftpdlib",
    ),
    Need::path("python3-openssl", "/usr/lib/python3/dist-packages/OpenSSL"),
    Need::program("openssl", "openssl"),
    Need::program("conntrack", "conntrack"),
    Need::program("tcpdump", "tcpdump"),
    Need::program("iperf3", "iperf3"),
    Need::program("bpftool", "bpftool"),
];

/// A program that is unpacked, not installed.
pub struct Unpacked {
    /// The program's name, and that of its folder and its launcher.
    pub name: &'static str,
    /// Debian's name of the package.
    pub package: &'static str,
    /// Where the program is in it.
    pub program: &'static str,
    /// Packages with data that it needs. Libraries are found without this.
    pub with: &'static [&'static str],
}

impl Unpacked {
    const fn new(name: &'static str, package: &'static str, program: &'static str) -> Self {
        Self {
            name,
            package,
            program,
            with: &[],
        }
    }
}

/// The servers; the demo uses the first only.
pub const PEERS: &[Unpacked] = &[
    Unpacked::new("vsftpd", "vsftpd", "usr/sbin/vsftpd"),
    Unpacked::new("proftpd", "proftpd-core", "usr/sbin/proftpd"),
    Unpacked::new("pure-ftpd", "pure-ftpd", "usr/sbin/pure-ftpd"),
];

/// The virtual machine, and what only its tests need.
pub const MACHINE: &[Unpacked] = &[
    Unpacked {
        with: &["qemu-system-common", "qemu-system-data", "seabios"],
        ..Unpacked::new(
            "qemu-system-x86_64",
            "qemu-system-x86",
            "usr/bin/qemu-system-x86_64",
        )
    },
    Unpacked::new("busybox", "busybox-static", "bin/busybox"),
    Unpacked::new("wg", "wireguard-tools", "usr/bin/wg"),
    Unpacked::new("pppd", "ppp", "usr/sbin/pppd"),
];
