//! Ending a process at one system call of many, by ptrace(2).

use std::mem::MaybeUninit;

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::{
        ptrace,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// `bpf(2)`, and the first argument by which it puts another program on a link
/// (`BPF_LINK_UPDATE` in <linux/bpf.h>).
pub const LINK_UPDATE: (i64, u64) = (libc::SYS_bpf, 29);

/// Follows the main thread of a process that was just started, and kills it when
/// it is about to call `call` for the `nth` time (from 1).
pub fn kill_at(pid: Pid, (number, argument): (i64, u64), nth: usize) -> Result<()> {
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD).context("following a process")?;
    ptrace::interrupt(pid)?;
    let mut seen = 0;
    loop {
        let mut signal = None;
        match waitpid(pid, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceSyscall(_) => {
                if is_entry(pid, number, argument)? {
                    seen += 1;
                }
                if seen == nth {
                    kill(pid, Signal::SIGKILL)?;
                    return Ok(());
                }
            }
            WaitStatus::Stopped(_, other) => signal = Some(other),
            WaitStatus::PtraceEvent(..) => {}
            ended => bail!("{ended:?} after {seen} calls of {nth}"),
        }
        ptrace::syscall(pid, signal)?;
    }
}

/// Whether the process is about to make the call.
fn is_entry(pid: Pid, number: i64, argument: u64) -> Result<bool> {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    // The kernel wants the size, which nix doesn't give.
    // SAFETY: the kernel writes no more than the size; all zero is a value.
    let info = unsafe {
        let size = size_of_val(&info);
        let got = libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            pid.as_raw(),
            size,
            info.as_mut_ptr(),
        );
        ensure!(got > 0, "the system call of a process can't be read");
        info.assume_init()
    };
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return Ok(false);
    }
    // SAFETY: the kernel says that it is an entry.
    let entry = unsafe { info.u.entry };
    Ok(entry.nr == number as u64 && entry.args[0] == argument)
}
