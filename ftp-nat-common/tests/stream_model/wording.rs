//! The free text of a 227 that makes up for the difference in length.

use ftp_nat_common::{
    addr::{Addr, Port},
    counter::Counter,
    line::{Request, text::ANY_LENGTH},
    seq::Seq,
    session::{SERVER, SESSION_GREETED, SESSION_TRUSTED, Session},
    stream::{
        Edits, Environment, HALF_SHIFTED, Half,
        ingress::{Begun, Progress, Run, Segment, begin, finish, step},
    },
    tcp::flag,
    translation::Kind,
};

/// Gives out one port and notes what length was wanted.
struct One {
    port: Option<u16>,
    wanted: Option<usize>,
    rewrites: usize,
}

impl Environment for One {
    fn expect(&mut self, kind: Kind, _: u16, text_len: usize) -> Option<u16> {
        assert_eq!(kind, Kind::Pasv);
        self.wanted = Some(text_len);
        self.port
    }

    fn withdraw(&mut self, _: usize, _: Port) {}

    fn count(&mut self, counter: Counter) {
        self.rewrites += usize::from(counter == Counter::Rewrites);
    }
}

type V4 = [u8; 4];

/// What far gets for one line, in one segment or byte by byte, what length the
/// port was to have, and whether the numbers were shifted.
fn told(
    line: &[u8],
    own: V4,
    seen: V4,
    port: Option<u16>,
    pieces: usize,
) -> (String, Option<usize>, bool) {
    let mut session = Session {
        flags: SESSION_TRUSTED | SESSION_GREETED,
        ..Session::default()
    };
    session.real[SERVER] = Addr::from_v4(own);
    session.seen[SERVER] = Addr::from_v4(seen);
    session.told = session.seen;
    session.half[SERVER] = Half::starting_at(Seq(0));
    session.requests.push(Request::Passive);
    let mut run = Box::new(Run::new());
    let mut edits = Box::new(Edits::default());
    let mut world = One {
        port,
        wanted: None,
        rewrites: 0,
    };
    let mut out = Vec::new();
    for (n, data) in line.chunks(pieces).enumerate() {
        let segment = Segment {
            seq: Seq((n * pieces) as u32),
            len: data.len() as u32,
            flags: flag::ACK,
            capacity: 1460,
        };
        let begun = begin(&mut run, &mut session, SERVER, Some(&edits), &segment);
        assert_eq!(begun, Begun::Parse);
        loop {
            let byte = data.get(run.pos as usize).copied().unwrap_or(0);
            let edits = Some(&mut *edits);
            if step(&mut run, &mut session, SERVER, edits, byte, &mut world) == Progress::Done {
                break;
            }
        }
        // Far loses everything that it gets before the end.
        let at = run.out_seq.0 as usize;
        out.truncate(at);
        out.extend_from_slice(&run.out[..run.out_len as usize]);
        finish(&mut run, &mut session.half[SERVER], &segment);
    }
    let half = &session.half[SERVER];
    let shifted = half.flags & HALF_SHIFTED != 0;
    assert_eq!(shifted, half.shift() != 0);
    (out.escape_ascii().to_string(), world.wanted, shifted)
}

fn line(text: &str, addr: V4, port: u16, end: &str) -> String {
    let [a, b, c, d] = addr;
    let (high, low) = (port >> 8, port & 255);
    format!("227 {text}{a},{b},{c},{d},{high},{low}{end}\r\n")
}

/// An address whose text has `len` bytes, 7 to 15.
fn address(len: usize) -> V4 {
    let digits = len - 3;
    let octet = |n: usize| match (digits + 3 - n) / 4 {
        1 => 7,
        2 => 61,
        _ => 189,
    };
    [octet(0), octet(1), octet(2), octet(3)]
}

/// Ports whose texts have 3 to 7 bytes.
const PORTS: [u16; 5] = [1027, 1047, 2570, 2660, 51_300];

