//! What a host inside or outside has in the tables, so that none can fill them.

use crate::addr::{Addr, Domain};

/// A host.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct SourceKey {
    /// Its own address, before all translation.
    pub addr: Addr,
    /// The network it is in.
    pub domain: Domain,
}
const _: () = assert!(size_of::<SourceKey>() == 20);

/// How much it has. Counted up and down by the kernel side, and counted anew by
/// userspace at each sweep, and by the kernel side before anything is refused.
/// So an error doesn't last; a number may be below 0 for a moment.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Source {
    /// Control connections whose client it is.
    pub sessions: i32,
    /// Announcements of its own that wait for their data connection.
    pub expectations: i32,
    /// Data connections of encrypted sessions, to declared ports, whose client it is.
    pub encrypted: i32,
}
const _: () = assert!(size_of::<Source>() == 12);

/// Which number of a [`Source`] is meant.
pub mod what {
    /// [`super::Source::sessions`].
    pub const SESSIONS: u32 = 0;
    /// [`super::Source::expectations`].
    pub const EXPECTATIONS: u32 = 1;
    /// [`super::Source::encrypted`].
    pub const ENCRYPTED: u32 = 2;
}
