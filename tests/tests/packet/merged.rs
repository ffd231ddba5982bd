//! Packets that the kernel merged of several: they can't change their length
//! together, so that the first is edited alone and TCP sends the rest again.
//!
//! The checksum of such a packet is left to the device and isn't looked at.

use ftp_nat_common::counter::Counter as C;

use crate::{
    bench::{Bench, PASS},
    connection::Connection,
    hosts::{Family, GATEWAY, GATEWAY_LONGEST, GATEWAY_SAME},
};

/// Parts of 24 bytes each.
const PARTS: u32 = 24;
const PLAIN: &str = "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
const LINE: &str = "PORT 10,10,0,1,30,4\r\nXY\n";

/// What comes out of a merged packet with `text`, as text.
fn merged(gateway: crate::hosts::Host, text: &str) -> (String, usize) {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, gateway);
    c.establish(&mut bench);
    bench.only_port(7684);
    bench.merged(PARTS);
    let out = bench.run(c.client_hooks().0, &c.client_packet().payload(text));
    assert_eq!(out.verdict, PASS);
    let payload = String::from_utf8_lossy(&out.bytes[54..]).into_owned();
    (payload, bench.count(C::Rewrites) as usize)
}

#[test]
fn one_with_nothing_to_edit_stays_whole() {
    let text = PLAIN.repeat(3);
    assert_eq!(merged(GATEWAY, &text), (text, 0));
}

#[test]
fn one_whose_first_part_has_an_announcement_is_cut_behind_it() {
    let text = LINE.to_owned() + PLAIN;
    let edited = LINE.replace("10,10,0,1", "61,144,1,2");
    assert_eq!(merged(GATEWAY, &text), (edited, 1));
}

#[test]
fn one_with_an_announcement_later_on_is_cut_before_it() {
    let text = PLAIN.to_owned() + LINE + PLAIN;
    assert_eq!(merged(GATEWAY, &text), (PLAIN.to_owned(), 0));
    // Even where the length would stay: nothing but the first part is edited.
    assert_eq!(merged(GATEWAY_SAME, &text), (PLAIN.to_owned(), 0));
}

/// A first part that grows by more than what the MSS leaves room for.
#[test]
fn the_first_part_never_grows_beyond_the_mtu() {
    const MTU: usize = 1500;
    const HEADERS: usize = 40;
    let lines = "PORT 10,10,0,1,30,4\r\n".repeat(12);
    let first = MTU - HEADERS - 8;
    let filler = "x".repeat(first - lines.len() - 2) + "\r\n";
    let text = lines + &filler + &"NOOP\r\n".repeat(100);
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY_LONGEST);
    c.establish(&mut bench);
    bench.merged(first as u32);
    let out = bench.run(c.client_hooks().0, &c.client_packet().payload(text));
    assert_eq!(out.verdict, PASS);
    assert!(bench.count(C::RewritesShifted) > 8, "it grew");
    let len = out.bytes.len() - 14;
    assert!(len <= MTU && len > MTU - 8, "{len} bytes are sent");
}

/// What is put back because TCP will send it again is counted when it comes again.
#[test]
fn what_is_undone_is_not_counted_twice() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.merged(PARTS);
    // Counted at once, before the announcement that undoes it is met.
    let rest = "PORT x\r\nNOOP\r\n".to_owned() + LINE;
    let packet = c.client_packet().payload(PLAIN.to_owned() + &rest);
    let out = bench.run(c.client_hooks().0, &packet);
    assert_eq!(out.bytes.len(), 54 + PLAIN.len(), "cut to the first part");
    assert_eq!(bench.count(C::PassedUnparsed), 0);
    bench.merged(0);
    c.client_next += PLAIN.len() as u32;
    let again = c.client_packet().payload(rest);
    assert_eq!(bench.run(c.client_hooks().0, &again).verdict, PASS);
    assert_eq!(bench.count(C::PassedUnparsed), 1);
    assert_eq!(bench.count(C::Rewrites), 1);
}
