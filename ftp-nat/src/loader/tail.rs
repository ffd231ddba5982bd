//! The program array: egress calls the program of ingress with what clients and
//! servers on the gateway itself send.

use std::{
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use ftp_nat_common::layout::{map, program_index};

use super::{
    attach::Side,
    object::Object,
    undo::{Step, Undo},
};
use crate::{
    error::{Error, Result},
    maps::pinned,
    sys::bpf,
};

/// The entry of a program array.
pub(super) struct Entry {
    array: OwnedFd,
    index: u32,
    /// The program that stood there before, if there was one.
    before: Option<OwnedFd>,
}

/// Enters the object's program of ingress into the pinned program array.
pub(super) fn enter(object: &mut Object, directory: &Path, undo: &mut Undo) -> Result<()> {
    let failed = || Error::io(format!("writing map {}", map::PROGRAMS));
    let array = pinned::open(directory, map::PROGRAMS)?
        .fd()
        .as_fd()
        .try_clone_to_owned()
        .map_err(failed())?;
    let index = program_index(object.l2_len);
    // The kernel takes a descriptor and gives back an id.
    let before = bpf::lookup::<u32, u32>(array.as_fd(), &index)
        .map_err(failed())?
        .map(bpf::program_by_id)
        .transpose()
        .map_err(failed())?;
    let program = object.program(Side::Ingress)?.fd().map_err(|source| {
        let what = format!("the program of {}", Side::Ingress.program());
        Error::Program {
            what,
            source: Box::new(source),
        }
    })?;
    let program = program.as_fd().try_clone_to_owned().map_err(failed())?;
    undo.push(Step::TailCall(Entry {
        array: array.try_clone().map_err(failed())?,
        index,
        before,
    }));
    put(array.as_fd(), index, program.as_fd()).map_err(failed())
}

impl Entry {
    /// Puts back what stood there before.
    pub(super) fn restore(self) -> Result<()> {
        let failed = Error::io(format!("writing map {}", map::PROGRAMS));
        match self.before {
            Some(program) => put(self.array.as_fd(), self.index, program.as_fd()),
            None => bpf::delete(self.array.as_fd(), &self.index),
        }
        .map_err(failed)
    }
}

fn put(array: BorrowedFd<'_>, index: u32, program: BorrowedFd<'_>) -> std::io::Result<()> {
    let program = u32::try_from(program.as_raw_fd()).map_err(std::io::Error::other)?;
    bpf::update(array, &index, &program, bpf::ANY)
}
