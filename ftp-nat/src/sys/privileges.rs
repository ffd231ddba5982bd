//! What the process may do, and what the kernel can do.

use std::fs;

use crate::error::{Error, Result};

const CAP_NET_ADMIN: (u32, &str) = (12, "CAP_NET_ADMIN");
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: (u32, &str) = (38, "CAP_PERFMON");
const CAP_BPF: (u32, &str) = (39, "CAP_BPF");

/// What a command is going to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Load and attach programs, or remove them.
    Manage,
    /// Read and write pinned maps.
    Inspect,
}

/// Fails with the names of the capabilities that are missing.
pub(crate) fn require(purpose: Purpose) -> Result<()> {
    let status =
        fs::read_to_string("/proc/self/status").map_err(Error::io("reading /proc/self/status"))?;
    // A /proc without the line is no reason to refuse: the kernel will.
    let Some(effective) = effective_capabilities(&status) else {
        return Ok(());
    };
    let missing = missing(purpose, effective);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::NotPermitted {
        missing: missing.join(", "),
    })
}

fn effective_capabilities(status: &str) -> Option<u64> {
    let hex = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

fn missing(purpose: Purpose, effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    let needed: &[_] = match purpose {
        Purpose::Manage => &[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON],
        Purpose::Inspect => &[CAP_BPF],
    };
    needed
        .iter()
        // CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON (capabilities(7)).
        .filter(|cap| !has(cap.0) && (cap.0 == CAP_NET_ADMIN.0 || !has(CAP_SYS_ADMIN)))
        .map(|cap| cap.1)
        .collect()
}

/// A kernel version; only the first two numbers carry features.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct KernelVersion(pub(crate) u32, pub(crate) u32);

/// The oldest kernel supported: the first long-term one with all helpers used.
pub(crate) const KERNEL_FLOOR: KernelVersion = KernelVersion(6, 1);
/// The first kernel with TCX links.
pub(crate) const KERNEL_TCX: KernelVersion = KernelVersion(6, 6);

impl KernelVersion {
    fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self(
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
        ))
    }
}

/// The running kernel's version; fails if it is below the floor.
pub(crate) fn kernel() -> Result<KernelVersion> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_err(Error::io("reading /proc/sys/kernel/osrelease"))?;
    check_kernel(release.trim())
}

fn check_kernel(release: &str) -> Result<KernelVersion> {
    KernelVersion::parse(release)
        .filter(|version| *version >= KERNEL_FLOOR)
        .ok_or_else(|| Error::KernelTooOld {
            feature: "ftp-nat",
            needed: "6.1",
            found: release.to_owned(),
            advice: "",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let bit = |n: u32| 1u64 << n;
        assert_eq!(
            missing(Purpose::Manage, 0),
            ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]
        );
        assert_eq!(missing(Purpose::Inspect, 0), ["CAP_BPF"]);
        assert_eq!(missing(Purpose::Manage, bit(21)), ["CAP_NET_ADMIN"]);
        assert!(missing(Purpose::Manage, bit(12) | bit(38) | bit(39)).is_empty());
    }

    #[test]
    fn capabilities_are_read_from_the_status_file() {
        assert_eq!(
            effective_capabilities("Name:\tx\nCapEff:\t0000003fffffffff\n"),
            Some(0x3f_ffff_ffff)
        );
        assert_eq!(effective_capabilities("Name:\tx\n"), None);
    }

    #[test]
    fn an_old_kernel_is_refused_by_name() {
        assert_eq!(check_kernel("6.18.44-fc").ok(), Some(KernelVersion(6, 18)));
        assert_eq!(
            check_kernel("6.1.0-40-amd64").ok(),
            Some(KernelVersion(6, 1))
        );
        let error = check_kernel("5.15.0").unwrap_err().to_string();
        assert!(error.contains("6.1") && error.contains("5.15.0"), "{error}");
    }
}