#[test]
fn servers_usual_wordings_never_change_their_length() {
    let wordings = [
        // vsftpd, ProFTPD, pure-ftpd, pyftpdlib; IIS.
        ("Entering Passive Mode (", ")."),
        ("Entering Passive Mode (", ")"),
        ("Entering passive mode (", ")."),
        ("Passive mode ok ", ""),
        ("Entering P. (", ")"),
    ];
    for (text, end) in wordings {
        for (own, seen) in (7..=15).flat_map(|a| (7..=15).map(move |b| (a, b))) {
            let (own, seen) = (address(own), address(seen));
            for (near_port, port) in PORTS.iter().flat_map(|a| PORTS.map(|b| (*a, b))) {
                let old = line(text, own, near_port, end);
                let (new, wanted, shifted) =
                    told(old.as_bytes(), own, seen, Some(port), usize::MAX);
                let new = new.replace("\\r\\n", "\r\n");
                assert!(!shifted && new.len() == old.len(), "{old}{new}");
                // Any port will do; its own where nothing else changes.
                let any = if own == seen { 0 } else { ANY_LENGTH };
                assert_eq!(wanted, Some(any));
                let last = &text[text.len() - 1..];
                let tail = line(last, seen, port, end);
                assert!(
                    new.starts_with("227 ") && new.ends_with(&tail[4..]),
                    "{new}"
                );
                let kept = new.len() - tail.len();
                let body = &new[4..4 + kept];
                let start = body.trim_end_matches(' ');
                assert!(text.starts_with(start), "{old}{new}");
                assert!(body.len() <= text.len() || start == text[..text.len() - 1].trim_end());
            }
        }
    }
}

#[test]
fn addresses_have_the_lengths_they_are_taken_for() {
    for len in 7..=15 {
        let text = line("", address(len), 1027, "");
        assert_eq!(text.len(), "227 ".len() + len + ",4,3\r\n".len());
    }
    let lengths = PORTS.map(|p| line("", [1; 4], p, "").len() - "227 1,1,1,1,\r\n".len());
    assert_eq!(lengths, [3, 4, 5, 6, 7]);
}

const OWN: V4 = [10, 10, 0, 1];
const SEEN: V4 = [161, 144, 101, 202];

/// What each case says, in this order, in the loop that plays it.
type Case<'a> = (&'a [u8], V4, &'a str, Option<usize>, bool);

#[test]
fn each_case_by_hand() {
    let cases: [Case<'_>; 12] = [
        // Shortened and lengthened.
        (
            b"227 Entering Passive Mode (10,10,0,1,30,4).\r\n",
            SEEN,
            "227 Entering Passi(161,144,101,202,195,80).\\r\\n",
            Some(ANY_LENGTH),
            false,
        ),
        (
            b"227 Entering Passive Mode (10,10,0,1,200,200).\r\n",
            [1, 2, 3, 4],
            "227 Entering Passive Mode    (1,2,3,4,195,80).\\r\\n",
            Some(ANY_LENGTH),
            false,
        ),
        // Telnet sequences among the numbers go behind them.
        (
            b"227 Entering Passive Mode (10,10,\xff\xf10,1,30,4).\r\n",
            SEEN,
            "227 Entering Passi(161,144,101,202,195,80\\xff\\xf1).\\r\\n",
            Some(ANY_LENGTH),
            false,
        ),
        // 13 bytes are enough, 12 are not: then the port has to do it.
        (
            b"227 Passive now (10,10,0,1,200,200)\r\n",
            SEEN,
            "227 Passive(161,144,101,202,195,80)\\r\\n",
            Some(ANY_LENGTH),
            false,
        ),
        (
            b"227 Passive ok (10,10,0,1,200,200)\r\n",
            [1, 2, 3, 4],
            "227 Passive ok (1,2,3,4,195,80)\\r\\n",
            Some(9),
            true,
        ),
        (
            b"227 =10,10,0,1,200,20\r\n",
            [8, 10, 10, 1],
            "227 =8,10,10,1,195,80\\r\\n",
            Some(6),
            false,
        ),
        (
            b"227 10,10,0,1,200,20\r\n",
            OWN,
            "227 10,10,0,1,195,80\\r\\n",
            Some(0),
            false,
        ),
        // 29 bytes are used, 30 are too much.
        (
            b"227 I am entering Passive Mode: (10,10,0,1,30,4)\r\n",
            SEEN,
            "227 I am entering Passiv(161,144,101,202,195,80)\\r\\n",
            Some(ANY_LENGTH),
            false,
        ),
        (
            b"227 I am entering Passive Mode : (10,10,0,1,30,4)\r\n",
            SEEN,
            "227 I am entering Passive Mode : (161,144,101,202,195,80)\\r\\n",
            Some(0),
            true,
        ),
        // Digits, Telnet sequences, or characters of several bytes in it.
        (
            b"227 Entering Passive Mode 2 (10,10,0,1,30,4)\r\n",
            SEEN,
            "227 Entering Passive Mode 2 (161,144,101,202,195,80)\\r\\n",
            Some(0),
            true,
        ),
        (
            b"227 Entering Pass\xff\xf1ive Mode (10,10,0,1,30,4)\r\n",
            SEEN,
            "227 Entering Pass\\xff\\xf1ive Mode (161,144,101,202,195,80)\\r\\n",
            Some(0),
            true,
        ),
        (
            b"227 \xc3\x9cbertragung passiv, bitte (10,10,0,1,30,4)\r\n",
            SEEN,
            "227 \\xc3\\x9cbertragung passiv, bitte (161,144,101,202,195,80)\\r\\n",
            Some(0),
            true,
        ),
    ];
    for (old, seen, new, wanted, shifted) in cases {
        for pieces in [usize::MAX, 7, 1] {
            let got = told(old, OWN, seen, Some(50_000), pieces);
            assert_eq!(
                got,
                (new.to_owned(), wanted, shifted),
                "{}",
                old.escape_ascii()
            );
        }
    }
}

