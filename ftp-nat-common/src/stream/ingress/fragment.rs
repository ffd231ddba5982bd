//! A segment that comes in IP fragments. Its text can't be read, and where it ends
//! isn't known: only its first fragment has a TCP header.

use crate::{
    line::Line,
    seq::Seq,
    stream::{HALF_FIN, HALF_UNSYNCED, Half},
};

/// The output position of a segment that comes in fragments, of which the first
/// one begins at `seq`; `None` where it may not pass.
///
/// It passes where all its bytes have the same shift, whatever they are: with
/// nothing held and no edit outstanding. What follows it is taken up where it
/// begins, as of a stream that is picked up, and read from its next line on.
#[inline(always)]
pub fn fragment(half: &mut Half, line: &mut Line, seq: Seq) -> Option<Seq> {
    let shifts_alike = half.held_len == 0 && half.edits_len == 0;
    if !shifts_alike || half.flags & HALF_FIN != 0 || seq.after(half.in_nxt) {
        return None;
    }
    half.flags |= HALF_UNSYNCED;
    line.lost();
    Some(seq.plus(half.shift() as u32))
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
            ..Half::default()
        }
    }

    #[test]
    fn a_segment_in_fragments_keeps_the_shift_and_the_next_one_goes_on_behind_it() {
        let mut session = Session::default();
        session.half[CLIENT] = shifted();
        let (half, line) = (&mut session.half[CLIENT], &mut session.line[CLIENT]);
        assert_eq!(fragment(half, line, Seq(1100)), Some(Seq(1107)));
        assert!(!line.at_start(), "its end isn't known to be a line's");
        assert_eq!(
            acknowledge(half, line, None, Seq(1157)),
            Acked::Resynced(Seq(1150)),
            "50 bytes were in it"
        );
        // Sent again, it is in its place.
        assert_eq!(fragment(half, line, Seq(1100)), Some(Seq(1107)));
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

    #[test]
    fn what_may_have_two_shifts_does_not_pass_in_fragments() {
        let mut line = Line::default();
        let refuses = |half: Half, seq: u32, line: &mut Line| {
            let mut after = half;
            fragment(&mut after, line, Seq(seq)).is_none() && after == half
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
}
