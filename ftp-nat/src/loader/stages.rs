//! The program array: the programs of one object, for them to call each other.
//!
//! Every load has an array of its own, with scratch memory of its own behind
//! its programs: an old program never calls a new one, whatever moment a start
//! or an upgrade is interrupted at. The kernel empties an array that no file
//! and no process refers to, so it is pinned, by its id, for as long as its
//! programs may run.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    path::PathBuf,
};

use ftp_nat_common::layout::{map, stage};

use super::{
    object::Object,
    pins::{Pins, remove_file},
    undo::{Step, Undo},
};
use crate::{
    error::{Error, Result},
    sys::bpf,
};

/// Enters the object's programs into its array, and pins that.
pub(super) fn enter(object: &mut Object, pins: &Pins, undo: &mut Undo) -> Result<()> {
    let failed = || Error::io(format!("writing map {}", map::STAGES));
    let array = object.map(map::STAGES)?;
    for (index, name) in (0u32..).zip(stage::NAMES) {
        let program = object
            .program(name)?
            .fd()
            .map_err(|source| Error::Program {
                what: format!("the program {name}"),
                source: Box::new(source),
            })?;
        let program = u32::try_from(program.as_fd().as_raw_fd()).map_err(io::Error::other);
        let program = program.map_err(failed())?;
        bpf::update(array.fd().as_fd(), &index, &program, bpf::ANY).map_err(failed())?;
    }
    pins.create_stages_directory()?;
    let id = array
        .info()
        .map_err(io::Error::other)
        .map_err(failed())?
        .id();
    let path = pins.stages(id);
    array
        .pin(&path)
        .map_err(|e| Error::io(format!("pinning {}", path.display()))(io::Error::other(e)))?;
    undo.push(Step::Pinned(path.clone()));
    object.stages = Some(path);
    Ok(())
}

/// Removes the arrays of former loads: their programs are attached nowhere any
/// more.
pub(super) fn remove_others(pins: &Pins, objects: &[Object]) -> Result<()> {
    let ours = |path: &PathBuf| objects.iter().any(|o| o.stages.as_ref() == Some(path));
    for path in pins.stage_files()?.iter().filter(|path| !ours(path)) {
        remove_file(path)?;
    }
    Ok(())
}
