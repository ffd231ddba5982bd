//! Which types may be copied to and from the kernel byte by byte.

use ftp_nat_common::{
    addr::{Addr, Tuple},
    layout::{Interface, Settings},
    pairing::{Candidate, PairingKey, Sighting},
    session::{EditsKey, HalfRef, Session},
    source::{Source, SourceKey},
    stream::Edits,
    translation::{Expectation, ExpectationKey, Flow},
    unannounced::EncryptedKey,
};

/// A key or a value of a map.
///
/// # Safety
/// The type holds integers only, or arrays and structs of them, in a fixed
/// layout: any bits are a valid value, and it holds no reference.
pub unsafe trait Shared: Copy + 'static {}

/// One `unsafe impl` per type, with the reason that holds for all of them.
macro_rules! shared {
    ($($type:ty),+ $(,)?) => {
        $(
            // SAFETY: an integer, or a `repr(C)` struct of integers that the
            // common crate defines for use as a key or value of a map.
            unsafe impl Shared for $type {}
        )+
    };
}

shared!(
    u32,
    u64,
    Addr,
    Candidate,
    Edits,
    EditsKey,
    EncryptedKey,
    Expectation,
    ExpectationKey,
    Flow,
    HalfRef,
    Interface,
    PairingKey,
    Session,
    Settings,
    Sighting,
    Source,
    SourceKey,
    Tuple,
);
