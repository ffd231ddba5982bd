use super::*;
use crate::stream::{Edit, egress::sack_block};

/// Where both streams begin: the examples cross the wrap.
const BASE: u32 = u32::MAX - 20;

const fn at(n: u32) -> Seq {
    Seq(BASE.wrapping_add(n))
}

/// Two edits and a hold, the numbers as in the tests below:
///
/// ```text
/// input   0 .. 5 [  A  ) 19 .. 30 [  B  ) 40 .. 50 held 54
/// output  0 .. 5 [  A  ) 22 .. 33 [  B  ) 40 .. 50
/// ```
fn example(far_una: u32) -> (Half, Edits) {
    let mut edits = Edits::default();
    let a = Edit {
        in0: at(5),
        in1: at(19),
        out0: at(5),
        len: 17,
        k: 3,
        ..Edit::default()
    };
    let b = Edit {
        in0: at(30),
        in1: at(40),
        out0: at(33),
        len: 7,
        ..Edit::default()
    };
    edits.slot[EDITS - 1] = a;
    edits.slot[0] = b;
    let half = Half {
        in_nxt: at(54),
        out_nxt: at(50),
        far_una: at(far_una),
        held_len: 4,
        k: 4,
        edits_head: EDITS as u8 - 1,
        edits_len: 2,
        ..Half::default()
    };
    (half, edits)
}

fn each(pairs: &[(u32, u32)], map: impl Fn(Seq) -> Seq) {
    for &(from, to) in pairs {
        assert_eq!(map(at(from)), at(to), "{from} -> {to}");
    }
}

#[test]
fn m1_plain_regions_run_in_parallel() {
    let (half, edits) = example(0);
    for (output, input) in [(0, 0), (4, 4), (22, 19), (32, 29), (40, 40), (49, 49)] {
        let place = locate_output(&half, Some(&edits), at(output));
        assert_eq!(
            place,
            Place {
                other: at(input),
                edit: PLAIN
            }
        );
        let place = locate_input(&half, Some(&edits), at(input));
        assert_eq!(
            place,
            Place {
                other: at(output),
                edit: PLAIN
            }
        );
    }
    assert_eq!(
        locate_output(&half, Some(&edits), at(21)),
        Place {
            other: at(5),
            edit: EDITS as u32 - 1
        }
    );
    assert_eq!(
        locate_input(&half, Some(&edits), at(30)),
        Place {
            other: at(33),
            edit: 0
        }
    );
}

#[test]
fn m2_an_ack_covers_the_hold_and_stops_within_an_edit() {
    let (half, edits) = example(0);
    let pairs = [
        (50, 54),
        (49, 49),
        (40, 40),
        // B was read in one segment, three bytes of A were held before its end came.
        (39, 30),
        (33, 30),
        (32, 29),
        (22, 19),
        (21, 8),
        (5, 8),
        (4, 4),
    ];
    each(&pairs, |a| ack_to_input(&half, Some(&edits), a));
}

#[test]
fn m3_sack_edges_never_claim_a_part_of_an_edit_or_of_the_hold() {
    let (mut half, edits) = example(0);
    let starts = [
        (0, 0),
        (5, 5),
        (6, 19),
        (21, 19),
        (22, 19),
        (34, 40),
        (50, 50),
        (51, 50),
    ];
    each(&starts, |s| {
        sack_edge_to_input(&half, Some(&edits), s, true)
    });
    let ends = [
        (4, 4),
        (5, 5),
        (6, 5),
        (21, 5),
        (22, 19),
        (39, 30),
        (40, 40),
        (50, 50),
    ];
    each(&ends, |s| sack_edge_to_input(&half, Some(&edits), s, false));
    // Of a part of an edit there is nothing to tell, not even an empty block.
    for (start, end, told) in [(5, 21, None), (6, 21, None), (4, 22, Some((4, 19)))] {
        let block = sack_block(&half, Some(&edits), at(start), at(end));
        assert_eq!(block, told.map(|(s, e)| (at(s), at(e))), "{start}-{end}");
    }
    // Beyond what was sent in order only where nothing is held.
    half.held_len = 0;
    half.in_nxt = at(50);
    half.flags |= HALF_FROZEN;
    half.frozen = at(70);
    each(&[(60, 60)], |s| {
        sack_edge_to_input(&half, Some(&edits), s, false)
    });
}

