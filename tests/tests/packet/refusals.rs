//! What opens no pinhole: the text passes as it is, nothing is expected, and
//! the reason is counted.
//!
//! ```text
//!   CLIENT -- PORT 10,10,0,2,30,4 --> ingress -- the same --> SERVER
//! ```

use ftp_nat_common::{counter::Counter as C, layout::SETTING_DRAINING, session::SESSION_NOT_FTP};

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY},
    table::{play, row},
};

fn client_lines() -> Vec<(&'static str, &'static str, &'static [C])> {
    vec![
        (
            "another host inside",
            "PORT 10,10,0,2,30,4\r\n",
            &[C::RefusedForeignAddress],
        ),
        (
            "the server itself",
            "PORT 198,51,100,21,30,4\r\n",
            &[C::RefusedForeignAddress],
        ),
        (
            "the gateway",
            "PORT 61,144,1,2,30,4\r\n",
            &[C::RefusedForeignAddress],
        ),
        (
            "EPRT of another",
            "EPRT |1|10.10.0.2|7684|\r\n",
            &[C::RefusedForeignAddress],
        ),
        ("port 1023", "PORT 10,10,0,1,3,255\r\n", &[C::RefusedPort]),
        ("port 0", "PORT 10,10,0,1,0,0\r\n", &[C::RefusedPort]),
        (
            "port 25 by EPRT",
            "EPRT |1|10.10.0.1|25|\r\n",
            &[C::RefusedPort],
        ),
        (
            "another family",
            "EPRT |2|2001:db8:1::10|7684|\r\n",
            &[C::PassedOtherFamily],
        ),
        (
            "an octet too large",
            "PORT 10,10,0,256,30,4\r\n",
            &[C::PassedUnparsed],
        ),
        (
            "five numbers",
            "PORT 10,10,0,1,30\r\n",
            &[C::PassedUnparsed],
        ),
        (
            "seven numbers",
            "PORT 10,10,0,1,30,4,5\r\n",
            &[C::PassedUnparsed],
        ),
        (
            "port 65536",
            "EPRT |1|10.10.0.1|65536|\r\n",
            &[C::PassedUnparsed],
        ),
        (
            "LPRT",
            "LPRT 4,4,10,10,0,1,2,30,4\r\n",
            &[C::PassedLongForm],
        ),
        (
            "in the middle of a line",
            "SITE PORT 10,10,0,1,30,4\r\n",
            &[],
        ),
        (
            "in a line that began in an earlier segment",
            "SITE \u{1}PORT 10,10,0,1,30,4\r\n",
            &[],
        ),
        ("a path", "RETR PORT 10,10,0,1,30,4\r\n", &[]),
        ("another verb", "PORTS 10,10,0,1,30,4\r\n", &[]),
    ]
}

#[test]
fn lines_of_a_client_that_open_nothing() {
    let mut bench = Bench::new();
    for (name, line, counts) in client_lines() {
        bench.clear();
        let mut c = Connection::masqueraded(Family::V4, GATEWAY);
        c.establish(&mut bench);
        let mut line = line;
        if let Some((before, rest)) = line.split_once('\u{1}') {
            c.client_says(&mut bench, before);
            line = rest;
        }
        let sent = c.client_packet().payload(line);
        play(
            &mut bench,
            [row(name, c.client_hooks().0, sent).counts(counts)],
        );
        assert!(bench.expectations().is_empty(), "{name}");
        assert_eq!(bench.session().half[0].shift(), 0, "{name}");
    }
}

