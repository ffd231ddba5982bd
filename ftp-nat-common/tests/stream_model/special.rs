//! Single situations, each worked out by hand.

use crate::{
    gateway::{Ack, Gateway, Packet},
    splits::plain,
};
use ftp_nat_common::{
    counter::Counter,
    line::{Line, Request},
    seq::Seq,
    session::{CLIENT, SERVER, SESSION_EPSV_ALL, SESSION_GREETED, SESSION_NOT_FTP},
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

/// A session that nobody reads, for the server's half.
fn unread() -> Gateway {
    let mut setting = plain(SERVER, false, 2);
    setting.unread = true;
    Gateway::new(setting, REPLIES)
}

#[test]
fn what_nobody_reads_may_overtake() {
    let mut gateway = unread();
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
    let hole = packet(8, &REPLIES[8..17]);
    assert_eq!(gateway.near_sends(&hole), Some(hole));
    assert_eq!(gateway.far_acks(&ack(30), 30, |_| true).at, 30);
    assert_eq!(gateway.offset(gateway.half().in_nxt), 30);
    let rest = packet(30, &REPLIES[30..]);
    assert_eq!(gateway.near_sends(&rest), Some(rest));
}

/// Nothing gets so far: what is read doesn't overtake, and what isn't is never
/// read again. But if it did, no line may be edited of which a part was sent.
#[test]
fn a_line_that_began_where_segments_overtook_is_not_edited() {
    let mut gateway = unread();
    assert!(gateway.near_sends(&packet(0, &REPLIES[..8])).is_some());
    assert!(gateway.near_sends(&packet(17, &REPLIES[17..30])).is_some());
    gateway.session.flags &= !SESSION_NOT_FTP;
    gateway.session.flags |= SESSION_GREETED;
    gateway.session.line[SERVER] = Line::mid_stream_at_start();
    gateway.session.requests.push(Request::Passive);
    gateway.session.requests.push(Request::Passive);
    assert!(gateway.near_sends(&packet(8, &REPLIES[8..17])).is_some());
    let line = packet(17, &REPLIES[17..42]);
    assert_eq!(gateway.near_sends(&line), Some(line));
    assert_eq!(gateway.count(Counter::PassedFrozen), 1);
    assert_eq!(gateway.count(Counter::Rewrites), 0);
}

#[test]
fn what_is_read_does_not_overtake() {
    // EPSV may follow EPSV ALL, and the server's half must know of it.
    let mut setting = plain(CLIENT, false, 0);
    setting.passive = 0;
    let mut client = Gateway::new(setting, b"EPSV ALL\r\nEPSV\r\n");
    client.session.flags |= SESSION_EPSV_ALL;
    assert_eq!(client.near_sends(&packet(10, b"EPSV\r\n")), None);
    // No port is asked for, but the next reply may announce one.
    let mut setting = plain(SERVER, false, 0);
    setting.passive = 0;
    let mut server = Gateway::new(setting, b"220 Hi\r\n150 One\r\n226 Done\r\n");
    assert!(server.near_sends(&packet(0, b"220 Hi\r\n")).is_some());
    assert_eq!(server.near_sends(&packet(17, b"226 Done\r\n")), None);
}

/// A reply that was lost on its way to the gateway, with more behind it: the 227
/// that follows is read all the same.
#[test]
fn a_reply_that_comes_late_hides_no_announcement() {
    let mut setting = plain(SERVER, false, 0);
    setting.passive = 1;
    let replies = b"220 Hi\r\n150 One\r\n226 Done\r\n227 Ok (10,10,0,1,30,4)\r\n";
    let mut server = Gateway::new(setting, replies);
    // It is asked for later.
    server.session.requests.clear();
    assert!(server.near_sends(&packet(0, &replies[..8])).is_some());
    server.near_sends(&packet(17, &replies[17..27]));
    server.near_sends(&packet(8, &replies[8..17]));
    server.near_sends(&packet(17, &replies[17..27]));
    assert_eq!(server.far_acks(&ack(27), 27, |_| true).at, 27);
    server.session.requests.push(Request::Passive);
    server.near_sends(&packet(27, &replies[27..]));
    assert_eq!(server.count(Counter::Rewrites), 1);
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

#[test]
fn eight_telnet_bytes_in_an_address_are_kept_and_nine_are_not() {
    let with = |telnet: &[u8]| [b"PORT 10,10", telnet, b",0,1,30,4\r\n"].concat();
    let nop = b"\xff\xf1";
    let nine = [nop.repeat(3), b"\xff\xfb\x01".to_vec()].concat();
    for (line, rewrites) in [(with(&nop.repeat(4)), 1), (with(&nine), 0)] {
        let mut gateway = Gateway::new(plain(CLIENT, false, 2), &line);
        let sent = gateway.near_sends(&packet(0, &line)).expect("the line");
        assert_eq!(gateway.count(Counter::Rewrites), rewrites);
        if rewrites == 0 {
            assert_eq!(sent.data, line);
        } else {
            let behind = sent.data.len() - 2 - 8;
            assert_eq!(
                sent.data[behind..],
                *b"\xff\xf1\xff\xf1\xff\xf1\xff\xf1\r\n"
            );
        }
    }
}

/// far acknowledges more than it was sent, while text is held: near has sent that
/// much, but of the text behind the held one nothing can have passed.
#[test]
fn nothing_is_taken_over_while_text_is_held() {
    let stream = [LINE, LINE].concat();
    let mut gateway = Gateway::new(plain(CLIENT, false, 2), &stream);
    assert!(gateway.near_sends(&packet(0, &stream[..9])).is_some());
    assert_eq!(gateway.near_sends(&packet(12, &stream[12..40])), None);
    let before = *gateway.half();
    assert_eq!(before.held_len, 4);
    let ack = before.out_nxt.plus(3);
    let (half, line) = (
        &mut gateway.session.half[CLIENT],
        &mut gateway.session.line[CLIENT],
    );
    let acked = acknowledge(half, line, gateway.edits.as_deref(), ack);
    assert_eq!((acked, *half), (Acked::Beyond, before));
}

/// Bytes are no text in any character set, and a line has no longest length: what
/// stands behind it is read all the same.
#[test]
fn eight_bit_text_nul_and_long_lines_hide_nothing() {
    let long = [b"SITE ".as_slice(), &b"x,1".repeat(20_000), b"\r\n"].concat();
    for before in [
        b"CWD caf\xc3\xa9\r\n".as_slice(),
        b"RETR \x80\xfe\x00\x1b\r\0x\r\n",
        &long,
    ] {
        let stream = [before, LINE].concat();
        let mut gateway = Gateway::new(plain(CLIENT, false, 2), &stream);
        let mut got = Vec::new();
        let mut at = 0;
        while at < stream.len() {
            let part = packet(at, &stream[at..stream.len().min(at + 100)]);
            got.extend(gateway.near_sends(&part).expect("it passes").data);
            at = gateway.offset(gateway.half().in_nxt) as usize;
        }
        // Whether a port could be had or not, it was asked for.
        let session = &gateway.session;
        assert_eq!(session.announcements + session.refusals, 1);
        assert_eq!(got[..before.len()], *before);
    }
}

/// A client may speak before it is greeted.
#[test]
fn the_greeting_answers_nothing() {
    for greeting in [
        "220 Hi\r\n",
        "220-Hi\r\n220-220 x\r\n220 Ho\r\n",
        "120 Soon\r\n220 Hi\r\n",
    ] {
        let stream = format!("{greeting}331 Password\r\n500 No\r\n");
        let mut setting = plain(SERVER, false, 0);
        setting.passive = 0;
        let mut server = Gateway::new(setting, stream.as_bytes());
        server.session.requests.push(Request::Other);
        server.session.requests.push(Request::Active);
        let at = greeting.len();
        server.near_sends(&packet(0, greeting.as_bytes()));
        assert_eq!(
            server.session.requests.front(),
            Request::Other,
            "{greeting}"
        );
        server.near_sends(&packet(at, b"331 Password\r\n"));
        assert_eq!(
            server.session.requests.front(),
            Request::Active,
            "{greeting}"
        );
        server.near_sends(&packet(at + 14, b"500 No\r\n"));
        assert!(server.session.requests.is_empty(), "{greeting}");
    }
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
