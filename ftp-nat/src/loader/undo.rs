//! Takes back what a start did that came to no good end, and nothing else.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    rc::Rc,
};

use ftp_nat_common::layout::Interface;

use super::{
    attach::{self, Side},
    pins::{Pins, remove_file},
};
use crate::{maps::Maps, sys::bpf};

/// One step that can be taken back.
pub(super) enum Step {
    /// The pin path was empty.
    Directories(Pins),
    /// A file was pinned; for a link this is what keeps it attached.
    Pinned(PathBuf),
    /// A filter was attached to clsact.
    Filter(String, Side),
    /// A link got another program.
    Replaced(OwnedFd, OwnedFd),
    /// A link got another program, and the former one can't be had back: opening
    /// it takes CAP_SYS_ADMIN. What the new one needs must stay then.
    NoWayBack,
    /// An interface's entry was written over what was there.
    Interface(Rc<Maps>, u32, Option<Interface>),
}

/// The steps done so far. They are taken back in reverse when this is dropped
/// before [`Undo::keep`].
#[derive(Default)]
pub(super) struct Undo(Vec<Step>);

impl Undo {
    /// Notes a step that is done, or about to be.
    pub(super) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// All went well.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        while let Some(step) = self.0.pop() {
            if matches!(step, Step::NoWayBack) {
                log::warn!("the new programs stay on their interfaces, and serve what is there");
                return self.0.clear();
            }
            // There is nobody to give a second error to; the first one counts.
            if let Err(error) = take_back(step) {
                log::warn!("undoing a start that failed: {}", error.whole());
            }
        }
    }
}

fn take_back(step: Step) -> crate::Result<()> {
    match step {
        Step::Directories(pins) => pins.remove_directories(),
        Step::Pinned(path) => remove_file(&path).map(drop),
        Step::Filter(interface, side) => {
            attach::remove_filter(&interface, side);
            Ok(())
        }
        Step::Replaced(link, before) => bpf::link_update(link.as_fd(), before)
            .map_err(crate::Error::io("putting the former program back")),
        Step::NoWayBack => Ok(()),
        Step::Interface(maps, index, Some(before)) => maps.interfaces.set(&index, &before),
        Step::Interface(maps, index, None) => maps.interfaces.take(&index).map(drop),
    }
}
