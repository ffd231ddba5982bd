//! Text of an attacker's choice in the mouth of a host inside: a web page makes a
//! browser send it, or a client makes a server echo it. The attacker also chooses
//! where segments begin, by the windows and sizes that it grants.

use ftp_nat_common::{counter::Counter as C, session::SESSION_NOT_FTP};

use crate::{
    bench::{Bench, DROP, PASS},
    connection::{Connection, passed},
    hosts::{Family, GATEWAY},
    packet::Parsed,
};

const LINE: &[u8] = b"PORT 10,10,0,1,30,4\r\n";

/// What browsers can be made to send to a server that greets like one of FTP: the
/// line stands where the page's own text does.
fn sent_by_browsers() -> Vec<(&'static str, Vec<u8>)> {
    let http = |start: &str| {
        let head = format!("{start}\r\nHost: a.example:2121\r\nContent-Length: 21\r\n\r\n");
        [head.as_bytes(), LINE].concat()
    };
    let line = |before: &[u8]| [before, b"\r\n", LINE].concat();
    vec![
        ("a form", http("POST /x HTTP/1.1")),
        // A page may choose any word as the method for its own server.
        ("a method that is a verb", http("NOOP /x HTTP/1.1")),
        ("one that logs in", http("USER /x HTTP/1.1")),
        ("one that asks for a transfer", http("LIST /x HTTP/1.1")),
        ("one that wants TLS", http("AUTH /x HTTP/1.1")),
        // A name in a ClientHello (RFC 8446, RFC 6066).
        ("TLS", line(b"\x16\x03\x01\x00\x50\x01\x00\x00\x4c\x03\x03")),
        // A user's name in a request to a TURN server (RFC 8656).
        (
            "TURN",
            line(b"\x00\x03\x00\x20\x21\x12\xa4\x42\x00\x06\x00\x18"),
        ),
    ]
}

#[test]
fn a_web_form_is_never_read_however_it_is_cut() {
    let mut bench = Bench::new();
    for (name, text) in sent_by_browsers() {
        for cut in 1..text.len() {
            bench.clear();
            let mut c = Connection::masqueraded(Family::V4, GATEWAY);
            c.establish(&mut bench);
            let first = c.client_next;
            let (before, behind) = text.split_at(cut);
            let mut arrived = Vec::new();
            for part in [before, behind] {
                arrived.extend_from_slice(c.client_says(&mut bench, part).payload());
                // The server takes part: it answers whatever there was.
                c.server_says(&mut bench, "200 Fine\r\n");
            }
            // What begins at the line comes again, and once more.
            let at = text.len() - LINE.len();
            for _ in 0..2 {
                let again = c.client_packet().seq(first + at as u32).payload(LINE);
                passed(&mut bench, c.client_hooks().0, &again);
            }
            c.client_says(&mut bench, LINE);
            assert!(bench.expectations().is_empty(), "{name}, cut at {cut}");
            assert_eq!(bench.count(C::Rewrites), 0, "{name}, cut at {cut}");
            assert_eq!(arrived, text, "{name}, cut at {cut}");
            let flags = bench.session().flags;
            assert_ne!(flags & SESSION_NOT_FTP, 0, "{name}, cut at {cut}");
        }
    }
}

/// The segment with the line overtakes the ones before it.
#[test]
fn a_line_beyond_a_hole_is_not_read() {
    let mut bench = Bench::new();
    for (name, text) in sent_by_browsers() {
        bench.clear();
        let c = Connection::masqueraded(Family::V4, GATEWAY);
        c.clone().establish(&mut bench);
        let mut c = c;
        c.server_next += "220 Ready\r\n".len() as u32;
        let at = text.len() - LINE.len();
        let ahead = c.client_packet().seq(c.client_next + at as u32);
        let out = bench.run(c.client_hooks().0, &ahead.payload(LINE));
        assert_eq!(out.verdict, DROP, "{name}");
        c.client_says(&mut bench, &text);
        assert!(bench.expectations().is_empty(), "{name}");
    }
}

/// A server says the client's text again, and segments begin where the client
/// likes. A passive reply is waited for, so that a line would be believed.
#[test]
fn an_echo_is_no_reply() {
    let mut bench = Bench::new();
    let reply = "227 Entering Passive Mode (10,10,0,5,12,234)\r\n";
    for before in [
        "502 Unknown command: ",
        "502 Unknown command: X\r",
        "502 Unknown command: X\0",
        "502 Unknown command: X\r\0",
        "502 Unknown command: X\u{b}\u{c}\u{85}",
        "502-Unknown command:\r\n ",
        "502-Unknown command:\r\n",
        "211-Status\r\n211-",
    ] {
        bench.clear();
        let mut c = Connection::published(Family::V4, GATEWAY);
        c.establish(&mut bench);
        c.client_says(&mut bench, "HELP\r\nPASV\r\n");
        c.server_says(&mut bench, before);
        let sent = c.server_packet().payload(reply);
        let out = bench.run(c.server_hooks().0, &sent);
        assert_eq!(out.verdict, PASS, "{before:?}");
        let payload = Parsed::of(&out.bytes).payload().to_vec();
        assert_eq!(payload, reply.as_bytes(), "{before:?}");
        assert!(bench.expectations().is_empty(), "{before:?}");
    }
}
