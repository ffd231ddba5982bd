//! Control connections.
//!
//! | module | holds |
//! |---|---|
//! | [`segment`] | a segment from the near host, at ingress |
//! | [`parse`] | the engine's way over its payload |
//! | [`outstanding`] | the outstanding edits of a half |
//! | [`plan`] | what becomes of the segment |
//! | [`checksum`] | what arrives broken is not believed |
//! | [`edit`] | rebuilding a packet |
//! | [`ack`] | an acknowledgement to the near host, at egress |
//! | [`expect`] | making and withdrawing expectations |

mod ack;
mod checksum;
mod edit;
mod expect;
mod outstanding;
mod parse;
mod plan;
mod segment;

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use ftp_nat_common::{
    addr::Tuple,
    counter::Counter,
    session::{HalfRef, Session},
    tcp::{clamped_mss, flag, option},
};

pub use expect::Glue;
pub use outstanding::of as outstanding_edits;
pub use parse::Progressing;
pub use plan::Plan;

use crate::{
    learn,
    maps::{CANDIDATES, HALVES, SESSIONS, count, is_watched},
    options,
    packet::Packet,
    sync,
};

/// Drops the packet: TCP will send it again.
#[inline(always)]
pub fn drop_for(counter: Counter) -> i32 {
    count(counter);
    TC_ACT_SHOT as i32
}

/// The half whose key is `tuple`, with its session, locked.
///
/// `Ok(None)`: there is none. `Err`: it can't be had just now.
#[inline(always)]
fn lock_half(tuple: &Tuple) -> Result<Option<(*mut Session, usize)>, i32> {
    let Some((session, role, id)) = half(tuple) else {
        return Ok(None);
    };
    // SAFETY: live map value.
    if !unsafe { sync::try_lock(&raw mut (*session).lock) } {
        return Err(drop_for(Counter::DroppedLockBusy));
    }
    // SAFETY: live map value.
    if unsafe { (*session).id } != id {
        // The element was removed, and another session has it now.
        // SAFETY: live map value, locked above.
        unsafe { sync::unlock(&raw mut (*session).lock) };
        return Ok(None);
    }
    Ok(Some((session, role)))
}

/// The half whose key is `tuple`, with its session and the session's id.
#[inline(always)]
pub fn half(tuple: &Tuple) -> Option<(*mut Session, usize, u64)> {
    // SAFETY: copied at once.
    let half: HalfRef = unsafe { HALVES.get(tuple) }.copied()?;
    let session = SESSIONS.get_ptr_mut(half.session)?;
    // Nobody may be there to sweep up what is over.
    // SAFETY: a live map value.
    if unsafe { (*session).expired(learn::now()) } {
        return None;
    }
    Some((session, half.role as usize & 1, half.session))
}

/// The packet isn't one of a control connection that is followed.
pub const NOT_CONTROL: i32 = i32::MIN;

/// A packet from or to a control port, before NAT.
#[inline(never)]
pub fn ingress(packet: Packet) -> i32 {
    if packet.flags & flag::SYN != 0 {
        return handshake(packet);
    }
    if !checksum::is_right(packet) {
        return drop_for(Counter::DroppedBadChecksum);
    }
    let (session, role) = match lock_half(&packet.tuple) {
        Ok(Some(found)) => found,
        Ok(None) => {
            learn::sight_midway(packet);
            return NOT_CONTROL;
        }
        Err(verdict) => return verdict,
    };
    let verdict = segment::handle(&packet, session, role);
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    verdict
}

/// SYN and SYN-ACK: noted for learning, and their MSS made smaller, because a
/// text that was held back is added to the segment that follows it.
#[inline(never)]
fn handshake(packet: Packet) -> i32 {
    let packet = &packet;
    let from_client = packet.flags & flag::ACK == 0;
    let wanted = if from_client {
        is_watched(packet.tuple.dport)
    } else {
        // SAFETY: only its presence matters.
        unsafe { CANDIDATES.get(packet.tuple) }.is_some()
    };
    if !wanted {
        return NOT_CONTROL;
    }
    if options::find(packet, option::MD5).is_some() || options::find(packet, option::AO).is_some() {
        count(Counter::Signed);
        return NOT_CONTROL;
    }
    learn::sight(*packet);
    options::clamp_mss(packet, clamped_mss);
    TC_ACT_UNSPEC
}

/// A packet from or to a control port, after NAT.
#[inline(never)]
pub fn egress(packet: Packet) -> i32 {
    if packet.flags & flag::ACK == 0 || packet.flags & flag::SYN != 0 {
        return TC_ACT_UNSPEC;
    }
    let (session, role) = match lock_half(&packet.tuple.reversed()) {
        Ok(Some(found)) => found,
        Ok(None) => return TC_ACT_UNSPEC,
        Err(verdict) => return verdict,
    };
    let verdict = ack::handle(&packet, session, role);
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    verdict
}
