//! Where the socket is. It is named after the pin path, so that instances with
//! other pins don't meet.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// The folder of the sockets.
pub const FOLDER: &str = "/run/ftp-nat";

/// The longest file name: `sun_path` has room for 107 bytes (unix(7)).
const NAME_MAX: usize = 80;

/// The socket of the data path that is pinned at `pin_path`.
#[must_use]
pub fn of(pin_path: &Path) -> PathBuf {
    Path::new(FOLDER).join(format!("{}.sock", name(pin_path)))
}

/// The pin path as one word: `/sys/fs/bpf/ftp-nat` is `sys-fs-bpf-ftp\x2dnat`, as
/// systemd-escape(1) has it. One that is too long is cut, and told from others by
/// a number made of the whole.
fn name(pin_path: &Path) -> String {
    let whole = std::path::absolute(pin_path).unwrap_or_else(|_| pin_path.to_owned());
    let bytes = whole.as_os_str().as_encoded_bytes();
    let mut name = String::new();
    let mut parts = bytes.split(|b| *b == b'/').filter(|part| !part.is_empty());
    if let Some(first) = parts.next() {
        escape(first, &mut name);
    }
    for part in parts {
        name.push('-');
        escape(part, &mut name);
    }
    if name.len() > NAME_MAX {
        let number = fnv1a(name.as_bytes());
        name.truncate(NAME_MAX - 17);
        // Writing to a string can't fail.
        let _ = write!(name, "-{number:016x}");
    }
    name
}

fn escape(part: &[u8], name: &mut String) {
    for byte in part {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b':' => {
                name.push(char::from(*byte));
            }
            other => drop(write!(name, "\\x{other:02x}")),
        }
    }
}

/// Fowler-Noll-Vo, variant 1a: names differ, nobody attacks them.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(path: &str) -> String {
        of(Path::new(path)).display().to_string()
    }

    #[test]
    fn pin_paths_have_sockets_of_their_own() {
        assert_eq!(
            of_text("/sys/fs/bpf/ftp-nat"),
            r"/run/ftp-nat/sys-fs-bpf-ftp\x2dnat.sock"
        );
        assert_ne!(of_text("/a-b"), of_text("/a/b"));
        assert_ne!(of_text("/a\\x2db"), of_text("/a-b"));
        assert_eq!(of_text("/a//b/"), of_text("/a/b"), "the same folder");
    }

    #[test]
    fn a_long_one_fits_and_stays_its_own() {
        let long = |end: &str| of_text(&format!("/{}/{end}", "long/".repeat(40)));
        assert!(long("a").len() <= 107, "{}", long("a"));
        assert_ne!(long("a"), long("b"));
    }
}
