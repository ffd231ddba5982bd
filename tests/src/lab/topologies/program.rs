//! TC programs put together from instructions: a lab needs a few lines of them,
//! and no compiler.
//!
//! Numbers of instructions, commands and helpers are those of
//! `include/uapi/linux/bpf.h`.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context, Result, ensure};

use crate::lab::host::Host;

/// Where a program is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Last of the programs there.
    Ingress,
    /// First of the programs there.
    Egress,
}

impl Hook {
    /// `BPF_TCX_INGRESS` and `BPF_TCX_EGRESS`, with `BPF_F_AFTER` and `BPF_F_BEFORE`.
    const fn place(self) -> (u32, u32) {
        match self {
            Self::Ingress => (46, 16),
            Self::Egress => (47, 8),
        }
    }
}

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    /// The target register in the lower half, the source in the upper one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// A register: `r0` holds results, `r1` to `r5` arguments, `r6` what lasts,
/// `r10` the end of the stack.
pub type Register = u8;

/// `bpf_skb_store_bytes`.
pub const SKB_STORE_BYTES: i32 = 9;
/// `bpf_l3_csum_replace`.
pub const L3_CSUM_REPLACE: i32 = 10;
/// `bpf_l4_csum_replace`.
pub const L4_CSUM_REPLACE: i32 = 11;
/// `bpf_skb_load_bytes`.
pub const SKB_LOAD_BYTES: i32 = 26;

/// A program in the making. It ends by letting the next program decide
/// (`TC_ACT_UNSPEC`), whatever happened.
#[derive(Debug, Default)]
pub struct Program {
    instructions: Vec<Instruction>,
    to_the_end: Vec<usize>,
}

impl Program {
    fn add(&mut self, code: u8, target: Register, source: Register, offset: i16, immediate: u32) {
        self.instructions.push(Instruction {
            code,
            registers: target | source << 4,
            offset,
            immediate: immediate.cast_signed(),
        });
    }

    /// `target = value`, 32 bits, the upper ones 0.
    pub fn set(&mut self, target: Register, value: u32) {
        self.add(0xb4, target, 0, 0, value);
    }

    /// `target = source`.
    pub fn copy(&mut self, target: Register, source: Register) {
        self.add(0xbf, target, source, 0, 0);
    }

    /// `target = r10 + offset`: a place on the stack.
    pub fn stack(&mut self, target: Register, offset: i16) {
        self.copy(target, 10);
        self.add(0x07, target, 0, 0, i32::from(offset).cast_unsigned());
    }

    /// Writes a word to the stack, in this machine's order.
    pub fn push(&mut self, offset: i16, value: u32) {
        self.add(0x62, 10, 0, offset, value);
    }

    /// `target = *(u32 *)(source + offset)`.
    pub fn load(&mut self, target: Register, source: Register, offset: i16) {
        self.add(0x61, target, source, offset, 0);
    }

    /// `target &= mask`.
    pub fn and(&mut self, target: Register, mask: u32) {
        self.add(0x54, target, 0, 0, mask);
    }

    /// Goes on only where the lower 32 bits of the register have the value.
    pub fn require(&mut self, register: Register, value: u32) {
        self.to_the_end.push(self.instructions.len());
        self.add(0x56, register, 0, 0, value);
    }

    /// Calls a helper.
    pub fn call(&mut self, helper: i32) {
        self.add(0x85, 0, 0, 0, helper.cast_unsigned());
    }

    /// Loads the program and puts it on an interface for as long as the result lives.
    pub fn attach(mut self, host: &Host, interface: &str, hook: Hook) -> Result<Attached> {
        let end = self.instructions.len();
        for at in &self.to_the_end {
            self.instructions[*at].offset = i16::try_from(end - at - 1)?;
        }
        // TC_ACT_UNSPEC is -1; then `exit`.
        self.add(0xb7, 0, 0, 0, u32::MAX);
        self.add(0x95, 0, 0, 0, 0);
        let name = CString::new(interface)?;
        host.enter(|| {
            let program = load(&self.instructions)?;
            // SAFETY: the name is a C string.
            let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            ensure!(index != 0, "{} has no {interface}", host.name());
            let link = link(&program, index, hook)?;
            Ok(Attached { _link: link })
        })
        .with_context(|| format!("cannot put a program on {interface} of {}", host.name()))
    }
}

/// A program that is at work; dropping it takes it away.
#[derive(Debug)]
pub struct Attached {
    _link: OwnedFd,
}

/// `union bpf_attr` of `BPF_PROG_LOAD`, as far as it is used.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// `union bpf_attr` of `BPF_LINK_CREATE` for TCX.
#[repr(C)]
struct Link {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    _pad: u32,
    revision: u64,
}

const PROG_LOAD: u32 = 5;
const LINK_CREATE: u32 = 28;
const SCHED_CLS: u32 = 3;

/// # Safety
/// `T` is what `command` reads, and all addresses in it are valid.
unsafe fn bpf<T>(command: u32, attr: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for the attributes.
    unsafe {
        let fd = libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<T>(),
        );
        match i32::try_from(fd) {
            Ok(fd) if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn load(instructions: &[Instruction]) -> Result<OwnedFd> {
    let mut log = vec![0u8; 1 << 16];
    let mut attr = Load {
        kind: SCHED_CLS,
        count: u32::try_from(instructions.len())?,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 1,
        log_size: u32::try_from(log.len())?,
        log: log.as_mut_ptr() as u64,
    };
    // SAFETY: instructions, license and log live until the call has returned.
    unsafe { bpf(PROG_LOAD, &mut attr) }.with_context(|| {
        let said = String::from_utf8_lossy(&log);
        format!("the verifier said: {}", said.trim_end_matches('\0'))
    })
}

fn link(program: &OwnedFd, ifindex: u32, hook: Hook) -> Result<OwnedFd> {
    let (attach_type, flags) = hook.place();
    let mut attr = Link {
        program: program.as_raw_fd().cast_unsigned(),
        ifindex,
        attach_type,
        flags,
        relative: 0,
        _pad: 0,
        revision: 0,
    };
    // SAFETY: the attributes hold no address.
    unsafe { bpf(LINK_CREATE, &mut attr) }.context("TCX links are there since Linux 6.6")
}
