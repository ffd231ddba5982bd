//! What nobody reads, and what is read, out of order.

use super::{ack, packet};
use crate::{
    gateway::{Ack, Gateway},
    splits::plain,
};
use ftp_nat_common::{
    counter::Counter,
    line::{Line, Request},
    session::{
        CLIENT, SERVER, SESSION_ENCRYPTED, SESSION_EPSV_ALL, SESSION_GREETED, SESSION_NOT_FTP,
    },
};

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

/// Until what is held has gone on, nothing may overtake it, and it goes first:
/// where it will be isn't known yet.
#[test]
fn what_is_held_when_nobody_reads_any_more_is_sent_first() {
    let stream = b"PORT 10,10,0,1,30,4\r\n\x16\x03\x01\x00\x02ab";
    for unread in [SESSION_NOT_FTP, SESSION_ENCRYPTED] {
        let mut gateway = Gateway::new(plain(CLIENT, false, 0), stream);
        let held = gateway.near_sends(&packet(0, &stream[..9]));
        assert_eq!(held, Some(packet(0, b"PORT ")));
        gateway.session.flags |= unread;
        assert_eq!(gateway.near_sends(&packet(12, &stream[12..15])), None);
        let out = gateway.near_sends(&packet(9, &stream[9..12]));
        assert_eq!(out, Some(packet(4, b" ")), "a probe");
        let out = gateway.near_sends(&packet(12, &stream[12..]));
        let out = out.expect("all of it");
        assert_eq!(out.at, 5);
        assert!(out.data.ends_with(&stream[19..]), "{:?}", out.data);
        assert_eq!(gateway.half().held_len, 0);
    }
}

/// What doesn't fit is sent again in smaller pieces, and doesn't overtake.
#[test]
fn what_overtakes_fits() {
    let mut gateway = unread();
    gateway.setting.capacity = 13;
    assert_eq!(gateway.near_sends(&packet(17, &REPLIES[17..31])), None);
    let fits = packet(17, &REPLIES[17..30]);
    assert_eq!(gateway.near_sends(&fits), Some(fits.clone()));
}

/// Of TLS records that passed out of order the lengths weren't read: what looks
/// like text behind them may be anything.
#[test]
fn behind_tls_out_of_order_nothing_is_taken_for_text() {
    const AUTH: &[u8] = b"AUTH TLS\r\n";
    const RECORDS: [&[u8]; 2] = [b"\x16\x03\x01\x00\x02ab", b"\x16\x03\x01\x00\x01\n"];
    const PORT: &[u8] = b"PORT 10,10,0,1,30,4\r\n";
    let [first, second] = RECORDS.map(<[u8]>::len);
    let (first_at, second_at) = (AUTH.len(), AUTH.len() + first);
    let port_at = second_at + second;
    let stream = [AUTH, RECORDS[0], RECORDS[1], PORT].concat();
    for (overtakes, announced) in [(false, 1), (true, 0)] {
        let mut gateway = Gateway::new(plain(CLIENT, false, 2), &stream);
        assert!(gateway.near_sends(&packet(0, AUTH)).is_some());
        gateway.session.flags |= SESSION_ENCRYPTED;
        gateway.session.line[CLIENT].enter_tls();
        gateway.session.requests.push(Request::Passive);
        let late = packet(second_at, RECORDS[1]);
        if overtakes {
            gateway.seen.exempt.insert(port_at);
            assert_eq!(gateway.near_sends(&late), Some(late.clone()));
        }
        assert!(gateway.near_sends(&packet(first_at, RECORDS[0])).is_some());
        if overtakes {
            let told = gateway.far_acks(&ack(port_at), port_at, |_| true);
            assert_eq!(told.at, port_at as i64);
        } else {
            assert_eq!(gateway.near_sends(&late), Some(late));
        }
        assert!(gateway.near_sends(&packet(port_at, PORT)).is_some());
        let session = &gateway.session;
        assert_eq!(session.announcements + session.refusals, announced);
        assert_eq!(session.flags & SESSION_ENCRYPTED != 0, overtakes);
        // What was asked for before the text begins again isn't answered in it.
        assert_eq!(session.requests.expects_passive(), overtakes);
    }
}
