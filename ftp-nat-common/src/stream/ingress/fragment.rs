//! A segment that comes in IP fragments. Its text can't be read, and where it ends
//! isn't known: only its first fragment has a TCP header.

use crate::{
    line::Line,
    seq::Seq,
    stream::{HALF_FIN, HALF_LAST, HALF_UNSYNCED, Half},
};

/// The output position of a segment that comes in fragments, of which the first
/// one begins at `seq` and has `len` bytes of payload; `None` where it may not pass.
///
/// It passes where all its bytes have the same shift, whatever they are: with
/// nothing held and no edit outstanding. What follows it is taken up where it
/// begins, as of a stream that is picked up, and read from its next line on. What
/// begins before the first fragment's end was in the segment, and passes unread too.
#[inline(always)]
pub fn fragment(half: &mut Half, line: &mut Line, seq: Seq, len: u32) -> Option<Seq> {
    let shifts_alike = half.held_len == 0 && half.edits_len == 0;
    if !shifts_alike || half.flags & HALF_FIN != 0 || seq.after(half.in_nxt) {
        return None;
    }
    let out = seq.plus(half.shift() as u32);
    half.flags |= HALF_UNSYNCED;
    // Nothing comes in fragments that has no payload at all.
    pass_unread(half, line, seq.plus(if len == 0 { 1 } else { len }));
    line.lost();
    Some(out)
}

