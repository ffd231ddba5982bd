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

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 bytes were sent as 107; what follows was taken up in its middle.
    fn picked_up() -> Half {
        Half {
            in_nxt: Seq(1100),
            out_nxt: Seq(1107),
            far_una: Seq(1107),
            snd_max: Seq(1100),
            flags: HALF_UNSYNCED | HALF_LAST,
            ..Half::default()
        }
    }

    #[test]
    fn what_far_has_that_was_not_seen_is_not_known() {
        let mut half = picked_up();
        half.k = 3;
        let mut line = Line::default();
        let acked = acknowledge(&mut half, &mut line, None, Seq(1157));
        assert_eq!(acked, Acked::Resynced(Seq(1150)));
        assert_eq!((half.in_nxt, half.out_nxt), (Seq(1150), Seq(1157)));
        assert_eq!(half.far_una, Seq(1157));
        assert_eq!(half.flags & HALF_LAST, 0, "the last byte was not seen");
        assert_eq!(half.k, 0, "nor is anything held");
        assert!(!line.at_start() && !line.is_first());
        // What was seen is known.
        let mut half = picked_up();
        let mut line = Line::default();
        let acked = acknowledge(&mut half, &mut line, None, Seq(1107));
        assert_eq!(acked, Acked::Mapped(Seq(1100)));
        assert_ne!(half.flags & HALF_LAST, 0);
        assert!(line.at_start());
    }

    #[test]
    fn no_block_is_left_of_what_is_held() {
        let half = Half {
            in_nxt: Seq(1110),
            held_len: 10,
            flags: 0,
            ..picked_up()
        };
        for (start, end, block) in [
            (1107, 1112, None),
            (1107, 1107, None),
            (1100, 1100, None),
            (1090, 1100, Some((Seq(1083), Seq(1093)))),
            (1100, 1107, Some((Seq(1093), Seq(1100)))),
            (1100, 1112, Some((Seq(1093), Seq(1100)))),
        ] {
            let told = sack_block(&half, None, Seq(start), Seq(end));
            assert_eq!(told, block, "{start} to {end}");
        }
    }

    #[test]
    fn what_overtook_is_reported_up_to_its_end_and_no_further() {
        let half = Half {
            flags: HALF_FROZEN,
            frozen: Seq(1150),
            ..picked_up()
        };
        for (end, told) in [(1156, 1149), (1157, 1150), (1158, 1150), (1200, 1150)] {
            let block = sack_block(&half, None, Seq(1117), Seq(end));
            assert_eq!(block, Some((Seq(1110), Seq(told))), "{end}");
        }
    }

    #[test]
    fn what_overtook_was_seen() {
        let mut half = Half {
            flags: HALF_FROZEN,
            frozen: Seq(1150),
            snd_max: Seq(1150),
            ..picked_up()
        };
        let acked = acknowledge(&mut half, &mut Line::default(), None, Seq(1157));
        assert_eq!(acked, Acked::Mapped(Seq(1150)));
    }
}
