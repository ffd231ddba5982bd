//! Bytes that only go on with what their line is in, taken together: the rest of a
//! verb, the numbers of an address, the free text of a 227.

use super::{
    Run,
    run::{RUN_NO_EDITS, RUN_NO_HOLD},
    skim::takes_new,
};
use crate::{
    line::text::TEXT_MAX,
    session::Session,
    stream::{HALF_LAST, dialogue::is_unread},
};

/// Bytes that are taken in one go at most.
pub const GATHER: u32 = 16;

/// Whether [`gather`] may take some of the next bytes, the first of which is `next`.
/// It changes nothing. `have_edits`: there are some to be recorded in.
#[inline(always)]
pub fn may_gather(run: &Run, session: &Session, role: usize, have_edits: bool, next: u8) -> bool {
    let line = &session.line[role & 1];
    let half = &session.half[role & 1];
    line.in_run()
        // No line's end goes on: most verbs are followed by one.
        && next >= b' '
        && !is_unread(session.flags)
        && run.flags & RUN_NO_HOLD == 0
        && (have_edits || run.flags & RUN_NO_EDITS != 0 || !line.armed())
        && line.holding() == (half.held_len != 0)
        && takes_new(run, half, line)
        && run.has_room(TEXT_MAX as u32)
}

/// Takes bytes as [`step`](super::step()) would take each of them, up to one that
/// may do more than go on, or to where there are no more in `input` or the segment.
/// Gives how many.
#[inline(always)]
pub fn gather(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    input: impl Fn(u32) -> Option<u8>,
) -> u32 {
    let line = &mut session.line[role & 1];
    let half = &mut session.half[role & 1];
    let holds = line.holding();
    let mut n = 0;
    while n < GATHER {
        if run.pos >= run.len || half.held_len as usize >= TEXT_MAX - 1 {
            break;
        }
        let Some(byte) = input(n) else { break };
        if !line.goes_on(byte) {
            break;
        }
        if holds {
            half.held[half.held_len as usize & (TEXT_MAX - 1)] = byte;
            half.held_len += 1;
        } else {
            run.put(byte);
            half.last = byte;
        }
        run.pos += 1;
        n += 1;
    }
    half.in_nxt = half.in_nxt.plus(n);
    if n > 0 && !holds {
        half.out_nxt = half.out_nxt.plus(n);
        half.flags |= HALF_LAST;
    }
    n
}
