//! Where the real FTP programs and the helper under test are found.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, bail};

/// Folder of servers that are unpacked rather than installed, because their
/// packages conflict: one sub-folder per server.
pub const PEERS_ENV: &str = "FTP_NAT_PEERS";
/// The `ftp-nat` program under test.
pub const BINARY_ENV: &str = "FTP_NAT_BIN";
/// What to do about a missing program.
pub const HINT: &str = "run `cargo xtask setup --tests`";

fn workspace() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the crate has no parent folder")
}

/// The `ftp-nat` program under test: `FTP_NAT_BIN`, or the release build.
pub fn ftp_nat() -> Result<PathBuf> {
    let path = match env::var_os(BINARY_ENV) {
        Some(path) => PathBuf::from(path),
        None => workspace()?.join("target/release/ftp-nat"),
    };
    if !path.is_file() {
        bail!(
            "no ftp-nat at {}: build it with `cargo build --release`, or set {BINARY_ENV}",
            path.display()
        );
    }
    Ok(path.canonicalize()?)
}

/// A server unpacked from its package: its program and its library folders.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// The program.
    pub program: PathBuf,
    root: PathBuf,
}

impl Unpacked {
    /// Finds `program` (such as `usr/sbin/proftpd`) of the peer `name`.
    pub fn find(name: &str, program: &str) -> Result<Self> {
        let root = folder()?.join(name);
        let program = root.join(program);
        if !program.is_file() {
            bail!("{name} is missing at {}: {HINT}", program.display());
        }
        Ok(Self { program, root })
    }

    /// Another program of the same package.
    pub fn tool(&self, path: &str) -> Result<PathBuf> {
        let tool = self.root.join(path);
        if !tool.is_file() {
            bail!("{} is missing: {HINT}", tool.display());
        }
        Ok(tool)
    }

    /// Value of `LD_LIBRARY_PATH` with the libraries unpacked beside it.
    pub fn libraries(&self) -> Result<String> {
        let triplet = format!("{}-linux-gnu", env::consts::ARCH);
        let folders = ["usr/lib", "lib"].map(|lib| self.root.join(lib).join(&triplet));
        Ok(env::join_paths(folders)?.to_string_lossy().into_owned())
    }
}

/// The folder of unpacked servers: `FTP_NAT_PEERS`, or that of the set-up.
fn folder() -> Result<PathBuf> {
    match env::var_os(PEERS_ENV) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Ok(workspace()?.join("target/peers")),
    }
}

/// A program by name: one that the set-up unpacked, or an installed one.
pub fn installed(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![folder()?.join("bin")];
    folders.extend(env::split_paths(&path));
    // Not in the PATH of everyone who becomes root.
    folders.extend(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed: {HINT}"))
}

/// A Python that has `module`. The one on the PATH may be a version manager's,
/// which does not see the system's packages.
pub fn python(module: &str) -> Result<PathBuf> {
    static FOUND: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let candidates = FOUND.get_or_init(|| {
        let mut list = vec![PathBuf::from("/usr/bin/python3")];
        list.extend(installed("python3"));
        list.retain(|p| p.is_file());
        list
    });
    for python in candidates {
        let imported = Command::new(python)
            .args(["-W", "ignore", "-c", &format!("import {module}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if imported.is_ok_and(|s| s.success()) {
            return Ok(python.clone());
        }
    }
    bail!("no python3 with the module {module}: {HINT}")
}
