//! The kernel, and what this process may do.

use std::fs;

use super::Check;
use crate::sys::privileges::{self, KERNEL_TCX, Purpose};

pub(super) fn look() -> Vec<Check> {
    vec![kernel(), privileges(), jit(), clock()]
}

fn kernel() -> Check {
    const WHAT: &str = "kernel";
    match privileges::kernel() {
        Ok(version) => {
            let hook = if version >= KERNEL_TCX {
                "TCX"
            } else {
                "clsact, since TCX needs 6.6"
            };
            Check::ok(
                WHAT,
                format!(
                    "Linux {}.{}: programs are attached by {hook}",
                    version.0, version.1
                ),
            )
        }
        Err(e) => Check::error(WHAT, e.whole(), "boot Linux 6.1 or newer"),
    }
}

fn privileges() -> Check {
    const WHAT: &str = "capabilities";
    match privileges::require(Purpose::Manage) {
        Ok(()) => Check::ok(WHAT, "all that are needed"),
        Err(e) => Check::error(WHAT, e.whole(), "sudo ftp-nat doctor"),
    }
}

fn jit() -> Check {
    let path = "/proc/sys/net/core/bpf_jit_enable";
    judge_jit(fs::read_to_string(path).ok().as_deref())
}

fn judge_jit(value: Option<&str>) -> Check {
    const WHAT: &str = "jit";
    match value.map(str::trim) {
        // `check_map_func_compatibility` of kernel/bpf/verifier.c.
        Some("0") => Check::error(
            WHAT,
            "the kernel interprets eBPF programs instead of compiling them, and so refuses those that \
             call each other: `ftp-nat run` can't load its own",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        Some(_) => Check::ok(WHAT, "eBPF programs are compiled"),
        // A kernel that always compiles has no switch in some network namespaces.
        None => Check::ok(WHAT, "the kernel has no switch for it here"),
    }
}

/// Expiry goes by the monotonic clock, which needs no care. The time of day is
/// in logs and events, and in the certificates that FTPS clients look at.
fn clock() -> Check {
    // SAFETY: all zero is a value of this structure of numbers, and asks to
    // change nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is valid and ours.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    judge_clock(answer, state.status)
}

fn judge_clock(answer: i32, status: i32) -> Check {
    const WHAT: &str = "clock";
    if answer < 0 {
        return Check::ok(WHAT, "whether somebody keeps the time of day can't be told");
    }
    if answer == libc::TIME_ERROR || status & libc::STA_UNSYNC != 0 {
        return Check::warning(
            WHAT,
            "nobody keeps the time of day: times in logs and events may be wrong, and TLS \
             certificates be refused; translating doesn't depend on it",
            "timedatectl set-ntp true",
        );
    }
    Check::ok(WHAT, "the time of day is kept")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn an_interpreter_is_warned_of() {
        assert_eq!(judge_jit(Some("0\n")).state, State::Error);
        assert_eq!(judge_jit(Some("1\n")).state, State::Ok);
        assert_eq!(judge_jit(None).state, State::Ok);
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_warned_of() {
        assert_eq!(judge_clock(0, 0).state, State::Ok);
        assert_eq!(judge_clock(0, libc::STA_UNSYNC).state, State::Warning);
        assert_eq!(judge_clock(libc::TIME_ERROR, 0).state, State::Warning);
        assert_eq!(judge_clock(-1, 0).state, State::Ok);
    }

    #[test]
    fn asking_needs_no_privilege() {
        assert_eq!(look().len(), 4);
    }
}
