use super::*;
use crate::session::SERVER;
use std::{string::String, vec::Vec};

mod held;
mod kept;

/// Feeds a stream and lists every complete announcement with the text it was held in.
fn announcements(role: usize, stream: &[u8]) -> Vec<(Kind, String, u16, String)> {
    let mut line = Line::default();
    let mut held = Vec::new();
    let mut found = Vec::new();
    for &b in stream {
        let fed = line.feed(role, b);
        match fed.step {
            Step::Hold => held.push(b),
            Step::Release => {
                let said = line.announcement(line.kind(role));
                let text = String::from_utf8_lossy(&held).into_owned();
                found.push((said.kind, std::format!("{}", said.addr), said.port, text));
                held.clear();
            }
            Step::Abandon | Step::Plain => held.clear(),
        }
        if fed.ended {
            line.next();
        }
    }
    found
}

fn one(role: usize, stream: &str) -> Option<(Kind, String, u16, String)> {
    let mut found = announcements(role, stream.as_bytes());
    assert!(found.len() <= 1, "{stream:?}: {found:?}");
    found.pop()
}

fn said(kind: Kind, addr: &str, port: u16, text: &str) -> Option<(Kind, String, u16, String)> {
    Some((kind, addr.into(), port, text.into()))
}

#[test]
fn port_in_every_way_people_write_it() {
    let expected = said(Kind::Port, "10.10.0.1", 7684, "10,10,0,1,30,4");
    for line in [
        "PORT 10,10,0,1,30,4\r\n",
        "port 10,10,0,1,30,4\r\n",
        "PoRt  \t 10,10,0,1,30,4 \r\n",
        "PORT 10,10,0,1,30,4\n",
        "PORT\t10,10,0,1,30,4\r\0\n",
        "NOOP\r\nPORT 10,10,0,1,30,4\r\n",
    ] {
        assert_eq!(one(CLIENT, line), expected, "{line:?}");
    }
    let zeros = one(CLIENT, "PORT 010,010,000,001,030,004\r\n");
    assert_eq!(
        zeros,
        said(Kind::Port, "10.10.0.1", 7684, "010,010,000,001,030,004")
    );
}

#[test]
fn what_is_no_port_command() {
    for line in [
        "PORT 10,10,0,1,30\r\n",
        "PORT 10,10,0,1,30,4,5\r\n",
        "PORT 10,10,0,256,30,4\r\n",
        "PORT 10,10,0,,30,4\r\n",
        "PORT 10,10,0,1,30,4x\r\n",
        "PORT 0010,10,0,1,30,4\r\n",
        "XPORT 10,10,0,1,30,4\r\n",
        "STOR PORT 10,10,0,1,30,4\r\n",
        "PORTS 10,10,0,1,30,4\r\n",
        "PORTPORTPORT 10,10,0,1,30,4\r\n",
        " PORT 10,10,0,1,30,4\r\n",
        "PORT10,10,0,1,30,4\r\n",
        "PORT x 10,10,0,1,30,4\r\n",
    ] {
        assert_eq!(one(CLIENT, line), None, "{line:?}");
    }
}

