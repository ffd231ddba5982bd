//! Fragments of data packets: only the first one has ports, by which a data
//! connection is found.

use super::SECOND;
use crate::addr::{Addr, Tuple};

/// What the fragments of one packet have in common (RFC 791, RFC 8200 section 4.5).
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct FragmentKey {
    /// Whose they are.
    pub src: Addr,
    /// Where they go.
    pub dst: Addr,
    /// The packet's identification, as it stands in its header.
    pub id: u32,
    /// The interface that they came in by; where they leave, its complement.
    /// Fragments that somebody made up come another way, or are the host's own.
    pub hook: u32,
}
const _: () = assert!(size_of::<FragmentKey>() == 40);

/// What the first fragment told.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// When, in ns of the monotonic clock.
    pub at_ns: u64,
    /// The packet's tuple.
    pub tuple: Tuple,
}
const _: () = assert!(size_of::<Fragment>() == 48);

/// How long later fragments are known by the first one: as long as Linux waits for
/// them (`IP_FRAG_TIME` of include/net/ip.h). The identification comes again.
pub const FRAGMENT_MAX_AGE_NS: u64 = 30 * SECOND;
