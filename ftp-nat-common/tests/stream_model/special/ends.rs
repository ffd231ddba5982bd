//! FIN and RST.

use super::{ack, lines, packet};
use crate::{
    gateway::{Gateway, Packet},
    splits::plain,
};
use ftp_nat_common::{
    session::CLIENT,
    stream::{
        HALF_FIN,
        ingress::{Begun, Outcome, Segment, begin},
    },
    tcp::flag,
};

#[test]
fn a_fin_sets_held_text_free_and_is_replayed_with_it() {
    let stream = b"PORT 10,10,0,1";
    let mut gateway = Gateway::new(plain(CLIENT, false, 0), stream);
    assert_eq!(
        gateway.near_sends(&packet(0, b"PORT 10,1")),
        Some(packet(0, b"PORT "))
    );
    assert_eq!(
        gateway.far_acks(&ack(5), 9, |_| true).at,
        9,
        "the hold is acknowledged"
    );
    assert_eq!(
        gateway.near_sends(&packet(9, b"0,")),
        Some(packet(4, b" ")),
        "a probe"
    );
    let end = Packet {
        fin: true,
        ..packet(11, b"0,1")
    };
    let flushed = Some(Packet {
        fin: true,
        ..packet(5, b"10,10,0,1")
    });
    assert_eq!(gateway.near_sends(&end), flushed);
    // Every part of it is answered with the whole.
    assert_eq!(gateway.near_sends(&end), flushed);
    assert_eq!(
        gateway.near_sends(&Packet {
            fin: true,
            ..packet(14, b"")
        }),
        flushed
    );
    assert_eq!(
        gateway.near_sends(&packet(11, b"0")),
        flushed,
        "also without its FIN"
    );
    assert_ne!(gateway.half().flags & HALF_FIN, 0);
    // A FIN elsewhere is none, and nothing goes beyond it; what far has long
    // had becomes a probe.
    assert_eq!(
        gateway.near_sends(&Packet {
            fin: true,
            ..packet(0, b"PO")
        }),
        Some(packet(13, b"1"))
    );
    assert_eq!(gateway.near_sends(&packet(15, b"x")), None);
    assert_eq!(gateway.far_acks(&ack(15), 15, |_| true).at, 15);
    // All was acknowledged: what comes again is a probe with the true last byte.
    assert_eq!(gateway.near_sends(&end), Some(packet(13, b"1")));
}

#[test]
fn a_stream_has_one_end() {
    let (mut gateway, stream) = lines(1);
    let ending = |at: usize, data: &[u8]| Packet {
        fin: true,
        ..packet(at, data)
    };
    // A FIN below what was read already is a mistake.
    assert!(gateway.near_sends(&packet(0, &stream)).is_some());
    assert_eq!(
        gateway.near_sends(&ending(0, b"PORT ")),
        Some(packet(0, b"PORT "))
    );
    let out = gateway.plan.output.len();
    let end = gateway.near_sends(&ending(stream.len(), b""));
    assert_eq!(end, Some(ending(out, b"")));
    // So is another one elsewhere, and data behind the first is cut off.
    assert_eq!(
        gateway.near_sends(&ending(0, b"PORT ")),
        Some(packet(0, b"PORT "))
    );
    let last = gateway.near_sends(&packet(stream.len() - 1, b"\nmore"));
    assert_eq!(last, Some(ending(out - 1, b"\n")));
    assert_eq!(gateway.near_sends(&packet(stream.len() + 1, b"more")), None);
    // A keep-alive behind it, bare and with a byte of garbage.
    let bare = gateway.near_sends(&packet(stream.len(), b""));
    assert_eq!(bare, Some(packet(out, b"")));
    assert_eq!(
        gateway.near_sends(&packet(stream.len(), b"g")),
        Some(ending(out, b""))
    );
}

/// The output position of a RST at the input offset `at`.
fn reset(gateway: &mut Gateway, at: i64) -> i64 {
    let segment = Segment {
        seq: gateway.seq(at),
        len: 0,
        flags: flag::RST,
        capacity: 1460,
    };
    let edits = gateway.edits.as_deref();
    match begin(
        &mut gateway.run,
        &mut gateway.session,
        CLIENT,
        edits,
        &segment,
    ) {
        Begun::Done(Outcome::Untouched(seq)) => gateway.offset(seq),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reset_is_where_far_expects_it() {
    let (mut gateway, stream) = lines(2);
    assert!(gateway.near_sends(&packet(0, &stream)).is_some());
    let out = gateway.plan.output.len() as i64;
    let len = stream.len() as i64;
    assert_eq!(reset(&mut gateway, len), out);
    assert_eq!(
        reset(&mut gateway, len + 7),
        out + 7,
        "near sent what was lost before"
    );
    assert_eq!(reset(&mut gateway, 0), 0);
    // Far has the first line and a part of the second's text.
    let second = gateway.plan.rewrites[1];
    let told = gateway
        .far_acks(&ack(second.out0 + 3), stream.len(), |_| true)
        .at;
    assert_eq!(
        told, second.in0 as i64,
        "nothing of it had been held before"
    );
    assert_eq!(reset(&mut gateway, told), second.out0 as i64 + 3);
}
