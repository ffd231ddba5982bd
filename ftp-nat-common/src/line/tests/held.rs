//! Byte by byte: where an address begins and ends to be one, and from where on a
//! line can have one at all.

use super::*;

/// What each byte of the stream's last line is: passed (`.`), held (`h`), the one
/// that releases (`R`), the one that shows it is no address (`a`).
fn steps(role: usize, stream: &[u8]) -> String {
    let mut line = Line::default();
    let mut steps = String::new();
    for (n, b) in stream.iter().enumerate() {
        let fed = line.feed(role, *b);
        steps.push(match fed.step {
            Step::Plain => '.',
            Step::Hold => 'h',
            Step::Release => 'R',
            Step::Abandon => 'a',
        });
        if fed.ended && n + 1 < stream.len() {
            line.next();
            steps.clear();
        }
    }
    steps
}

#[test]
fn a_blank_a_nul_or_the_lines_end_is_behind_a_port_command() {
    for end in [" \r\n", "\t\r\n", "\0\n", "\r\n"] {
        let line = std::format!("PORT 1,2,3,4,5,6{end}");
        assert!(one(CLIENT, &line).is_some(), "{line:?}");
    }
}

#[test]
fn what_can_become_no_address_is_let_go_at_once() {
    for (line, expected) in [
        // A digit may stand in what it would have to part.
        ("EPRT 32311::137684", ".................."),
        ("PORT 1,2,3,4,5,6,7", ".....hhhhhhhhhhha."),
        ("EPRT |1|1.2.3.4.5", "........hhhhhhha."),
        ("EPRT |2|1:2:3:4:5:6:7:8:9", "........hhhhhhhhhhhhhhhha"),
    ] {
        assert_eq!(steps(CLIENT, line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn a_port_has_five_digits_at_most() {
    assert!(one(CLIENT, "EPRT |1|10.10.0.1|07684|\r\n").is_some());
    assert_eq!(one(CLIENT, "EPRT |1|10.10.0.1|007684|\r\n"), None);
    assert_eq!(one(SERVER, "229 (|||007684|)\r\n"), None);
    assert_eq!(one(CLIENT, "EPRT |1|10.10.0.1|007684\r\n"), None);
}

#[test]
fn colons_stand_where_they_may() {
    for text in [
        ":::",
        ":::1",
        "1:::2",
        "1::2:",
        "1:2:3:4:5:6:7:8:",
        "1:2:3:4:5:6:7:",
        ":",
        "",
        // `::` stands for at least one group.
        "1::2:3:4:5:6:7:8",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
    ] {
        let line = std::format!("EPRT |2|{text}|7684|\r\n");
        assert_eq!(one(CLIENT, &line), None, "{line:?}");
    }
    assert!(one(CLIENT, "EPRT |2|1:2:3:4:5:6:7::|7684|\r\n").is_some());
}

#[test]
fn the_delimiters_of_a_229_stand_in_a_row() {
    for line in [
        "229 (||1|6446|)\r\n",
        "229 (|| |6446|)\r\n",
        "229 (||\u{1}|6446|)\r\n",
        // Of the reply before nothing is left.
        "229 Ok|||\n229 6446|\r\n",
    ] {
        assert_eq!(one(SERVER, line), None, "{line:?}");
    }
    let found = announcements(SERVER, b"229 |||6446|\n229 7000|\r\n");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_run_of_numbers_is_not_entered_in_its_middle() {
    for line in [
        "227 (1,2,3,4,5,6,10,0,0,5,200,15)\r\n",
        "227 (1000,10,0,0,5,200,15)\r\n",
        "227 (256,10,0,0,5,200,15)\r\n",
        "227 (1,,10,0,0,5,200,15)\r\n",
    ] {
        assert_eq!(one(SERVER, line), None, "{line:?}");
    }
    // Behind a run there may still be an address.
    for run in ["1,2,3,4,5,6,7", "5", "1000"] {
        let line = std::format!("227 No {run} 10,0,0,5,200,15\r\n");
        let expected = said(Kind::Pasv, "10.0.0.5", 51_215, "10,0,0,5,200,15");
        assert_eq!(one(SERVER, &line), expected, "{line:?}");
    }
}

/// The free text is counted only where it is still held.
#[test]
fn text_before_another_number_is_not_counted() {
    let mut line = Line::default();
    for b in b"227 No 5 10,0,0,5,200,15" {
        line.feed(SERVER, *b);
    }
    assert_eq!(line.feed(SERVER, b'\r').step, Step::Release);
    assert_eq!(line.prefix(), 0);
    let steps = steps(SERVER, b"227 No 5 of 10,0,0,5,200,15\r");
    assert_eq!(steps, "....hhhha...hhhhhhhhhhhhhhhR");
}

#[test]
fn a_line_is_armed_from_its_verb_or_code_to_its_addresss_end() {
    for (role, stream, from) in [
        (CLIENT, "PORT  10,10,0,1,30,4\r", 5),
        (CLIENT, "EPRT \t|1|10.10.0.1|7684|", 5),
        (CLIENT, "EPRT !2!2001:db8::1!7684!", 5),
        (SERVER, "227 Ok (10,0,0,5,200,15)", 4),
        (SERVER, "227 1,2,3,4,5,6,7 or 1, (10,0,0,5,200,15)", 4),
        (SERVER, "227 Thirty characters are too much=1,0,0,5,2,1)", 4),
        (SERVER, "229 12 (|||64!|||6446|", 4),
    ] {
        let mut line = Line::default();
        for (n, b) in stream.bytes().enumerate() {
            assert_eq!(line.armed(), n >= from, "{stream} at {n}");
            let step = line.feed(role, b).step;
            let at_end = n + 1 == stream.len();
            assert_eq!(step == Step::Release, at_end, "{stream} at {n}");
        }
        assert!(!line.armed(), "{stream}");
    }
}

/// Only what comes as 255 is 255.
#[test]
fn an_escaped_255_is_a_byte_of_its_own() {
    let eprt = b"EPRT \xff\xff1\xff\xff10.10.0.1\xff\xff7684\xff\xff\r\n";
    assert!(announcements(CLIENT, eprt).is_empty());
    let mut line = Line::default();
    for b in b"NOO\xff\xff\r" {
        line.feed(CLIENT, *b);
    }
    assert!(line.is_odd());
}