#[test]
fn m3_beyond_what_was_sent_only_what_overtook_is_reported() {
    let mut half = Half::starting_at(at(100));
    half.out_nxt = at(103);
    let block = |half: &Half, start, end| {
        let edge = |n, is_start| sack_edge_to_input(half, None, at(n), is_start);
        let (start, end) = (edge(start, true), edge(end, false));
        start.before(end).then_some((start, end))
    };
    let told = |start, end| Some((at(start), at(end)));
    assert_eq!(block(&half, 113, 123), None, "nothing was sent there");
    assert_eq!(block(&half, 93, 123), told(90, 100));
    half.flags |= HALF_FROZEN;
    half.frozen = at(120);
    assert_eq!(block(&half, 113, 123), told(110, 120));
    assert_eq!(block(&half, 113, 143), told(110, 120));
    assert_eq!(block(&half, 123, 143), None);
    half.frozen = at(90);
    assert_eq!(
        block(&half, 113, 123),
        None,
        "that has been overtaken again"
    );
    half.flags = HALF_UNSYNCED;
    assert_eq!(block(&half, 113, 143), told(110, 140));
}

#[test]
fn m4_a_bare_segment_below_the_next_byte_lands_below_it() {
    let (half, edits) = example(0);
    let pairs = [
        (60, 50),
        (54, 50),
        (53, 49),
        (50, 46),
        (49, 49),
        (39, 39),
        (30, 30),
        (29, 32),
        (18, 21),
        (5, 8),
        (4, 4),
    ];
    each(&pairs, |s| bare_to_output(&half, Some(&edits), s));
}

#[test]
fn m5_a_reset_at_what_near_knows_is_at_what_far_expects() {
    for (far_una, rst, to) in [
        (50, 54, 50),
        (22, 19, 22),
        (10, 8, 10),
        (22, 54, 50),
        (22, 57, 53),
        (22, 18, 21),
    ] {
        let (half, edits) = example(far_una);
        assert_eq!(
            reset_to_output(&half, Some(&edits), at(rst)),
            at(to),
            "{far_una} {rst}"
        );
    }
}

#[test]
fn a_fin_counts_in_the_edit_it_ends() {
    let (mut half, mut edits) = example(0);
    let text = Edit {
        in0: at(50),
        in1: at(55),
        out0: at(50),
        ..Edit::default()
    };
    edits.slot[1] = Edit {
        len: 4,
        k: 4,
        fin: 1,
        ..text
    };
    half.edits_len = 3;
    (half.held_len, half.in_nxt, half.out_nxt) = (0, at(55), at(55));
    each(&[(55, 55), (54, 54), (50, 54)], |a| {
        ack_to_input(&half, Some(&edits), a)
    });
    each(&[(55, 55), (54, 50)], |s| {
        sack_edge_to_input(&half, Some(&edits), s, false)
    });
    each(&[(55, 55), (54, 54)], |s| {
        bare_to_output(&half, Some(&edits), s)
    });
}

#[test]
fn without_edits_only_the_hold_parts_the_two() {
    let half = Half {
        in_nxt: at(9),
        out_nxt: at(5),
        held_len: 4,
        ..Half::default()
    };
    each(&[(5, 9), (4, 4)], |a| ack_to_input(&half, None, a));
    each(&[(9, 5), (8, 4), (5, 1), (4, 4)], |s| {
        bare_to_output(&half, None, s)
    });
}

#[test]
fn a_quoted_number_is_one_that_near_has_not_had_acknowledged() {
    let (mut half, edits) = example(0);
    let pairs = [
        (50, 54),
        (49, 49),
        (40, 40),
        (39, 30),
        (33, 30),
        (32, 29),
        // Three bytes of A were acknowledged to near while its end was waited for.
        (21, 8),
        (5, 8),
        (4, 4),
    ];
    each(&pairs, |s| quoted_to_input(&half, Some(&edits), s));
    for far_una in 0..=50 {
        for quoted in far_una..=50 {
            let una = ack_to_input(&half, Some(&edits), at(far_una));
            let seq = quoted_to_input(&half, Some(&edits), at(quoted));
            assert!(
                !seq.before(una) && !seq.after(half.in_nxt),
                "{far_una} {quoted}"
            );
        }
    }
    // Beyond what was sent in order the shift is constant.
    half.held_len = 0;
    half.in_nxt = at(50);
    (half.out_nxt, half.held_len) = (at(47), 0);
    each(&[(47, 50), (48, 51), (60, 63)], |s| {
        quoted_to_input(&half, Some(&edits), s)
    });
}

#[test]
fn an_urgent_pointer_marks_the_byte_it_marked_or_none() {
    let (mut half, edits) = example(0);
    let map = |half: &Half, input: u32| {
        let output = urgent_to_output(half, Some(&edits), at(input))?;
        Some(output.since(at(0)) as u32)
    };
    for (input, output) in [
        (0, 0),
        (5, 5),
        (19, 22),
        (30, 33),
        (40, 40),
        (49, 49),
        (50, 50),
    ] {
        assert_eq!(map(&half, input), Some(output), "{input}");
    }
    for input in [6, 18, 31, 39, 51, 53, 54, 60] {
        assert_eq!(map(&half, input), None, "{input}: replaced or held");
    }
    half.held_len = 0;
    half.in_nxt = at(50);
    assert_eq!(map(&half, 50), Some(50));
    assert_eq!(map(&half, 60), Some(60), "ten bytes ahead");
}
