//! The mapping between input and output positions.
//!
//! The walks are functions of their own in the object too: the kernel's
//! verifier then goes on behind a walk once, and not once for every edit at
//! which the walk can end.

use super::{EDITS, Edits, HALF_FROZEN, HALF_UNSYNCED, Half};
use crate::seq::Seq;

/// Where a position lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The position on the other side, where bytes run in parallel; the start
    /// of the edit there, if the position lies in one.
    pub other: Seq,
    /// Ring index of the edit it lies in, or [`PLAIN`].
    pub edit: u32,
}

impl Place {
    /// As one number, which a function can return in a register.
    #[inline(always)]
    const fn pack(self) -> u64 {
        ((self.edit as u64) << 32) | self.other.0 as u64
    }

    #[inline(always)]
    const fn unpack(packed: u64) -> Self {
        Self {
            other: Seq(packed as u32),
            edit: (packed >> 32) as u32,
        }
    }
}

/// The position lies in no edit.
pub const PLAIN: u32 = u32::MAX;

/// Finds an output position below `out_nxt`. Its first byte belongs to an edit.
#[inline(always)]
pub fn locate_output(half: &Half, edits: Option<&Edits>, at: Seq) -> Place {
    Place::unpack(walk_output(half, edits, at))
}

#[inline(never)]
fn walk_output(half: &Half, edits: Option<&Edits>, at: Seq) -> u64 {
    let mut base_out = half.out_nxt;
    let mut base_in = half.held_start();
    if let Some(edits) = edits {
        let len = u32::from(half.edits_len);
        let mut n = 0;
        while n < EDITS as u32 {
            if n >= len {
                break;
            }
            let index = half.slot(len - 1 - n);
            let edit = &edits.slot[index];
            if !at.before(edit.out1()) {
                break;
            }
            if !at.before(edit.out0) {
                return Place {
                    other: edit.in0,
                    edit: index as u32,
                }
                .pack();
            }
            base_out = edit.out0;
            base_in = edit.in0;
            n += 1;
        }
    }
    Place {
        other: base_in.minus(base_out.since(at) as u32),
        edit: PLAIN,
    }
    .pack()
}

/// Finds an input position below the first held byte.
#[inline(always)]
pub fn locate_input(half: &Half, edits: Option<&Edits>, at: Seq) -> Place {
    Place::unpack(walk_input(half, edits, at))
}

#[inline(never)]
fn walk_input(half: &Half, edits: Option<&Edits>, at: Seq) -> u64 {
    let mut base_out = half.out_nxt;
    let mut base_in = half.held_start();
    if let Some(edits) = edits {
        let len = u32::from(half.edits_len);
        let mut n = 0;
        while n < EDITS as u32 {
            if n >= len {
                break;
            }
            let index = half.slot(len - 1 - n);
            let edit = &edits.slot[index];
            if !at.before(edit.in1) {
                break;
            }
            if !at.before(edit.in0) {
                return Place {
                    other: edit.out0,
                    edit: index as u32,
                }
                .pack();
            }
            base_out = edit.out0;
            base_in = edit.in0;
            n += 1;
        }
    }
    Place {
        other: base_out.minus(base_in.since(at) as u32),
        edit: PLAIN,
    }
    .pack()
}

/// What far's acknowledgement of `at` (at most `out_nxt`) means to near.
///
/// All of the output is an acknowledgement of all of the input, held bytes
/// included: the half keeps those. Inside an edit only what had been
/// acknowledged before counts, so near keeps the releasing byte until far has
/// the whole text and any loss ends in a replay.
#[inline(never)]
pub fn ack_to_input(half: &Half, edits: Option<&Edits>, at: Seq) -> Seq {
    if at == half.out_nxt {
        return half.in_nxt;
    }
    let place = locate_output(half, edits, at);
    match edits {
        Some(edits) if place.edit != PLAIN => {
            let edit = &edits.slot[place.edit as usize & (EDITS - 1)];
            edit.in0.plus(u32::from(edit.k))
        }
        _ => place.other,
    }
}

