//! A segment from near: what is sent on in its place.
//!
//! [`begin`] looks at the header, [`step()`] takes one byte or emits some, and
//! [`finish`] tells what the segment has become. The steps are small so that
//! the kernel's verifier can look at each of them alone.
//!
//! | module | holds |
//! |---|---|
//! | `run` | the state of one segment's way through the engine |
//! | `skim` | bytes that can't matter, taken together |
//! | `gather` | bytes of a verb or an address, taken together |
//! | `step` | what is old is sent again, what is new is taken, the FIN |
//! | `take` | a new byte: passed, held, or releasing what is held |
//! | `release` | the held text, or the one that takes its place |
//! | `fragment` | a segment that comes in fragments |
//! | `nothing` | for tests: surroundings in which nothing is announced |

mod fragment;
mod gather;
#[cfg(test)]
mod nothing;
mod release;
mod run;
mod skim;
mod step;
mod take;

use self::fragment::pass_unread;
use self::run::{RUN_CHANGED, RUN_CUT};
pub use self::{
    fragment::fragment,
    gather::{GATHER, gather, may_gather},
    release::release,
    run::{OUTPUT_MAX, RUN_NO_EDITS, RUN_NO_HOLD, RUN_WOULD_HOLD, Run},
    skim::{SKIM, may_skim, skim},
    step::step,
};
use super::{
    Edits, HALF_FIN, HALF_FROZEN, HALF_LAST, HALF_UNSYNCED, Half,
    dialogue::is_unread,
    position::{bare_to_output, locate_input, locate_output, reset_to_output},
};
use crate::{counter::Counter, seq::Seq, session::Session, tcp::flag};

/// A segment's header, as far as the engine is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Sequence number.
    pub seq: Seq,
    /// Bytes of payload.
    pub len: u32,
    /// TCP flags.
    pub flags: u8,
    /// The most payload bytes that fit into what is sent.
    pub capacity: u32,
}

/// What is sent on in place of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The same payload and flags at this sequence number.
    Untouched(Seq),
    /// Another payload: the first `len` bytes of [`Run::out`].
    Rebuilt {
        /// Sequence number.
        seq: Seq,
        /// Payload bytes.
        len: u32,
        /// Whether the FIN flag is set.
        fin: bool,
    },
    /// All of the text is held: one byte that far already has, so that far
    /// answers at once and near's Nagle algorithm lets go.
    Probe {
        /// Sequence number of the byte.
        seq: Seq,
        /// The byte.
        byte: u8,
    },
    /// Nothing; TCP will send it again.
    Drop(Counter),
}

/// What [`begin`] decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    /// The payload has to be looked at with [`step()`].
    Parse,
    /// Decided already.
    Done(Outcome),
}

/// What [`step()`] wants next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// To be called again.
    More,
    /// The line can announce something and no edits are there to be recorded
    /// in: to be called again with some, or without if none can be had.
    WantEdits,
    /// All done.
    Done,
}

/// Positions that a segment may be ahead of what is expected: more than any
/// window of a control connection. What is further ahead was sent by somebody
/// who can't see the connection.
pub const AHEAD_MAX: i32 = 1 << 20;

