//! TC programs put together from instructions: a lab needs a few lines of them,
//! and no compiler.

use anyhow::{Context, Result};

use crate::lab::{
    bpf::{self, Attached, Instruction, Kind},
    host::Host,
};

pub use crate::lab::bpf::Register;

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
        let instruction = Instruction::new(code, target, source, offset, immediate);
        self.instructions.push(instruction);
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
        let (attach_type, flags) = hook.place();
        host.enter(|| {
            let program = bpf::Program::load(Kind::Tc, &self.instructions)?;
            program
                .attach(interface, attach_type, flags)
                .context("TCX links are there since Linux 6.6")
        })
        .with_context(|| format!("cannot put a program on {interface} of {}", host.name()))
    }
}
