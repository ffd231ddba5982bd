//! The clock that the kernel side stamps its entries with.

/// `bpf_ktime_get_ns`: CLOCK_MONOTONIC in ns.
pub(crate) fn monotonic_ns() -> u64 {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` is a valid timespec to write to. The call can't fail for
    // this clock; if it did, `at` stays zero, at which nothing is expired.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut at) };
    let (seconds, ns) = (at.tv_sec.unsigned_abs(), at.tv_nsec.unsigned_abs());
    seconds * ftp_nat_common::translation::SECOND + ns
}