#[test]
fn eprt_of_both_families_with_any_delimiter() {
    for d in ["|", "!", "/", "~", "x"] {
        let line = std::format!("EPRT {d}1{d}10.10.0.1{d}7684{d}\r\n");
        let text = std::format!("10.10.0.1{d}7684");
        assert_eq!(
            one(CLIENT, &line),
            said(Kind::Eprt, "10.10.0.1", 7684, &text)
        );
    }
    for (text, addr) in [
        ("2001:db8::1", "2001:db8::1"),
        ("::1", "::1"),
        ("2001:db8::", "2001:db8::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
        ("FE80::A:b", "fe80::a:b"),
        ("::", "::"),
    ] {
        let line = std::format!("EPRT |2|{text}|65535|\r\n");
        let held = std::format!("{text}|65535");
        assert_eq!(
            one(CLIENT, &line),
            said(Kind::Eprt, addr, 65_535, &held),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_eprt_command() {
    for line in [
        "EPRT |3|10.10.0.1|7684|\r\n",
        "EPRT |1|10.10.0|7684|\r\n",
        "EPRT |1|10.10.0.1|65536|\r\n",
        "EPRT |1|10.10.0.1||\r\n",
        "EPRT |1|10.10.0.1|7684\r\n",
        "EPRT |1!10.10.0.1|7684|\r\n",
        "EPRT |2|1:2:3|7684|\r\n",
        "EPRT |2|:1::2|7684|\r\n",
        "EPRT |2|1::2::3|7684|\r\n",
        "EPRT |2|1:2:3:4:5:6:7:8:9|7684|\r\n",
        "EPRT |2|1:2:3:4:5:6:7:|7684|\r\n",
        "EPRT |2|12345::|7684|\r\n",
        "EPRT |2|fe80::1%eth0|7684|\r\n",
        "EPRT |2|::ffff:10.10.0.1|7684|\r\n",
    ] {
        assert_eq!(one(CLIENT, line), None, "{line:?}");
    }
}

/// 227 in every shape, and the free text that is held before the address.
const PASSIVE: [(&str, &str); 13] = [
    (
        "227 Entering Passive Mode (10,0,0,5,200,15).\r\n",
        "Entering Passive Mode (",
    ),
    (
        "227\tEntering Passive Mode (10,0,0,5,200,15)\r\n",
        "Entering Passive Mode (",
    ),
    (
        "227 Entering Passive Mode 10,0,0,5,200,15\r\n",
        "Entering Passive Mode ",
    ),
    ("227 10,0,0,5,200,15\r\n", ""),
    ("227 =10,0,0,5,200,15\r\n", "="),
    ("227 Passive mode 2 of 3, (10,0,0,5,200,15)\r\n", ""),
    ("227 1,2 10,0,0,5,200,15\n", ""),
    (
        "227-Going passive\r\n227-1,2,3,4,5,6\r\n227 Ok (10,0,0,5,200,15)\r\n",
        "Ok (",
    ),
    (
        "220-Welcome\r\n227 Not me (1,2,3,4,5,6)\r\n220 Ok\r\n227 (10,0,0,5,200,15)\r\n",
        "(",
    ),
    ("227 That is 29 bytes, no: 29 (10,0,0,5,200,15)\r\n", ""),
    (
        "227 Twenty-nine characters do it=10,0,0,5,200,15\r\n",
        "Twenty-nine characters do it=",
    ),
    ("227 Thirty characters are too much=10,0,0,5,200,15\r\n", ""),
    ("227 M\u{f3}dulo pasivo =10,0,0,5,200,15\r\n", ""),
];

#[test]
fn replies_to_pasv_as_servers_write_them() {
    for (line, text) in PASSIVE {
        let held = std::format!("{text}10,0,0,5,200,15");
        let expected = said(Kind::Pasv, "10.0.0.5", 51_215, &held);
        assert_eq!(one(SERVER, line), expected, "{line:?}");
    }
}

#[test]
fn the_free_text_of_a_227_is_counted_and_forgotten() {
    for (stream, text) in PASSIVE {
        let mut line = Line::default();
        let mut released = false;
        for b in stream.bytes() {
            let fed = line.feed(SERVER, b);
            assert_eq!(line.holding(), fed.step == Step::Hold);
            if fed.step == Step::Release {
                assert_eq!(usize::from(line.prefix()), text.len(), "{stream:?}");
                released = true;
            }
            if fed.ended {
                line.next();
                assert_eq!(line.prefix(), 0);
            }
        }
        assert!(released);
    }
}

#[test]
fn what_is_no_reply_to_pasv() {
    for line in [
        "2270 Entering Passive Mode (10,0,0,5,200,15).\r\n",
        "226 Entering Passive Mode (10,0,0,5,200,15).\r\n",
        "227 Entering Passive Mode (10,0,0,5,200,15,7).\r\n",
        "227 Entering Passive Mode (10,0,0,5,200).\r\n",
        "227 Entering Passive Mode (1,2,3,4,5,6,7,10,0,0,5,200,15).\r\n",
        " 227 Entering Passive Mode (10,0,0,5,200,15).\r\n",
        "211-Features\r\n227 (10,0,0,5,200,15)\r\n211 End\r\n",
        "227-(10,0,0,5,200,15)\r\n",
    ] {
        assert_eq!(one(SERVER, line), None, "{line:?}");
    }
}

#[test]
fn replies_to_epsv() {
    for line in [
        "229 Entering Extended Passive Mode (|||6446|)\r\n",
        "229 Modo pasivo extendido (!!!6446!)\r\n",
        "229 |||6446|\r\n",
        "229 12 (|||6446|).\r\n",
        "229 ]]]]9378|||6446|\r\n",
    ] {
        assert_eq!(
            one(SERVER, line),
            said(Kind::Epsv, "::", 6446, "6446"),
            "{line:?}"
        );
    }
    for line in [
        "229 (||6446|)\r\n",
        "229 (|||6446!)\r\n",
        "229 (|||65536|)\r\n",
    ] {
        assert_eq!(one(SERVER, line), None, "{line:?}");
    }
}

#[test]
fn telnet_sequences_neither_hide_nor_fake_a_command() {
    let found = announcements(CLIENT, b"PO\xff\xf1RT 10,10,0,1,\xff\xfb\x0130,4\r\n");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].2, 7684);
    let found = announcements(CLIENT, b"\xff\xf4\xff\xf2PORT 10,10,0,1,30,4\r\n");
    assert_eq!(found.len(), 1);
    // A line end inside a subnegotiation is none.
    let found = announcements(
        CLIENT,
        b"STOR \xff\xfa\nPORT 10,10,0,1,30,4\r\n\xff\xf0\r\n",
    );
    assert!(found.is_empty());
    // IAC IAC is a data byte.
    assert!(announcements(CLIENT, b"PORT\xff\xff 10,10,0,1,30,4\r\n").is_empty());
    // A bare 255 does not swallow the end of its line.
    let found = announcements(CLIENT, b"STOR \xff\nPORT 10,10,0,1,30,4\r\n");
    assert_eq!(found.len(), 1);
}

#[test]
fn a_verb_begins_its_line() {
    for line in ["\rPORT 10,10,0,1,30,4\r\n", "\0PORT 10,10,0,1,30,4\r\n"] {
        assert_eq!(one(CLIENT, line), None, "{line:?}");
    }
    let after = "\r\nPORT 10,10,0,1,30,4\r\n";
    assert!(one(CLIENT, after).is_some(), "an empty line is a line");
}

#[test]
fn an_ipv4_mapped_address_is_no_ipv4_address() {
    let mapped = one(CLIENT, "EPRT |2|::ffff:a0a:1|7684|\r\n");
    assert_eq!(
        mapped,
        said(Kind::Eprt, "::", 7684, "::ffff:a0a:1|7684"),
        "family 2 on an IPv4 connection is for the server to refuse"
    );
}

#[test]
fn requests_are_told_from_lines() {
    let request = |text: &str| {
        let mut line = Line::default();
        let mut last = Request::None;
        for b in text.bytes() {
            if line.feed(CLIENT, b).ended {
                last = line.request();
                line.next();
            }
        }
        last
    };
    assert_eq!(request("epsv all\r\n"), Request::EpsvAll);
    assert_eq!(request("EPSV 1\r\n"), Request::Passive);
    assert_eq!(request("EPSV\r\n"), Request::Passive);
    assert_eq!(request("PASV\n"), Request::Passive);
    assert_eq!(request("AUTH TLS\r\n"), Request::Auth);
    assert_eq!(request("CCC\r\n"), Request::ClearChannel);
    assert_eq!(request("PORTABLE 1\r\n"), Request::Other);
    assert_eq!(request("LPRT 4,4,1,2,3,4,2,5,6\r\n"), Request::LongPort);
}

#[test]
fn every_port_is_written_as_the_standard_library_writes_it() {
    for port in 0..=u16::MAX {
        let mut text = text::Text::default();
        text.begin(Kind::Epsv, &Addr::UNSPECIFIED, b'|');
        text.port(Kind::Epsv, port);
        let written = String::from_utf8_lossy(&text.bytes[..text.len as usize]);
        assert_eq!(written, std::format!("{port}"));
    }
}

#[test]
fn what_came_of_a_byte_goes_through_a_register() {
    for step in [Step::Plain, Step::Hold, Step::Release, Step::Abandon] {
        for (ended, telnet) in [(false, false), (false, true), (true, false), (true, true)] {
            let fed = Fed {
                step,
                ended,
                telnet,
            };
            assert_eq!(Fed::unpack(fed.pack()), fed);
        }
    }
}