/// What a server that is 10.10.0.1 and known as 203.0.113.7 may call itself.
#[test]
fn a_server_may_name_itself_in_other_ways() {
    const HERE: V4 = [10, 10, 0, 1];
    const THERE: V4 = [203, 0, 113, 7];
    let pasv = |addr| line("Entering Passive Mode (", addr, 50_000, ").");
    let told_of = |addr: V4, seen: V4| {
        let far_gets = told(pasv(addr).as_bytes(), HERE, seen, Some(51_234), 3).0;
        far_gets.replace("\\r\\n", "\r\n")
    };
    let fitted = |text: &str| format!("{text}(203,0,113,7,200,34).\r\n");
    assert_eq!(told_of(THERE, THERE), fitted("227 Entering Passive Mode "));
    assert_eq!(
        told_of([172, 17, 0, 2], THERE),
        fitted("227 Entering Passive Mode")
    );
    assert_eq!(
        told_of([192, 168, 1, 1], THERE),
        fitted("227 Entering Passive Mode ")
    );
    assert_eq!(told_of([0; 4], THERE), fitted("227 Entering Passive M"));
    // Another's address opens nothing, and is left alone.
    for foreign in [
        [172, 32, 0, 1],
        [172, 15, 9, 9],
        [198, 51, 100, 1],
        [192, 167, 1, 1],
    ] {
        assert_eq!(told_of(foreign, THERE), pasv(foreign));
    }
    // Without NAT another private address is another host's.
    assert_eq!(told_of([172, 17, 0, 2], HERE), pasv([172, 17, 0, 2]));
}

#[test]
fn what_is_refused_or_stays_the_same_goes_out_as_it_came() {
    let old = b"227 Entering Passive Mode (10,10,0,1,195,80).\r\n";
    let same = (old.escape_ascii().to_string(), Some(ANY_LENGTH), false);
    assert_eq!(told(old, OWN, SEEN, None, 5), same);
    // Its own port is best where it names the address that it is known by.
    let own_port = (same.0.clone(), Some(0), false);
    assert_eq!(told(old, OWN, OWN, Some(50_000), 5), own_port);
    assert_eq!(told(old, SEEN, OWN, Some(50_000), 5), own_port);
    let foreign = (same.0, None, false);
    let other = [10, 10, 0, 2];
    assert_eq!(told(old, other, other, Some(50_000), 5), foreign);
    for old in [
        "227 Entering Passive Mode\r\n",
        "227 \r\n",
        "227\r\n",
        "227 \n",
    ] {
        let text = old.as_bytes().escape_ascii().to_string();
        assert_eq!(told(old.as_bytes(), OWN, SEEN, None, 1).0, text);
    }
}