#[test]
fn replies_of_a_server_that_open_nothing() {
    let mut bench = Bench::new();
    let pasv = "227 Entering Passive Mode (10,10,0,5,30,4)\r\n";
    let epsv = "229 Entering Extended Passive Mode (|||7684|)\r\n";
    let cases: &[(&str, Option<&str>, &str, &[C])] = &[
        (
            "227 that nobody asked for",
            None,
            pasv,
            &[C::RefusedUnsolicited],
        ),
        (
            "229 that nobody asked for",
            None,
            epsv,
            &[C::RefusedUnsolicited],
        ),
        (
            "227 for something else",
            Some("LIST\r\n"),
            pasv,
            &[C::RefusedUnsolicited],
        ),
        (
            "another host",
            Some("PASV\r\n"),
            "227 Passive (192,0,2,9,30,4)\r\n",
            &[C::RefusedForeignAddress],
        ),
        (
            "a low port",
            Some("PASV\r\n"),
            "227 Passive (10,10,0,5,0,25)\r\n",
            &[C::RefusedPort],
        ),
        (
            "a low port by 229",
            Some("EPSV\r\n"),
            "229 (|||1023|)\r\n",
            &[C::RefusedPort],
        ),
        (
            "within a longer reply",
            Some("PASV\r\n"),
            "211-a\r\n227 Passive (10,10,0,5,30,4)\r\n211 b\r\n",
            &[],
        ),
        (
            "what the client said, in a reply of another code",
            Some("PASV\r\nXFOO 227 Passive (10,10,0,5,30,4)\r\n"),
            "200 227 Passive (10,10,0,5,30,4)\r\n",
            &[],
        ),
        (
            "what the client said, at a line's start within a longer reply",
            Some("PASV\r\nHELP 227 Passive (10,10,0,5,30,4)\r\n"),
            "502-Unknown:\r\n227 Passive (10,10,0,5,30,4)\r\n502 ?\r\n",
            &[],
        ),
        (
            "a longer reply's first line",
            Some("PASV\r\n"),
            "227-Passive (10,10,0,5,30,4)\r\n",
            &[],
        ),
        (
            "a refusal",
            Some("PASV\r\n"),
            "500 No (10,10,0,5,30,4)\r\n",
            &[],
        ),
        (
            "228",
            Some("LPSV\r\n"),
            "228 Long (4,4,10,10,0,5,2,30,4)\r\n",
            &[C::PassedLongForm],
        ),
        (
            "no address",
            Some("PASV\r\n"),
            "227 Passive\r\n",
            &[C::PassedUnparsed],
        ),
    ];
    for (name, request, reply, counts) in cases {
        bench.clear();
        let mut c = Connection::published(Family::V4, GATEWAY);
        c.establish(&mut bench);
        if let Some(request) = request {
            c.client_says(&mut bench, request);
        }
        let sent = c.server_packet().payload(reply);
        play(
            &mut bench,
            [row(*name, c.server_hooks().0, sent).counts(counts)],
        );
        assert!(bench.expectations().is_empty(), "{name}");
    }
}

#[test]
fn a_second_227_for_one_request_is_not_asked_for() {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PASV\r\n");
    c.server_says(&mut bench, "227 (10,10,0,5,30,4)\r\n");
    let before = bench.expectations();
    c.server_says(&mut bench, "227 (10,10,0,5,30,5)\r\n");
    assert_eq!(bench.count(C::RefusedUnsolicited), 1);
    assert_eq!(bench.expectations(), before);
}

const LINE: &str = "PORT 10,10,0,1,30,4\r\n";

#[test]
fn a_session_that_is_not_trusted_opens_nothing() {
    let mut bench = Bench::new();
    // The server hasn't greeted.
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    c.shake_hands(&mut bench);
    let sent = c.client_packet().payload(LINE);
    let refused = [C::RefusedUntrusted];
    play(
        &mut bench,
        [row("not greeted", c.client_hooks().0, sent).counts(&refused)],
    );
    // Being unloaded.
    bench.clear();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.settings(|s| s.flags |= SETTING_DRAINING);
    let sent = c.client_packet().payload(LINE);
    play(
        &mut bench,
        [row("draining", c.client_hooks().0, sent).counts(&[C::RefusedDraining])],
    );
    assert!(bench.expectations().is_empty());
    let refusal = bench.session().last_refusal;
    assert_eq!(refusal, C::RefusedDraining as u16 + 1);
}

#[test]
fn while_draining_nothing_is_learned() {
    let mut bench = Bench::new();
    bench.settings(|s| s.flags |= SETTING_DRAINING);
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    // Nor in the middle of a connection.
    for _ in 0..3 {
        let sent = c.client_packet().payload("NOOP\r\n");
        bench.run(c.client_hooks().0, &sent);
        bench.run(c.client_hooks().1, &c.to_server(&sent));
        let answer = c.server_packet().payload("200 Fine\r\n");
        bench.run(c.server_hooks().0, &answer);
        bench.run(c.server_hooks().1, &c.to_client(&answer));
    }
    assert!(bench.sessions().is_empty());
}

#[test]
fn no_free_port_opens_nothing() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.settings(|s| (s.port_first, s.port_last) = (65_535, 65_534));
    let sent = c.client_packet().payload(LINE);
    play(
        &mut bench,
        [row("none", c.client_hooks().0, sent).counts(&[C::RefusedNoPort])],
    );
    assert!(bench.expectations().is_empty());
}

