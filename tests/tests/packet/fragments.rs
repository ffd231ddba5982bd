//! Control segments that come in IP fragments: only the first one has numbers, and
//! nobody can read the text.

use ftp_nat_common::counter::Counter as C;

use crate::{
    bench::{At, Bench, DROP, PASS},
    connection::Connection,
    hosts::{Family, GATEWAY, GATEWAY_SAME},
    packet::{Packet, Parsed},
    table::{play, row},
};

const LINE: &str = "PORT 10,10,0,1,30,4\r\n";

/// A packet as the first of several fragments.
fn first(family: Family, packet: &Packet) -> Vec<u8> {
    if family == Family::V6 {
        return packet.clone().extension(44, &[0, 1, 0, 0, 0, 9]).bytes();
    }
    let mut bytes = packet.bytes();
    bytes[20..22].copy_from_slice(&0x2000u16.to_be_bytes());
    bytes
}

/// What a first fragment becomes, but for the checksum of its IPv4 header, which
/// is as wrong as it was.
fn becomes(bench: &mut Bench, at: At, family: Family, sent: &Packet, new: &Packet) {
    let before = bench.count(C::Fragments);
    let out = bench.run_bytes(at, &first(family, sent));
    assert_eq!(out.verdict, PASS, "{family:?}");
    let expected = first(family, new);
    assert_eq!(out.bytes[26..], expected[26..], "{family:?} {at:?}");
    assert_eq!(bench.count(C::Fragments), before + 1);
}

/// A client that has sent a line that grew by a byte, and knows that it arrived.
fn shifted(bench: &mut Bench, family: Family) -> Connection {
    let mut c = Connection::masqueraded(family, GATEWAY);
    c.establish(bench);
    if family == Family::V4 {
        bench.only_port(7684);
        c.client_says(bench, LINE);
        acknowledge(bench, &c, 0);
    }
    c
}

/// By how much the client's numbers are shifted.
fn shift(family: Family) -> u32 {
    u32::from(family == Family::V4)
}

/// The server acknowledges all that the client has sent, and `more`.
fn acknowledge(bench: &mut Bench, c: &Connection, more: u32) {
    let next = c.client_next.wrapping_add(more);
    let ack = c.to_client(&c.server_packet().ack(next.wrapping_add(1)));
    let out = bench.run(c.server_hooks().1, &ack);
    assert_eq!(Parsed::of(&out.bytes).ack(), next);
}

#[test]
fn numbers_and_acknowledgements_stay_right() {
    for family in [Family::V4, Family::V6] {
        let mut bench = Bench::new();
        let c = shifted(&mut bench, family);
        let by = shift(family);
        let sent = c.client_packet().payload("NOOP\r\nNOO");
        let new = sent.clone().seq(sent.seq.wrapping_add(by));
        becomes(&mut bench, c.client_hooks().0, family, &sent, &new);
        // It was longer than its first fragment; what follows it goes on.
        let behind = c.client_packet();
        let behind = behind
            .clone()
            .seq(behind.seq.wrapping_add(300))
            .payload("\r\nPWD\r\n");
        let moved = behind.clone().seq(behind.seq.wrapping_add(by));
        let at = c.client_hooks().0;
        play(&mut bench, [row("what follows", at, behind).becomes(moved)]);
        if family == Family::V4 {
            acknowledge(&mut bench, &c, 307);
        }
        // The other direction, whose acknowledgements are mapped.
        let packet = c.server_packet().payload("200 Ok\r\n211-");
        becomes(&mut bench, c.server_hooks().0, family, &packet, &packet);
        let there = c.to_client(&packet.clone().ack(packet.ack.wrapping_add(by)));
        let back = c.to_client(&packet);
        becomes(&mut bench, c.server_hooks().1, family, &there, &back);
    }
}

#[test]
fn one_whose_bytes_have_two_shifts_does_not_pass() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY_SAME);
    c.establish(&mut bench);
    bench.only_port(7684);
    c.client_says(&mut bench, LINE);
    let packet = c.client_packet().payload(LINE);
    let bytes = first(Family::V4, &packet);
    let out = bench.run_bytes(c.client_hooks().0, &bytes);
    assert_eq!(out.verdict, DROP);
    assert_eq!(bench.count(C::DroppedFragment), 1);
    // Once the edit has arrived it passes.
    let ack = c.to_client(&c.server_packet());
    assert_eq!(bench.run(c.server_hooks().1, &ack).verdict, PASS);
    becomes(&mut bench, c.client_hooks().0, Family::V4, &packet, &packet);
}

/// The server may have had it as it was, whatever became of the answer.
#[test]
fn what_was_in_fragments_is_not_changed_when_it_is_sent_again() {
    let mut bench = Bench::new();
    let c = shifted(&mut bench, Family::V4);
    let by = shift(Family::V4);
    let text = format!("NOOP\r\n{LINE}");
    let sent = c.client_packet().payload(&text[..16]);
    let new = sent.clone().seq(sent.seq.wrapping_add(by));
    becomes(&mut bench, c.client_hooks().0, Family::V4, &sent, &new);
    let rewritten = bench.count(C::Rewrites);
    let at = c.client_hooks().0;
    for (skip, keep) in [(0, text.len()), (0, 20), (10, text.len() - 10)] {
        let again = c.client_packet();
        let seq = again.seq.wrapping_add(skip as u32);
        let again = again.seq(seq).payload(&text[skip..skip + keep]);
        let moved = again.clone().seq(seq.wrapping_add(by));
        play(&mut bench, [row("sent again", at, again).becomes(moved)]);
    }
    assert_eq!(bench.count(C::Rewrites), rewritten);
    acknowledge(&mut bench, &c, text.len() as u32);
}
