//! bpf(2), as far as a lab needs it: small programs put together from
//! instructions, and running them.
//!
//! Numbers of instructions, commands and helpers are those of
//! `include/uapi/linux/bpf.h`.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Instruction {
    code: u8,
    /// The target register in the lower half, the source in the upper one.
    registers: u8,
    pub(super) offset: i16,
    immediate: i32,
}

/// A register: `r0` holds results, `r1` to `r5` arguments, `r6` what lasts,
/// `r10` the end of the stack.
pub type Register = u8;

impl Instruction {
    /// Any.
    pub const fn new(
        code: u8,
        target: Register,
        source: Register,
        offset: i16,
        immediate: u32,
    ) -> Self {
        Self {
            code,
            registers: target | source << 4,
            offset,
            immediate: immediate.cast_signed(),
        }
    }

    /// `target = value`, the sign carried into the upper 32 bits.
    pub const fn set(target: Register, value: i32) -> Self {
        Self::new(0xb7, target, 0, 0, value.cast_unsigned())
    }

    /// `target = source`.
    pub const fn copy(target: Register, source: Register) -> Self {
        Self::new(0xbf, target, source, 0, 0)
    }

    /// `target += value`.
    pub const fn add(target: Register, value: i32) -> Self {
        Self::new(0x07, target, 0, 0, value.cast_unsigned())
    }

    /// `target = *(u32 *)(source + offset)`.
    pub const fn load(target: Register, source: Register, offset: i16) -> Self {
        Self::new(0x61, target, source, offset, 0)
    }

    /// `*(u64 *)(target + offset) = source`.
    pub const fn store(target: Register, offset: i16, source: Register) -> Self {
        Self::new(0x7b, target, source, offset, 0)
    }

    /// Goes on `offset` instructions further down if `a > b`.
    pub const fn if_above(a: Register, b: Register, offset: i16) -> Self {
        Self::new(0x2d, a, b, offset, 0)
    }

    /// `target = value`, 64 bits, which take two instructions.
    pub const fn set_wide(target: Register, value: u64) -> [Self; 2] {
        [
            Self::new(0x18, target, 0, 0, value as u32),
            Self::new(0, 0, 0, 0, (value >> 32) as u32),
        ]
    }

    /// Calls a helper.
    pub const fn call(helper: i32) -> Self {
        Self::new(0x85, 0, 0, 0, helper.cast_unsigned())
    }

    /// Ends with the result in `r0`.
    pub const fn exit() -> Self {
        Self::new(0x95, 0, 0, 0, 0)
    }
}

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `BPF_PROG_TYPE_SCHED_CLS`
    Tc = 3,
    /// `BPF_PROG_TYPE_XDP`
    Xdp = 6,
}

/// A loaded program.
#[derive(Debug)]
pub struct Program(OwnedFd);

/// A program that is at work; dropping it takes it away.
#[derive(Debug)]
pub struct Attached(#[expect(dead_code, reason = "kept open")] OwnedFd);

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

/// `union bpf_attr` of `BPF_LINK_CREATE`, for TCX as far as it goes on.
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

/// `union bpf_attr` of `BPF_PROG_TEST_RUN`.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    result: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    /// Nanoseconds for each run.
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    _pad: u32,
}

const PROG_LOAD: u32 = 5;
const PROG_TEST_RUN: u32 = 10;
const LINK_CREATE: u32 = 28;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`
const LIVE_FRAMES: u32 = 2;

/// # Safety
/// `T` is what `command` reads and writes, and all addresses in it are valid.
unsafe fn bpf<T>(command: u32, attr: &mut T) -> io::Result<RawFd> {
    let size = size_of::<T>();
    // SAFETY: the caller vouches for the attributes.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size) };
    match RawFd::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// # Safety
/// As of [`bpf`], and `command` gives a descriptor.
unsafe fn bpf_fd<T>(command: u32, attr: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for both; nobody else has the descriptor.
    unsafe { bpf(command, attr).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

impl Program {
    /// Loads a program; that the verifier refuses it is an error with its words.
    pub fn load(kind: Kind, instructions: &[Instruction]) -> Result<Self> {
        let mut log = vec![0u8; 1 << 16];
        let mut attr = Load {
            kind: kind as u32,
            count: u32::try_from(instructions.len())?,
            instructions: instructions.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            log_level: 1,
            log_size: u32::try_from(log.len())?,
            log: log.as_mut_ptr() as u64,
        };
        // SAFETY: instructions, license and log live until the call has returned.
        let fd = unsafe { bpf_fd(PROG_LOAD, &mut attr) }.with_context(|| {
            let said = String::from_utf8_lossy(&log);
            format!("the verifier said: {}", said.trim_end_matches('\0'))
        })?;
        Ok(Self(fd))
    }

    /// Puts it on an interface of this thread's namespace. `attach_type` and
    /// `flags` are those of the kernel.
    pub fn attach(&self, interface: &str, attach_type: u32, flags: u32) -> Result<Attached> {
        let mut attr = Link {
            program: self.0.as_raw_fd().cast_unsigned(),
            ifindex: index(interface)?,
            attach_type,
            flags,
            relative: 0,
            _pad: 0,
            revision: 0,
        };
        // SAFETY: the attributes hold no address.
        let link = unsafe { bpf_fd(LINK_CREATE, &mut attr) };
        let link = link.with_context(|| format!("cannot put a program on {interface}"))?;
        Ok(Attached(link))
    }

    /// Runs an XDP program on `repeat` real frames with the content `frame`.
    ///
    /// A frame that comes back to its pool is used again as it is then, not
    /// with its first content.
    pub fn live_frames(&self, frame: &[u8], repeat: u32) -> Result<()> {
        // `struct xdp_md`: data, data_end, data_meta and three more words.
        let context: [u32; 6] = [0, u32::try_from(frame.len())?, 0, 0, 0, 0];
        let mut attr = TestRun {
            program: self.0.as_raw_fd().cast_unsigned(),
            size_in: u32::try_from(frame.len())?,
            data_in: frame.as_ptr() as u64,
            repeat,
            context_size_in: u32::try_from(size_of_val(&context))?,
            context_in: context.as_ptr() as u64,
            flags: LIVE_FRAMES,
            batch_size: 64,
            ..TestRun::default()
        };
        // SAFETY: frame and context live until the call has returned.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }.context("live frames of XDP")?;
        Ok(())
    }

    /// Runs a TC program `repeat` times on one packet, which isn't made anew in
    /// between. Gives the kernel's mean time of a run.
    pub fn time(&self, packet: &[u8], repeat: u32) -> Result<Duration> {
        let mut attr = TestRun {
            program: self.0.as_raw_fd().cast_unsigned(),
            size_in: u32::try_from(packet.len())?,
            data_in: packet.as_ptr() as u64,
            repeat,
            ..TestRun::default()
        };
        // SAFETY: the packet lives until the call has returned.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }.context("running a program")?;
        Ok(Duration::from_nanos(attr.duration.into()))
    }
}

/// The index of an interface of this thread's namespace.
pub fn index(interface: &str) -> Result<u32> {
    let name = CString::new(interface)?;
    // SAFETY: the name is a C string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    ensure!(index != 0, "there is no interface {interface}");
    Ok(index)
}