/// Looks at a segment's header.
#[inline(always)]
pub fn begin(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    edits: Option<&Edits>,
    segment: &Segment,
) -> Begun {
    let unread = is_unread(session.flags);
    let half = &mut session.half[role & 1];
    let mut len = segment.len;
    let mut fin = segment.flags & flag::FIN != 0;
    let seq = segment.seq;

    if segment.flags & flag::RST != 0 {
        return Begun::Done(Outcome::Untouched(reset_to_output(half, edits, seq)));
    }
    if len == 0 && !fin {
        return Begun::Done(Outcome::Untouched(bare_to_output(half, edits, seq)));
    }
    run.flags = 0;
    run.role = role as u32 & 1;
    if half.flags & HALF_FIN != 0 {
        // A stream has one end; another one is a mistake or an attack.
        if seq.after(half.fin) {
            return Begun::Done(Outcome::Drop(Counter::DroppedBadSegment));
        }
        let room = half.fin.since(seq) as u32;
        let ends = len > room || (fin && len == room);
        if fin != ends || len > room {
            run.flags |= RUN_CHANGED;
        }
        len = len.min(room);
        fin = ends;
    } else if fin && seq.plus(len).before(half.in_nxt) {
        fin = false;
        run.flags |= RUN_CHANGED;
    }
    let end = seq.plus(len);
    if seq.since(half.in_nxt) > AHEAD_MAX {
        return Begun::Done(Outcome::Drop(Counter::DroppedBadSegment));
    }
    half.snd_max = half.snd_max.max(end);
    if half.flags & HALF_UNSYNCED != 0 && len > 0 && run.flags == 0 {
        // Nothing was held or edited: what was not seen passed with the same shift.
        let line = &mut session.line[role & 1];
        if seq.before(half.in_nxt) {
            // Some of it is sent again. far may have had the rest too, unseen and
            // as it is: nothing of it may be changed.
            let out = seq.plus(half.shift() as u32);
            if fin && half.flags & HALF_FIN == 0 {
                half.fin = end;
                half.flags |= HALF_FIN;
            }
            pass_unread(half, line, end.plus(fin as u32));
            return Begun::Done(Outcome::Untouched(out));
        }
        pass_unread(half, line, seq);
        half.flags &= !HALF_UNSYNCED;
    }

    if seq.after(half.in_nxt) {
        let pass = unread && half.held_len == 0 && !fin && len <= segment.capacity;
        if !pass {
            return Begun::Done(Outcome::Drop(Counter::DroppedOutOfOrder));
        }
        let ahead = seq.since(half.in_nxt) as u32;
        if half.flags & HALF_FROZEN == 0 || end.after(half.frozen) {
            half.frozen = end;
        }
        half.flags |= HALF_FROZEN;
        let out = half.out_nxt.plus(ahead);
        session.line[role & 1].lost();
        return Begun::Done(Outcome::Untouched(out));
    }

    // What far has needs no resending; an edit is resent whole or not at all.
    let unacked = if half.far_una == half.out_nxt {
        half.held_start()
    } else {
        locate_output(half, edits, half.far_una).other
    };
    let start = seq.max(unacked);
    if start.after(end) {
        fin = false;
    }
    run.walk = 0;
    if start.before(half.held_start()) {
        run.out_seq = locate_input(half, edits, start).other;
    } else {
        run.out_seq = half.out_nxt;
    }
    run.seq = seq;
    run.len = len;
    run.limit = len;
    run.pos = start.since(seq) as u32;
    run.capacity = segment.capacity;
    run.out_len = 0;
    run.emit_len = 0;
    run.emit_pos = 0;
    run.fin_in = fin as u32;
    run.fin_out = 0;
    if run.pos != 0 {
        run.flags |= RUN_CHANGED;
    }
    Begun::Parse
}

