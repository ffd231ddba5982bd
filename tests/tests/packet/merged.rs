//! Packets that the kernel merged of several: they can't change their length
//! together, so that the first is edited alone and TCP sends the rest again.
//!
//! The checksum of such a packet is left to the device and isn't looked at.

use ftp_nat_common::counter::Counter as C;

use crate::{
    bench::{Bench, PASS},
    connection::Connection,
    hosts::{Family, GATEWAY, GATEWAY_SAME},
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
