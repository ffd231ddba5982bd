//! An acknowledgement on its way to near.

use super::{
    EDITS, Edits, HALF_FROZEN, HALF_LAST, HALF_UNSYNCED, Half,
    position::{ack_to_input, sack_edge_to_input},
};
use crate::{line::Line, seq::Seq};

/// What an acknowledgement was found to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acked {
    /// Of what was sent: near is told this position.
    Mapped(Seq),
    /// Beyond what was seen, and taken over: the stream went on unseen.
    Resynced(Seq),
    /// Beyond anything near can have sent: passed as it is.
    Beyond,
}

/// Takes far's acknowledgement `ack` (an output position) and tells what near
/// is told instead.
#[inline(always)]
pub fn acknowledge(half: &mut Half, line: &mut Line, edits: Option<&Edits>, ack: Seq) -> Acked {
    let mut resynced = false;
    if ack.after(half.out_nxt) {
        let ahead = ack.since(half.out_nxt) as u32;
        let input = half.in_nxt.plus(ahead);
        let forwarded = half.flags & HALF_FROZEN != 0 && !input.after(half.frozen);
        let unsynced = half.flags & HALF_UNSYNCED != 0;
        if !forwarded && !unsynced && (input.after(half.snd_max) || half.held_len > 0) {
            return Acked::Beyond;
        }
        // The bytes between went by unparsed; nothing held can be among them.
        half.in_nxt = input;
        half.out_nxt = ack;
        half.flags &= !HALF_LAST;
        half.k = 0;
        line.lost();
        resynced = !forwarded;
    }
    if ack.after(half.far_una) {
        half.far_una = ack;
    }
    if let Some(edits) = edits {
        forget_acked(half, edits);
    }
    let input = ack_to_input(half, edits, ack);
    if resynced {
        Acked::Resynced(input)
    } else {
        Acked::Mapped(input)
    }
}

/// Frees the edits of which far has all.
#[inline(never)]
fn forget_acked(half: &mut Half, edits: &Edits) {
    let mut n = 0;
    while n < EDITS {
        if half.edits_len == 0 || edits.slot[half.slot(0)].out1().after(half.far_una) {
            break;
        }
        half.edits_head = (half.edits_head + 1) & (EDITS as u8 - 1);
        half.edits_len -= 1;
        n += 1;
    }
}

/// Translates one SACK block from output to input; `None` where nothing is
/// left of it that near may be told.
#[inline(always)]
pub fn sack_block(half: &Half, edits: Option<&Edits>, start: Seq, end: Seq) -> Option<(Seq, Seq)> {
    let start = sack_edge_to_input(half, edits, start, true);
    let end = sack_edge_to_input(half, edits, end, false);
    if start.before(end) {
        Some((start, end))
    } else {
        None
    }
}