/// Tells what the segment has become. `fin` is whether it came with a FIN flag.
#[inline(always)]
pub fn finish(run: &mut Run, half: &mut Half, segment: &Segment) -> Outcome {
    half.k = half.held_len;
    let fin = segment.flags & flag::FIN != 0;
    let fin_out = run.fin_out != 0 && run.flags & RUN_CUT == 0;
    if run.out_len == 0 && !fin_out {
        if half.flags & HALF_LAST == 0 && half.far_una != half.out_nxt {
            return Outcome::Drop(Counter::DroppedBadSegment);
        }
        let behind = if half.flags & HALF_FIN != 0 { 2 } else { 1 };
        return Outcome::Probe {
            seq: half.out_nxt.minus(behind),
            byte: half.last,
        };
    }
    let same =
        run.flags & (RUN_CHANGED | RUN_CUT) == 0 && run.out_len == segment.len && fin_out == fin;
    if same {
        Outcome::Untouched(run.out_seq)
    } else {
        Outcome::Rebuilt {
            seq: run.out_seq,
            len: run.out_len,
            fin: fin_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{SERVER, SESSION_NOT_FTP};
    use std::boxed::Box;

    #[test]
    fn a_segment_from_nowhere_changes_nothing() {
        let mut session = Session {
            flags: SESSION_NOT_FTP,
            ..Session::default()
        };
        session.half[SERVER] = Half::starting_at(Seq(1000));
        let mut run = Box::new(Run::new());
        let mut pass = |ahead: i32| {
            let segment = Segment {
                seq: Seq(1000).plus(ahead as u32),
                len: 5,
                flags: flag::ACK,
                capacity: 1460,
            };
            let before = session.half[SERVER];
            let begun = begin(&mut run, &mut session, SERVER, None, &segment);
            (begun, session.half[SERVER] == before)
        };
        let refused = Begun::Done(Outcome::Drop(Counter::DroppedBadSegment));
        assert_eq!(pass(AHEAD_MAX + 1), (refused, true));
        assert_eq!(pass(i32::MAX), (refused, true));
        assert_eq!(
            pass(AHEAD_MAX).0,
            Begun::Done(Outcome::Untouched(Seq(1000 + (1 << 20))))
        );
        assert!(!session.line[SERVER].at_start(), "some of it passed unread");
    }

    #[test]
    fn a_stream_picked_up_behind_its_place_finds_it() {
        let mut session = Session::default();
        session.half[SERVER] = Half::starting_at(Seq(1000));
        session.half[SERVER].flags |= HALF_UNSYNCED;
        let mut run = Box::new(Run::new());
        let mut begin_at = |seq: u32| {
            let segment = Segment {
                seq: Seq(seq),
                len: 10,
                flags: flag::ACK,
                capacity: 1460,
            };
            let begun = begin(&mut run, &mut session, SERVER, None, &segment);
            (begun, session.half[SERVER].in_nxt)
        };
        assert_eq!(
            begin_at(1400),
            (Begun::Parse, Seq(1400)),
            "400 bytes passed unseen"
        );
        let dropped = Begun::Done(Outcome::Drop(Counter::DroppedOutOfOrder));
        assert_eq!(begin_at(1500), (dropped, Seq(1400)), "once only");
        assert!(
            !session.line[SERVER].at_start(),
            "what was unseen may have ended in mid-line"
        );
    }

    /// What far has already can't be sent again where nobody knows what it was.
    #[test]
    fn a_probe_is_of_a_byte_that_is_known_or_that_far_will_not_read() {
        let probe = |flags: u8, far_una: u32| {
            let mut half = Half::starting_at(Seq(1000));
            (half.flags, half.far_una, half.last) = (flags, Seq(far_una), b'x');
            let segment = Segment {
                seq: Seq(1000),
                len: 5,
                flags: flag::ACK,
                capacity: 1460,
            };
            finish(&mut Box::new(Run::new()), &mut half, &segment)
        };
        let sent = |seq: u32| Outcome::Probe {
            seq: Seq(seq),
            byte: b'x',
        };
        assert_eq!(probe(HALF_LAST, 990), sent(999));
        assert_eq!(probe(HALF_LAST, 1000), sent(999));
        assert_eq!(probe(HALF_LAST | HALF_FIN, 990), sent(998));
        assert_eq!(probe(0, 1000), sent(999), "far has it");
        let refused = Outcome::Drop(Counter::DroppedBadSegment);
        assert_eq!(probe(0, 990), refused);
    }

    #[test]
    fn what_differs_in_anything_is_rebuilt() {
        let outcome = |flags: u32, fin_in: bool, fin_out: bool, len: u32| {
            let segment = Segment {
                seq: Seq(1000),
                len: 5,
                flags: flag::ACK | if fin_in { flag::FIN } else { 0 },
                capacity: 1460,
            };
            let mut run = Box::new(Run::new());
            (run.flags, run.fin_out) = (flags, u32::from(fin_out));
            (run.out_seq, run.out_len) = (Seq(1010), len);
            finish(&mut run, &mut Half::starting_at(Seq(1005)), &segment)
        };
        let rebuilt = |len: u32, fin: bool| Outcome::Rebuilt {
            seq: Seq(1010),
            len,
            fin,
        };
        let untouched = Outcome::Untouched(Seq(1010));
        assert_eq!(outcome(0, false, false, 5), untouched);
        assert_eq!(outcome(0, true, true, 5), untouched);
        assert_eq!(outcome(0, true, false, 5), rebuilt(5, false));
        assert_eq!(outcome(0, false, true, 5), rebuilt(5, true));
        assert_eq!(outcome(0, false, false, 4), rebuilt(4, false));
        assert_eq!(outcome(0, true, true, 0), rebuilt(0, true));
        assert_eq!(outcome(RUN_CHANGED, true, true, 5), rebuilt(5, true));
        // What is left to TCP takes the FIN along.
        assert_eq!(outcome(RUN_CUT, true, true, 5), rebuilt(5, false));
        assert_eq!(outcome(RUN_CUT, false, false, 5), rebuilt(5, false));
    }

    #[test]
    fn a_fin_below_what_was_sent_behind_it_ends_nothing() {
        for flags in [0, HALF_UNSYNCED] {
            let mut session = Session::default();
            let half = &mut session.half[SERVER];
            *half = Half::starting_at(Seq(1000));
            (half.in_nxt, half.out_nxt) = (Seq(1100), Seq(1100));
            half.flags |= flags;
            let segment = Segment {
                seq: Seq(1050),
                len: 10,
                flags: flag::ACK | flag::FIN,
                capacity: 1460,
            };
            let mut run = Box::new(Run::new());
            let begun = begin(&mut run, &mut session, SERVER, None, &segment);
            assert_eq!((begun, run.fin_in), (Begun::Parse, 0));
            assert_eq!(session.half[SERVER].flags, flags);
            assert_eq!(session.half[SERVER].in_nxt, Seq(1100));
        }
    }
}
