//! The virtual machine: a PC by software emulation, which any machine can run,
//! in a container too. It has two processors, no disk and no network.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{setup::Kernel, workspace};

/// Seconds after which a machine that hangs is ended.
const DEADLINE: u32 = 900;

/// The kernel's command line. Its messages go to the first serial port; a panic
/// ends the machine. What protects from other users costs time where every
/// instruction is emulated.
const KERNEL_LINE: &str =
    "console=ttyS0 no_timer_check panic=-1 mitigations=off init_on_alloc=0 no5lvl audit=0";

/// What the kernel said.
pub fn kernel_log() -> PathBuf {
    workspace::machine().join("kernel.log")
}

/// The command that runs the machine to its end. What its job says, on the
/// second serial port, is the command's standard output.
pub fn command(kernel: &Kernel, image: &Path) -> Command {
    let emulator = workspace::machine().join("qemu-system-x86_64");
    let mut command = Command::new("timeout");
    command
        // In the foreground Ctrl-C reaches the emulator, which then ends.
        .args(["--foreground", "--kill-after=10", &DEADLINE.to_string()])
        .arg(workspace::machine().join("bin/qemu-system-x86_64"))
        .arg("-L")
        .arg(emulator.join("usr/share/qemu"))
        .arg("-L")
        .arg(emulator.join("usr/share/seabios"))
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"])
        .args(["-m", "2048", "-nodefaults", "-no-reboot"])
        .args(["-display", "none", "-nic", "none"])
        .arg("-serial")
        .arg(joined("file:", &kernel_log()))
        .args(["-serial", "stdio"])
        .args([
            "-fsdev",
            "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device",
            "virtio-9p-pci,fsdev=host,mount_tag=host",
        ])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(image)
        .args(["-append", KERNEL_LINE])
        .stdin(Stdio::null());
    command
}

fn joined(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}
