//! Where things are.

use std::path::{Path, PathBuf};

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The eBPF crate, a workspace of its own.
pub fn ebpf_crate() -> PathBuf {
    root().join("ftp-nat-ebpf")
}

/// What set-up and object builds keep between runs. Not `CARGO_TARGET_DIR`: the
/// FTP servers unpacked here are looked up by the tests, too.
pub fn cache() -> PathBuf {
    root().join("target")
}

/// FTP servers unpacked from their packages: `bin/` has a launcher for each,
/// and a folder of the server's name holds the files of its packages.
pub fn peers() -> PathBuf {
    cache().join("peers")
}

/// The virtual machine: its kernel, the emulator, and programs for it, laid out
/// like [`peers`].
pub fn machine() -> PathBuf {
    cache().join("vm")
}

/// Tools of our own exact version, when the machine's is another.
pub fn tools() -> PathBuf {
    cache().join("tools")
}

/// The cargo that runs us, so that `cargo +toolchain xtask` stays with its toolchain.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}
