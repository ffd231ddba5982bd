//! What fits: edits into the ring, bytes into a packet.

use super::{ack, lines, packet};
use crate::gateway::{Gateway, Packet};
use ftp_nat_common::{counter::Counter, stream::EDITS};

#[test]
fn a_window_full_of_edits_lets_the_next_ones_pass() {
    // One slot is kept for a FIN.
    const ROOM: usize = EDITS - 1;
    let (mut gateway, stream) = lines(ROOM + 3);
    let out = gateway.near_sends(&packet(0, &stream)).map(|p| p.data);
    assert_eq!(usize::from(gateway.half().edits_len), ROOM);
    assert_eq!(gateway.count(Counter::PassedNoEditSlot), 3);
    assert_eq!(
        out.as_ref(),
        Some(&gateway.plan.output),
        "the last three pass as they are"
    );
    assert_eq!(gateway.plan.rewrites.len(), ROOM);
    // All of it again, cut anew: the same text, also of those that passed.
    let mut again = Vec::new();
    for (n, part) in stream.chunks(50).enumerate() {
        let out = gateway.near_sends(&packet(50 * n, part));
        again.push(out);
    }
    assert_eq!(gateway.count(Counter::PassedNoEditSlot), 3);
    // Once far has them there is room again.
    let all = gateway.plan.output.len();
    let told = gateway.far_acks(&ack(all), stream.len(), |_| true);
    assert_eq!(told.at, stream.len() as i64);
    assert_eq!(gateway.half().edits_len, 0);
}

#[test]
fn a_segment_that_grows_too_long_is_cut_before_the_byte_that_does_not_fit() {
    let (whole_lines, stream) = lines(6);
    cut_at_any_capacity(&whole_lines, &stream);
}

/// The FIN sets free what is held, which has to fit, too.
#[test]
fn a_fin_waits_until_what_it_sets_free_fits() {
    let (whole_lines, mut stream) = lines(6);
    stream.extend(b"PORT 10,10,0,1");
    cut_at_any_capacity(&whole_lines, &stream);
    // What is held was so before, and all comes again with the FIN.
    for capacity in 64..whole_lines.plan.output.len() + 20 {
        let mut gateway = Gateway::new(whole_lines.setting.clone(), &stream);
        assert!(gateway.near_sends(&packet(0, &stream)).is_some());
        gateway.setting.capacity = capacity;
        let all = Packet {
            fin: true,
            ..packet(0, &stream)
        };
        let out = gateway.near_sends(&all).expect("a part fits");
        let whole = gateway.plan.output.len();
        assert_eq!(out.fin, capacity >= whole, "{capacity} of {whole}");
    }
}

fn cut_at_any_capacity(like: &Gateway, stream: &[u8]) {
    let mut gateway = Gateway::new(like.setting.clone(), stream);
    for capacity in 64..gateway.plan.output.len() + 4 {
        gateway = Gateway::new(gateway.setting.clone(), stream);
        gateway.setting.capacity = capacity;
        let (mut una, mut got, mut rounds) = (0, Vec::<u8>::new(), 0);
        while una < stream.len() + 1 {
            let all = Packet {
                fin: true,
                ..packet(una, &stream[una.min(stream.len())..])
            };
            let out = gateway.near_sends(&all);
            let Some(out) = out else { panic!("dropped") };
            assert!(out.data.len() <= capacity);
            let whole = out.end() as usize == gateway.plan.output.len() + 1;
            assert_eq!(out.fin, whole, "a FIN goes with the last byte only");
            if out.end() as usize > got.len() {
                got.truncate(out.at as usize);
                got.extend(&out.data);
            }
            let at = got.len() + usize::from(out.fin);
            una = gateway.far_acks(&ack(at), stream.len() + 1, |_| true).at as usize;
            rounds += 1;
            assert!(rounds < 40, "capacity {capacity}");
        }
        assert_eq!(got, gateway.plan.output);
    }
}

/// Edits that are sent again stay whole, and what doesn't fit is left out.
#[test]
fn a_replay_that_does_not_fit_ends_behind_a_whole_edit() {
    let (mut gateway, stream) = lines(3);
    let sent = gateway.near_sends(&packet(0, &stream)).expect("it fits");
    let edits = gateway.edits.as_deref().expect("three edits");
    let ends = [0, 1, 2].map(|n| gateway.offset(edits.slot[n].out1()) as usize);
    for (room, whole) in [
        (ends[1] - 1, ends[0]),
        (ends[1], ends[1]),
        (ends[1] + 1, ends[1]),
    ] {
        gateway.setting.capacity = room;
        let again = gateway
            .near_sends(&packet(0, &stream))
            .expect("a part fits");
        let len = again.data.len();
        assert!(len >= whole && len <= room, "{len} of {room} bytes");
        assert_eq!(again.data, sent.data[..len]);
    }
}