/// The input position of a SACK block's edge: a start inside an edit is rounded
/// up, an end down, for near must not think that far has what it has not.
#[inline(never)]
pub fn sack_edge_to_input(half: &Half, edits: Option<&Edits>, at: Seq, is_start: bool) -> Seq {
    if at.after(half.out_nxt) && half.held_len == 0 {
        // Beyond what was sent in order: forwarded out of order up to `frozen`,
        // or unseen, at a constant shift. Otherwise nothing was sent there.
        let edge = half.held_start().plus(at.since(half.out_nxt) as u32);
        let known = half.flags & HALF_FROZEN != 0 && !edge.after(half.frozen);
        if known || half.flags & HALF_UNSYNCED != 0 {
            return edge;
        }
        if half.flags & HALF_FROZEN != 0 {
            return half.held_start().max(half.frozen);
        }
    }
    if !at.before(half.out_nxt) {
        // Held bytes are never reported: nothing but an ack may cover them.
        return half.held_start();
    }
    let place = locate_output(half, edits, at);
    match edits {
        Some(edits) if place.edit != PLAIN => {
            let edit = &edits.slot[place.edit as usize & (EDITS - 1)];
            if is_start && at != edit.out0 {
                edit.in1
            } else {
                edit.in0
            }
        }
        _ => place.other,
    }
}

/// The output position of a segment that carries neither data nor FIN.
///
/// Anything below `in_nxt` lands below `out_nxt`, so that far answers a
/// keep-alive; it is never dropped, for it carries acknowledgements.
#[inline(never)]
pub fn bare_to_output(half: &Half, edits: Option<&Edits>, at: Seq) -> Seq {
    if !at.before(half.in_nxt) {
        return half.out_nxt;
    }
    if !at.before(half.held_start()) {
        return half.out_nxt.minus(half.in_nxt.since(at) as u32);
    }
    let place = locate_input(half, edits, at);
    match edits {
        Some(edits) if place.edit != PLAIN => {
            let edit = &edits.slot[place.edit as usize & (EDITS - 1)];
            edit.out1().minus(edit.in1.since(at) as u32)
        }
        _ => place.other,
    }
}

/// The output position that an urgent pointer points to; `None` where the byte
/// before it, which hosts take for the urgent one (RFC 6093 section 2), is held or
/// was replaced: it would mark another one.
///
/// One that points ahead of what near has sent is as far ahead of what far is sent.
#[inline(always)]
pub fn urgent_to_output(half: &Half, edits: Option<&Edits>, at: Seq) -> Option<Seq> {
    if at.after(half.held_start()) {
        let ahead = at.since(half.in_nxt);
        return if half.held_len == 0 && ahead >= 0 {
            Some(half.out_nxt.plus(ahead as u32))
        } else {
            None
        };
    }
    if at == half.held_start() {
        return Some(half.out_nxt);
    }
    let place = locate_input(half, edits, at);
    match edits {
        Some(edits) if place.edit != PLAIN => {
            let edit = &edits.slot[place.edit as usize & (EDITS - 1)];
            (at == edit.in0).then_some(edit.out0)
        }
        _ => Some(place.other),
    }
}

/// The output position of a RST: exact, or far ignores it (RFC 5961).
#[inline(never)]
pub fn reset_to_output(half: &Half, edits: Option<&Edits>, at: Seq) -> Seq {
    if at == ack_to_input(half, edits, half.far_una) {
        half.far_una
    } else if at.after(half.in_nxt) {
        half.out_nxt.plus(at.since(half.in_nxt) as u32)
    } else {
        bare_to_output(half, edits, at)
    }
}

/// The input position of an output position that an ICMP error quotes.
///
/// near believes the error if it has sent that byte and not yet seen it
/// acknowledged. So this is the mapping of acks, which is that of `far_una`.
#[inline(never)]
pub fn quoted_to_input(half: &Half, edits: Option<&Edits>, at: Seq) -> Seq {
    if at.after(half.out_nxt) {
        // Forwarded out of order at a constant shift.
        half.held_start().plus(at.since(half.out_nxt) as u32)
    } else {
        ack_to_input(half, edits, at)
    }
}

#[cfg(test)]
mod tests;
