//! The namespaces of one lab.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

use super::{cleanup, host::Host, process};

/// The namespaces and the folder of one lab; dropping it removes them all.
#[derive(Debug)]
pub struct Net {
    name: String,
    dir: PathBuf,
    _guard: cleanup::Guard,
}

impl Net {
    /// A new, empty lab under a random name.
    pub fn new() -> Result<Self> {
        if !Uid::effective().is_root() {
            bail!("a lab makes network namespaces and needs root: run it with sudo");
        }
        let mut random = [0u8; 4];
        File::open("/dev/urandom")?.read_exact(&mut random)?;
        let name = format!("{}{:08x}", cleanup::PREFIX, u32::from_ne_bytes(random));
        let guard = cleanup::Guard::new(&name)?;
        let dir = cleanup::folder(&name);
        // Servers that give up root read their files below.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            name,
            dir,
            _guard: guard,
        })
    }

    /// The lab's name, which all it makes carries.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the helper under test pins its maps and programs.
    pub fn pin_path(&self) -> PathBuf {
        Path::new(cleanup::BPFFS).join(&self.name)
    }

    /// A new host: a namespace with loopback up and duplicate address detection off.
    pub fn host(&self, name: &str) -> Result<Host> {
        let netns = format!("{}-{name}", self.name);
        {
            let _making = cleanup::making();
            process::checked(Command::new("ip").args(["netns", "add", &netns]))?;
        }
        let path = Path::new(cleanup::NETNS_DIR).join(&netns);
        let ns = File::open(&path)
            .with_context(|| format!("cannot open namespace {}", path.display()))?;
        let host = Host::new(name, netns, Arc::new(ns), &self.dir);
        // Addresses must be usable at once, and no chatter in the captures.
        for scope in ["all", "default"] {
            host.sysctl(&format!("net.ipv6.conf.{scope}.accept_dad"), "0")?;
            host.sysctl(&format!("net.ipv6.conf.{scope}.router_solicitations"), "0")?;
        }
        host.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(host)
    }
}