#[test]
fn what_does_not_speak_ftp_is_left_alone_for_good() {
    let mut bench = Bench::new();
    for first in [
        "GET / HTTP/1.1\r\n",
        // A form whose text is of a web page's choice, all in one packet.
        "POST /x HTTP/1.1\r\nHost: a.example\r\n\r\nPORT 10,10,0,1,30,4\r\n",
        "\x16\x03\x01\x02\n",
        "Host: x\r\n",
    ] {
        bench.clear();
        let mut c = Connection::masqueraded(Family::V4, GATEWAY);
        c.establish(&mut bench);
        let sent = c.client_packet().payload(first);
        play(
            &mut bench,
            [row(first, c.client_hooks().0, sent).counts(&[C::NotFtp])],
        );
        c.client_next += first.len() as u32;
        assert_ne!(bench.session().flags & SESSION_NOT_FTP, 0);
        let sent = c.client_packet().payload(LINE);
        play(&mut bench, [row("PORT after it", c.client_hooks().0, sent)]);
        assert!(bench.expectations().is_empty());
    }
}

#[test]
fn a_refused_or_superseded_announcement_is_withdrawn() {
    let mut bench = Bench::new();
    for (from_server, line) in [
        (true, "500 Illegal PORT command\r\n"),
        (true, "421 Bye\r\n"),
        (false, "QUIT\r\n"),
        (false, "ABOR\r\n"),
        (false, "REIN\r\n"),
    ] {
        bench.clear();
        let mut c = Connection::masqueraded(Family::V4, GATEWAY);
        c.establish(&mut bench);
        c.client_says(&mut bench, LINE);
        assert_eq!(bench.expectations().len(), 1);
        if from_server {
            c.server_says(&mut bench, line);
        } else {
            c.client_says(&mut bench, line);
        }
        assert!(bench.expectations().is_empty(), "{line}");
        assert_eq!(bench.count(C::ExpectationsWithdrawn), 1);
    }
}

#[test]
fn an_announcement_in_use_outlives_the_next_one() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    // All in one segment, before the server has done anything.
    c.client_says(
        &mut bench,
        "PORT 10,10,0,1,30,1\r\nRETR a\r\nPORT 10,10,0,1,30,2\r\nPORT 10,10,0,1,30,3\r\nRETR b\r\n",
    );
    let ports = |bench: &Bench| {
        let all = bench.expectations();
        let mut ports: Vec<_> = all.iter().map(|e| e.1.near_port.get() - 7680).collect();
        ports.sort_unstable();
        ports
    };
    assert_eq!(ports(&bench), [1, 3]);
    // 200 and 226 to the first, 200 to the second, 500 to the third.
    c.server_says(&mut bench, "200 Ok\r\n226 Done\r\n200 Ok\r\n");
    assert_eq!(ports(&bench), [1, 3]);
    c.server_says(&mut bench, "500 No\r\n");
    assert_eq!(ports(&bench), [0u16; 0]);
    assert_eq!(bench.count(C::ExpectationsWithdrawn), 3);
    // Every one of them is withdrawn at the end.
    for end in ["ABOR\r\n", "QUIT\r\n"] {
        c.client_says(
            &mut bench,
            "PORT 10,10,0,1,30,1\r\nRETR a\r\nPORT 10,10,0,1,30,2\r\nRETR b\r\n",
        );
        assert_eq!(ports(&bench), [1, 2]);
        c.client_says(&mut bench, end);
        assert_eq!(ports(&bench), [0u16; 0], "{end}");
    }
}

#[test]
fn a_session_goes_on_behind_rein() {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    // Said at once, so that nothing is known of the server's answers.
    c.client_says(&mut bench, "EPSV ALL\r\nREIN\r\nPASV\r\n");
    c.server_says(&mut bench, "200 Ok\r\n120 Wait\r\n220 Ready\r\n");
    c.server_says(&mut bench, "227 (10,10,0,5,30,4)\r\n");
    assert_eq!(bench.expectations().len(), 1);
    assert_eq!(bench.count(C::Rewrites), 1);
}

#[test]
fn a_227_is_matched_behind_hundreds_of_other_requests() {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PASV\r\n");
    for _ in 0..3 {
        c.client_says(&mut bench, "NOOP\r\n".repeat(150));
    }
    c.server_says(&mut bench, "227 (10,10,0,5,30,4)\r\n");
    assert_eq!(bench.expectations().len(), 1);
    assert_eq!(bench.count(C::Rewrites), 1);
}
