//! Single situations, each worked out by hand.

use crate::{
    gateway::{Ack, Gateway, Packet},
    splits::plain,
};
use ftp_nat_common::{
    counter::Counter,
    line::Request,
    seq::Seq,
    session::{CLIENT, SERVER, SESSION_EPSV_ALL},
    stream::{
        EDITS, HALF_FIN,
        egress::{Acked, acknowledge},
        ingress::{Begun, Outcome, Segment, begin},
    },
    tcp::flag,
};

const LINE: &[u8] = b"PORT 10,10,0,1,30,4\r\n";

fn packet(at: usize, data: &[u8]) -> Packet {
    Packet {
        at: at as i64,
        data: data.to_vec(),
        fin: false,
    }
}

fn ack(at: usize) -> Ack {
    Ack {
        at: at as i64,
        window: 1000,
        sacks: Vec::new(),
    }
}

/// A salt under which every announcement of `LINE`s is rewritten.
fn lines(n: usize) -> (Gateway, Vec<u8>) {
    let stream = LINE.repeat(n);
    for salt in 0.. {
        let gateway = Gateway::new(plain(CLIENT, false, salt), &stream);
        if gateway.plan.rewrites.len() == n {
            return (gateway, stream);
        }
    }
    unreachable!("some salt rewrites all")
}

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
    let (mut gateway, stream) = lines(6);
    for capacity in 64..gateway.plan.output.len() + 4 {
        gateway = Gateway::new(gateway.setting.clone(), &stream);
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

#[test]
fn telnet_sequences_in_an_address_are_kept_behind_it() {
    for (count, rewritten) in [(1, true), (4, true), (5, false)] {
        let stream = [
            b"PORT 10,10,0,1,30",
            &b"\xff\xf1".repeat(count)[..],
            b",4\r\n",
        ]
        .concat();
        let mut setting = plain(CLIENT, false, 0);
        while setting.port(stream.len() - 2, 7684) == Some(7684)
            || setting.port(stream.len() - 2, 7684).is_none()
        {
            setting.salt += 3;
        }
        for cut in 1..stream.len() {
            let mut gateway = Gateway::new(setting.clone(), &stream);
            let mut out = Vec::new();
            for part in [packet(0, &stream[..cut]), packet(cut, &stream[cut..])] {
                let Some(sent) = gateway.near_sends(&part) else {
                    panic!("dropped")
                };
                out.truncate(sent.at as usize);
                out.extend(sent.data);
            }
            assert_eq!(out, gateway.plan.output);
            assert_eq!(
                gateway.plan.rewrites.len(),
                usize::from(rewritten),
                "{count}"
            );
        }
    }
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

const REPLIES: &[u8] =
    b"220 Hi\r\n150 One\r\n227 Ok (10,10,0,1,30,4)\r\n227 Ok (10,10,0,1,30,4)\r\n";

#[test]
fn a_half_that_cannot_announce_forwards_out_of_order_and_never_edits_there() {
    let mut setting = plain(SERVER, false, 2);
    setting.disarmed = true;
    let mut gateway = Gateway::new(setting, REPLIES);
    let first = packet(0, &REPLIES[..8]);
    assert_eq!(gateway.near_sends(&first), Some(first));
    // The first 227 overtakes the 150.
    let early = packet(17, &REPLIES[17..30]);
    assert_eq!(gateway.near_sends(&early), Some(early.clone()));
    let beyond = Ack {
        sacks: vec![(17, 30)],
        ..ack(8)
    };
    assert_eq!(gateway.far_acks(&beyond, 30, |_| true), beyond);
    // Now the half is armed: the hole may be filled, more may not overtake.
    gateway.session.requests.push(Request::Passive);
    gateway.session.requests.push(Request::Passive);
    assert_eq!(gateway.near_sends(&packet(40, &REPLIES[40..])), None);
    assert_eq!(
        gateway
            .near_sends(&packet(8, &REPLIES[8..17]))
            .map(|p| p.at),
        Some(8)
    );
    // Near sends the frozen range again: the line began in it and stays as it is.
    let line = packet(17, &REPLIES[17..42]);
    assert_eq!(gateway.near_sends(&line), Some(line));
    assert_eq!(gateway.count(Counter::PassedFrozen), 1);
    assert_eq!(gateway.count(Counter::Rewrites), 0);
}

#[test]
fn an_ack_of_what_overtook_takes_it_over() {
    let mut setting = plain(SERVER, false, 2);
    setting.disarmed = true;
    // What was not read ends where a line seems to begin.
    let replies = b"220 Hi\r\n200 a b\r\n200227 Ok (10,10,0,1,30,4)\r\n";
    let mut gateway = Gateway::new(setting, replies);
    assert!(gateway.near_sends(&packet(0, &replies[..8])).is_some());
    assert!(gateway.near_sends(&packet(17, &replies[17..20])).is_some());
    assert!(gateway.near_sends(&packet(8, &replies[8..17])).is_some());
    assert_eq!(gateway.far_acks(&ack(20), 20, |_| true).at, 20);
    assert_eq!(gateway.offset(gateway.half().in_nxt), 20);
    gateway.session.requests.push(Request::Passive);
    // In the middle of a line that wasn't read: it passes.
    let rest = packet(20, &replies[20..]);
    assert_eq!(gateway.near_sends(&rest), Some(rest));
    assert_eq!(gateway.count(Counter::Rewrites), 0);
}

#[test]
fn what_must_be_parsed_does_not_overtake() {
    // EPSV may follow EPSV ALL, and the server's half must know of it.
    let mut setting = plain(CLIENT, false, 0);
    setting.passive = 0;
    let mut client = Gateway::new(setting, b"EPSV ALL\r\nEPSV\r\n");
    client.session.flags |= SESSION_EPSV_ALL;
    assert_eq!(client.near_sends(&packet(10, b"EPSV\r\n")), None);
    // The answer to AUTH turns parsing off.
    let mut setting = plain(SERVER, false, 0);
    setting.disarmed = true;
    let mut server = Gateway::new(setting, b"220 Hi\r\n234 Go\r\n");
    server.session.requests.push(Request::Auth);
    assert_eq!(server.near_sends(&packet(8, b"234 Go\r\n")), None);
}

#[test]
fn an_ack_beyond_what_near_sent_is_not_taken_over() {
    let (mut gateway, stream) = lines(1);
    assert!(gateway.near_sends(&packet(0, &stream)).is_some());
    let beyond = gateway.half().out_nxt.plus(1);
    let (half, line) = (
        &mut gateway.session.half[CLIENT],
        &mut gateway.session.line[CLIENT],
    );
    let before = *half;
    assert_eq!(
        acknowledge(half, line, gateway.edits.as_deref(), beyond),
        Acked::Beyond
    );
    assert_eq!(*half, before);
    // What near sent beyond a hole that the helper never saw filled is.
    assert_eq!(
        gateway.near_sends(&packet(stream.len() + 4, b"NOOP\r\n")),
        None
    );
    // What is sent again meanwhile doesn't make it less.
    assert!(gateway.near_sends(&packet(0, &stream)).is_some());
    let (half, line) = (
        &mut gateway.session.half[CLIENT],
        &mut gateway.session.line[CLIENT],
    );
    let end = half.out_nxt.plus(10);
    let next: Seq = half.in_nxt.plus(10);
    assert_eq!(
        acknowledge(half, line, gateway.edits.as_deref(), end),
        Acked::Resynced(next)
    );
}
