//! Control connections.
//!
//! | module | holds |
//! |---|---|
//! | [`segment`] | a segment from the near host, at ingress |
//! | [`parse`] | the engine's way over its payload |
//! | [`outstanding`] | the outstanding edits of a half |
//! | [`plan`] | what becomes of the segment |
//! | [`edit`] | rebuilding a packet |
//! | [`ack`] | an acknowledgement to the near host, at egress |
//! | [`expect`] | making and withdrawing expectations |

mod ack;
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

/// The half whose key is `tuple`, with its session.
#[inline(always)]
fn half(tuple: &Tuple) -> Option<(*mut Session, usize)> {
    // SAFETY: copied at once.
    let half: HalfRef = unsafe { HALVES.get(tuple) }.copied()?;
    let session = SESSIONS.get_ptr_mut(half.session)?;
    // Nobody may be there to sweep up what is over.
    // SAFETY: a live map value.
    if unsafe { (*session).expired(learn::now()) } {
        return None;
    }
    Some((session, half.role as usize & 1))
}

/// The packet isn't one of a control connection that is followed.
pub const NOT_CONTROL: i32 = i32::MIN;

/// A packet from or to a control port, before NAT.
#[inline(never)]
pub fn ingress(packet: Packet) -> i32 {
    if packet.flags & flag::SYN != 0 {
        return handshake(packet);
    }
    let Some((session, role)) = half(&packet.tuple) else {
        learn::sight_midway(packet);
        return NOT_CONTROL;
    };
    // SAFETY: live map value.
    if !unsafe { sync::try_lock(&raw mut (*session).lock) } {
        return drop_for(Counter::DroppedLockBusy);
    }
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
    let Some((session, role)) = half(&packet.tuple.reversed()) else {
        return TC_ACT_UNSPEC;
    };
    // SAFETY: live map value.
    if !unsafe { sync::try_lock(&raw mut (*session).lock) } {
        return drop_for(Counter::DroppedLockBusy);
    }
    let verdict = ack::handle(&packet, session, role);
    // SAFETY: live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    verdict
}