/// All up to `end` passes unread, at the shift of what comes next; nothing is held.
#[inline(always)]
pub(super) fn pass_unread(half: &mut Half, line: &mut Line, end: Seq) {
    if end.after(half.in_nxt) {
        half.out_nxt = end.plus(half.shift() as u32);
        half.in_nxt = end;
        half.flags &= !HALF_LAST;
        half.snd_max = half.snd_max.max(end);
        line.lost();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        session::{CLIENT, Session},
        stream::{
            egress::{Acked, acknowledge},
            ingress::{Begun, Outcome, Run, Segment, begin},
        },
        tcp::flag,
    };
    use std::boxed::Box;

    /// A half that has sent 100 bytes as 107.
    fn shifted() -> Half {
        Half {
            in_nxt: Seq(1100),
            out_nxt: Seq(1107),
            far_una: Seq(1107),
            snd_max: Seq(1100),
            flags: HALF_LAST,
            ..Half::default()
        }
    }

    #[test]
    fn a_segment_in_fragments_keeps_the_shift_and_the_next_one_goes_on_behind_it() {
        let mut session = Session::default();
        session.half[CLIENT] = shifted();
        let (half, line) = (&mut session.half[CLIENT], &mut session.line[CLIENT]);
        assert_eq!(fragment(half, line, Seq(1100), 24), Some(Seq(1107)));
        assert!(!line.at_start(), "its end isn't known to be a line's");
        assert_eq!(half.flags & HALF_LAST, 0, "nor is its last byte");
        assert_eq!(half.snd_max, Seq(1124));
        assert_eq!((half.in_nxt, half.shift()), (Seq(1124), 7));
        assert_eq!(
            acknowledge(half, line, None, Seq(1157)),
            Acked::Resynced(Seq(1150)),
            "50 bytes were in it"
        );
        // Sent again, it is in its place.
        assert_eq!(fragment(half, line, Seq(1100), 24), Some(Seq(1107)));
        let segment = Segment {
            seq: Seq(1180),
            len: 10,
            flags: flag::ACK,
            capacity: 1460,
        };
        let mut run = Box::new(Run::new());
        let begun = begin(&mut run, &mut session, CLIENT, None, &segment);
        assert_eq!((begun, run.out_seq), (Begun::Parse, Seq(1187)));
        let half = &session.half[CLIENT];
        assert_eq!((half.in_nxt, half.shift()), (Seq(1180), 7));
        let late = Segment {
            seq: Seq(1300),
            ..segment
        };
        let begun = begin(&mut run, &mut session, CLIENT, None, &late);
        assert!(matches!(begun, Begun::Done(Outcome::Drop(_))), "once only");
    }

    /// far may have had all of it in fragments: other bytes, or more of them, would
    /// part its stream from near's for good.
    #[test]
    fn what_was_in_fragments_passes_unread_when_it_is_sent_again() {
        let mut session = Session::default();
        session.half[CLIENT] = shifted();
        let mut run = Box::new(Run::new());
        let sent_again = |session: &mut Session, run: &mut Run, seq: u32, len: u32, flags: u8| {
            let segment = Segment {
                seq: Seq(seq),
                len,
                flags,
                capacity: 1460,
            };
            begin(run, session, CLIENT, None, &segment)
        };
        let untouched = |seq: u32| Begun::Done(Outcome::Untouched(Seq(seq)));
        let (half, line) = (&mut session.half[CLIENT], &mut session.line[CLIENT]);
        assert_eq!(fragment(half, line, Seq(1100), 24), Some(Seq(1107)));
        // As a whole, in smaller segments, and with what was before it.
        for (seq, len) in [(1100, 60), (1100, 30), (1120, 40), (1090, 70), (1050, 20)] {
            let begun = sent_again(&mut session, &mut run, seq, len, flag::ACK);
            assert_eq!(begun, untouched(seq + 7), "{len} bytes at {seq}");
            assert!(!session.line[CLIENT].at_start());
        }
        let half = &session.half[CLIENT];
        assert_eq!((half.in_nxt, half.shift()), (Seq(1160), 7));
        assert_eq!((half.held_len, half.edits_len), (0, 0));
        // What comes next is read.
        let mut next = session;
        let begun = sent_again(&mut next, &mut run, 1160, 10, flag::ACK);
        assert_eq!((begun, run.out_seq), (Begun::Parse, Seq(1167)));
        // A FIN behind it is none to be forgotten.
        let begun = sent_again(&mut session, &mut run, 1100, 70, flag::ACK | flag::FIN);
        assert_eq!(begun, untouched(1107));
        let half = &mut session.half[CLIENT];
        assert_eq!(
            (half.fin, half.in_nxt, half.shift()),
            (Seq(1170), Seq(1171), 7)
        );
        assert_ne!(half.flags & HALF_FIN, 0);
        let line = &mut session.line[CLIENT];
        let acked = acknowledge(half, line, None, Seq(1178));
        assert_eq!(acked, Acked::Mapped(Seq(1171)));
        let begun = sent_again(&mut session, &mut run, 1165, 5, flag::ACK | flag::FIN);
        assert_eq!(begun, untouched(1172));
    }

    #[test]
    fn what_may_have_two_shifts_does_not_pass_in_fragments() {
        let mut line = Line::default();
        let refuses = |half: Half, seq: u32, line: &mut Line| {
            let mut after = half;
            fragment(&mut after, line, Seq(seq), 24).is_none() && after == half
        };
        let held = Half {
            held_len: 3,
            ..shifted()
        };
        let edited = Half {
            edits_len: 1,
            ..shifted()
        };
        let ended = Half {
            flags: HALF_FIN,
            ..shifted()
        };
        for half in [held, edited, ended] {
            assert!(refuses(half, 1100, &mut line));
        }
        assert!(refuses(shifted(), 1101, &mut line), "beyond a hole");
        assert_eq!(line, Line::default());
    }

    #[test]
    fn where_a_line_begins_is_not_known_behind_fragments() {
        for (seq, len, in_nxt) in [(1050, 24, 1100), (1100, 0, 1101)] {
            let (mut half, mut line) = (shifted(), Line::default());
            assert!(fragment(&mut half, &mut line, Seq(seq), len).is_some());
            assert!(!line.at_start(), "{len} bytes at {seq}");
            assert_eq!((half.in_nxt, half.shift()), (Seq(in_nxt), 7));
        }
    }
}
