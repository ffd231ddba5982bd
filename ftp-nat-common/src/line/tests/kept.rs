//! What is left of one line for the next one, and of a stream behind a gap.

use super::*;

/// A line that has taken all of `stream`, but for the last line's end.
fn after(role: usize, stream: &[u8]) -> Line {
    let mut line = Line::default();
    for (n, b) in stream.iter().enumerate() {
        if line.feed(role, *b).ended && n + 1 < stream.len() {
            line.next();
        }
    }
    line
}

fn request(stream: &[u8]) -> Request {
    after(CLIENT, stream).request()
}

/// The next line of a server announces.
fn reads_on(line: &mut Line) -> bool {
    let mut released = false;
    for b in b"\r\n227 (10,0,0,5,200,15)\r\n" {
        let fed = line.feed(SERVER, *b);
        released |= fed.step == Step::Release;
        if fed.ended {
            line.next();
        }
    }
    released
}

#[test]
fn behind_a_gap_the_next_line_is_read_whatever_was_before() {
    for before in [
        &b"220-Hi\r\n and more"[..],
        b"220 Hi \xff",
        b"220 Hi \xff\xfb",
        b"220 Hi \xff\xfa and no end",
        b"227 Ok (10,0",
        b"22",
        b"",
    ] {
        let mut line = after(SERVER, before);
        line.lost();
        assert!(line.is_skipping() && !line.at_start(), "{before:?}");
        assert!(!line.is_first() && !line.holding(), "{before:?}");
        assert!(!line.greets(), "the greeting may have been in the gap");
        assert!(reads_on(&mut line), "{before:?}");
    }
}

#[test]
fn a_stream_that_is_picked_up_has_had_its_first_line_and_its_greeting() {
    for (mut line, at_start) in [
        (Line::mid_stream(), false),
        (Line::mid_stream_at_start(), true),
    ] {
        assert_eq!((line.at_start(), line.is_skipping()), (at_start, !at_start));
        assert!(!line.is_first() && !line.is_odd());
        assert!(!line.greets());
        assert!(reads_on(&mut line));
    }
    let mut line = Line::default();
    assert!(line.at_start() && line.is_first());
    assert!(line.greets() && !line.greets(), "there is one greeting");
}

#[test]
fn no_line_begins_within_a_telnet_sequence() {
    for sequence in [&b"\xff\xf1"[..], b"\xff\xfb\x01", b"\xff\xfa\n\xff\xf0"] {
        for role in [CLIENT, SERVER] {
            let mut line = after(role, b"200 x\r\n\r\n");
            line.next();
            for b in sequence {
                assert!(line.at_start() == (*b == 0xff && line.telnet == telnet::DATA));
                line.feed(role, *b);
            }
            assert!(line.at_start(), "{sequence:?}");
        }
    }
}

#[test]
fn a_verb_and_its_argument_are_those_of_their_line() {
    assert_eq!(request(b"NOOP\r\nCCC\r\n"), Request::ClearChannel);
    assert_eq!(request(b"X\r\nCCC\r\n"), Request::ClearChannel);
    assert_eq!(request(b"EPSV 1\r\nEPSV ALL\r\n"), Request::EpsvAll);
    assert_eq!(request(b"EPSV ALL\r\nEPSV\r\n"), Request::Passive);
    assert_eq!(request(b"EPSV ALL\r\nEPSV A\r\n"), Request::Passive);
    assert_eq!(request(b"EPSV AL L\r\n"), Request::Passive);
    assert!(after(CLIENT, b"NOOP\r\n\r\n").is_empty());
    assert!(!after(CLIENT, b"\r\nNOOP\r\n").is_empty());
    assert!(!after(CLIENT, b"\r\n NOOP\r\n").is_empty());
}

#[test]
fn lines_that_no_client_of_ftp_begins_with() {
    for (line, odd) in [
        ("PWD\r\n", false),
        ("PW\r\n", true),
        ("PW x\r\n", true),
        ("P\r\n", true),
        ("ABCDEFGH\r\n", false),
        ("ABCDEFGHI\r\n", true),
        ("ABCDEFGHI x\r\n", true),
        ("USER?\r\n", true),
        ("\r\n", false),
        (" USER x\r\n", false),
        ("\tUSER x\r\n", false),
        ("\0USER x\r\n", true),
        ("\u{1}USER x\r\n", true),
        ("?\r\n", true),
    ] {
        let read = after(CLIENT, line.as_bytes());
        assert_eq!((read.is_odd(), read.is_foreign()), (odd, false), "{line:?}");
    }
    for (line, foreign) in [
        ("Host: example.org\r\n", true),
        ("Host:example.org\r\n", true),
        ("X:\r\n", true),
        ("USER a:b\r\n", false),
        (" : \r\n", false),
        ("GET / HTTP/1.1\r\n", true),
        ("GET\r\n", false),
    ] {
        let read = after(CLIENT, line.as_bytes());
        assert_eq!(read.is_foreign(), foreign, "{line:?}");
    }
}

#[test]
fn tls_from_the_first_byte_on_is_told_at_its_first_byte() {
    let mut line = Line::default();
    assert!(line.feed(CLIENT, 22).ended && line.is_foreign());
    // Later on it is a line like others.
    let mut line = after(CLIENT, b"NOOP\r\n");
    line.next();
    assert!(!line.feed(CLIENT, 22).ended && !line.is_foreign());
    // And so it is within a line.
    let mut line = after(CLIENT, b"NOOP");
    assert!(!line.feed(CLIENT, 22).ended && !line.is_foreign());
}

#[test]
fn a_reply_is_final_with_what_ends_its_code() {
    for (stream, reply, odd) in [
        ("220 Hi\r\n", Some(220), false),
        ("220\tHi\r\n", Some(220), false),
        ("220\r\n", Some(220), false),
        ("220\n", Some(220), false),
        ("220-Hi\r\n", None, false),
        ("2200 Hi\r\n", None, true),
        ("220Hi\r\n", None, true),
        ("Hi\r\n", None, true),
        ("22\r\n", None, false),
        ("\r\n", None, false),
        ("220-Hi\r\nNo code\r\n", None, false),
        ("220-Hi\r\n220-More\r\n", None, false),
        ("220-Hi\r\n221 Other\r\n", None, false),
        ("220-Hi\r\n220\n", Some(220), false),
        ("220-Hi\r\n220\r\n", Some(220), false),
    ] {
        let line = after(SERVER, stream.as_bytes());
        assert_eq!((line.reply(), line.is_odd()), (reply, odd), "{stream:?}");
    }
}
