//! Packets that the kernel merged of several: they can't change their length
//! together, so that the first is edited alone and TCP sends the rest again.
//!
//! The checksum of such a packet is left to the device and isn't looked at.

use ftp_nat_common::{counter::Counter as C, event::SHORT};

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

/// Whatever was read behind the first part, and is put back because an announcement
/// follows, leaves no trace: it comes again.
#[test]
fn what_is_undone_was_never_read() {
    let by_client = [
        "PWD\r\nSYST\r\nPASV\r\n",
        "QUIT\r\n",
        "ABOR\r\nREIN\r\n",
        "PORT x\r\nLPRT 6\r\n",
        "RETR x\r\n",
        "AUTH TLS\r\nEPSV ALL\r\n",
        "a line that goes on PORT 10,10,",
    ];
    for text in by_client {
        let rest = text.to_owned() + "\r\n" + LINE;
        undone(
            &Connection::masqueraded(Family::V4, GATEWAY),
            &[],
            PLAIN,
            &rest,
        );
    }
    let all = "EPSV ALL\r\n";
    let by_server: [(&[&str], _); 5] = [
        (&["PWD\r\nPASS x\r\nEPSV\r\n"], "230 In\r\n"),
        (&["PWD\r\nEPSV\r\n"], "421 Bye\r\n"),
        (&["PWD\r\nEPSV ALL\r\nEPSV\r\n"], "200 Ok\r\n"),
        (
            &["PWD\r\nRETR x\r\nEPSV\r\n"],
            "150-Soon\r\n150 Now\r\n226 Done\r\n",
        ),
        (
            &[all, "200 Ok\r\n", "PWD\r\nPASV\r\nEPSV\r\n"],
            "227 (10,10,0,5,30,4)\r\n",
        ),
    ];
    for (before, text) in by_server {
        let rest = text.to_owned() + "229 Ok (|||7684|)\r\n";
        undone(
            &Connection::published(Family::V4, GATEWAY),
            before,
            PATH,
            &rest,
        );
    }
}

/// 24 bytes.
const PATH: &str = "257 \"/\" is the folder.\r\n";

/// After what the ends said in turn `before`, its last speaker's other end says
/// `first` alone; or, merged with it, `rest`.
fn undone(c: &Connection, before: &[&str], first: &str, rest: &str) {
    let mut bench = Bench::new();
    let mut ring = bench.events();
    let [alone, merged] = [false, true].map(|is_merged| {
        bench.clear();
        bench.merged(0);
        let mut c = c.clone();
        c.establish(&mut bench);
        bench.only_port(7684);
        c.client_says(
            &mut bench,
            format!("PORT {},30,4\r\n", c.client.0).replace('.', ","),
        );
        for (n, text) in before.iter().enumerate() {
            if n % 2 == 0 {
                c.client_says(&mut bench, text);
            } else {
                c.server_says(&mut bench, text);
            }
        }
        while ring.next().is_some() {}
        let (at, packet) = if before.is_empty() {
            (c.client_hooks().0, c.client_packet())
        } else {
            (c.server_hooks().0, c.server_packet())
        };
        let mut text = first.to_owned();
        if is_merged {
            bench.merged(PARTS);
            text += rest;
        }
        let out = bench.run(at, &packet.payload(text));
        assert_eq!(
            out.bytes.len(),
            54 + first.len(),
            "cut to the first part: {rest}"
        );
        let mut counts = bench.counts();
        counts.retain(|(name, _)| *name != C::SegmentsCut.name());
        let mut told = Vec::new();
        while let Some(record) = ring.next() {
            // What it is about, without time, session and addresses.
            told.push(record[16..SHORT].to_vec());
        }
        (bench.session(), bench.expectations().len(), counts, told)
    });
    let (old, mut new) = (alone.0, merged.0);
    assert_eq!(new.flags, old.flags, "{rest}");
    assert_eq!(new.refusals, old.refusals, "{rest}");
    assert_eq!(new.last_refusal, old.last_refusal, "{rest}");
    assert_eq!(new.pending, old.pending, "{rest}");
    assert_eq!(new.requests, old.requests, "{rest}");
    assert_eq!(new.line, old.line, "{rest}");
    // That it was sent is true.
    for role in 0..2 {
        new.half[role].snd_max = old.half[role].snd_max;
    }
    assert_eq!(new.half, old.half, "{rest}");
    assert_eq!(
        (merged.1, merged.2, merged.3),
        (alone.1, alone.2, alone.3),
        "{rest}"
    );
}
