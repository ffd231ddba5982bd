//! An error about a packet of a control connection, on its way to the sender:
//! only the quoted sequence number is changed, to what the sender sent.

use ftp_nat_common::{counter::Counter as C, layout::map, session::Session};

use super::{errors, ip_header};
use crate::{
    bench::{At, Bench, PASS},
    connection::Connection,
    data::{FAMILIES, PORT},
    error::Error,
    hosts::{CLIENT, Family, GATEWAY, GATEWAY_SHORTER, ROUTER, STRANGER},
    packet::Packet,
};

/// A session, and what its client or server sends in a shifted stream.
struct Shifted {
    bench: Bench,
    c: Connection,
    /// The numbers of the sender's next byte: its own, and the far end's.
    next: (u32, u32),
    /// The hook where errors leave to the sender.
    hook: At,
}

/// The gateway's text is shorter than the client's: what follows lies below
/// what the client has had acknowledged.
fn client_shifted(family: Family) -> Shifted {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(family, GATEWAY_SHORTER).numbered(u32::MAX - 60, 99);
    c.establish(&mut bench);
    bench.only_port(PORT);
    let (af, client) = match family {
        Family::V4 => (1, CLIENT.v4.to_string()),
        Family::V6 => (2, CLIENT.v6.to_string()),
    };
    let before = c.client_next;
    let said = c.client_says(&mut bench, format!("EPRT |{af}|{client}|{PORT}|\r\n"));
    let sent = c.client_next.wrapping_sub(before);
    assert!((said.payload().len() as u32) < sent, "{said:?}");
    let out = before.wrapping_add(said.payload().len() as u32);
    let hook = c.server_hooks().1;
    let next = (c.client_next, out);
    Shifted {
        bench,
        c,
        next,
        hook,
    }
}

/// The gateway's text is one byte longer than the server's.
fn server_shifted() -> Shifted {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY).numbered(5, u32::MAX - 3);
    c.establish(&mut bench);
    bench.only_port(PORT);
    c.client_says(&mut bench, "PASV\r\n");
    let before = c.server_next;
    let said = c.server_says(&mut bench, "227 (10,10,0,5,30,4)\r\n");
    assert_eq!(said.payload(), b"227 (61,144,1,2,30,4)\r\n");
    let out = before.wrapping_add(said.payload().len() as u32);
    let hook = c.client_hooks().1;
    let next = (c.server_next, out);
    Shifted {
        bench,
        c,
        next,
        hook,
    }
}

impl Shifted {
    /// The sender's next packet; as NAT gives it back, that is with its own
    /// addresses.
    fn packet(&self) -> Packet {
        let packet = if self.hook == self.c.server_hooks().1 {
            self.c.client_packet()
        } else {
            self.c.server_packet()
        };
        packet.payload([b'x'; 70])
    }

    fn family(&self) -> Family {
        if self.c.client.0.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        }
    }

    fn error(&self, kind: (u8, u8), seq: u32) -> Error {
        let router = ROUTER.ip(self.family());
        Error::new(kind, router, &self.packet().seq(seq)).rest(1300)
    }
}

const CASES: [fn() -> Shifted; 3] = [
    || client_shifted(Family::V4),
    || client_shifted(Family::V6),
    server_shifted,
];

#[test]
fn the_quoted_number_is_the_senders() {
    for case in CASES {
        let mut s = case();
        let (own, seen) = s.next;
        let family = s.family();
        for (n, kind) in errors(family).iter().enumerate() {
            // The next packet, one that is further on, and one of bytes that
            // come after the edit's end.
            for ahead in [0, 1, 1400] {
                let came = s.error(*kind, seen.wrapping_add(ahead));
                let goes = s.error(*kind, own.wrapping_add(ahead));
                let header = ip_header(&came.quote);
                for len in [8, 12, 16, 18, 20, 90] {
                    let quoting = |e: &Error| e.clone().quoting(header + len).bytes();
                    let out = s.bench.run_bytes(s.hook, &quoting(&came));
                    assert_eq!(out.verdict, PASS);
                    assert_eq!(out.bytes, quoting(&goes), "error {n} +{ahead} {len} bytes");
                }
            }
        }
        let all = errors(family).len() as u64 * 18;
        assert_eq!(s.bench.count(C::IcmpRenumbered), all);
    }
}

#[test]
fn the_edited_text_itself_is_where_it_began() {
    let mut s = client_shifted(Family::V4);
    let (own, _) = s.next;
    // The first byte of the announcement's address, of which nothing is
    // acknowledged yet, and a byte within it.
    let line = "EPRT |1|10.10.0.1|7684|\r\n".len() as u32;
    let text = own.wrapping_sub(line).wrapping_add("EPRT |1|".len() as u32);
    for inside in [1, 2, 5] {
        let came = s.error((3, 4), text.wrapping_add(inside));
        let goes = s.error((3, 4), text);
        let out = s.bench.run_bytes(s.hook, &came.bytes());
        assert_eq!(out.bytes, goes.bytes(), "{inside} bytes in");
    }
    // Before the edit nothing is shifted.
    let before = s.error((3, 4), own.wrapping_sub(line)).bytes();
    assert_eq!(s.bench.run_bytes(s.hook, &before).bytes, before);
}

#[test]
fn everything_else_passes_as_it_is() {
    for case in CASES {
        let mut s = case();
        let (own, seen) = s.next;
        let family = s.family();
        let kind = errors(family)[3];
        let shifted = s.packet().seq(seen);
        let (src, dst) = (shifted.src, shifted.dst);
        let stranger = STRANGER.ip(family);
        for (name, error) in [
            (
                "another port",
                Error::new(kind, dst.0, &shifted.clone().from((src.0, src.1 ^ 1))),
            ),
            (
                "another host",
                Error::new(kind, dst.0, &shifted.clone().to((stranger, dst.1 ^ 1))),
            ),
            (
                "the other way",
                Error::new(kind, dst.0, &shifted.clone().from(dst).to(src)),
            ),
            ("to another", s.error(kind, seen).to(stranger)),
            ("no error", s.error((129, 0), seen)),
        ] {
            let bytes = error.bytes();
            let out = s.bench.run_bytes(s.hook, &bytes);
            assert_eq!((out.verdict, out.bytes), (PASS, bytes), "{name}");
        }
        // Before NAT nobody knows whose it is.
        let before_nat = s.error(kind, seen).bytes();
        for at in [At::FromInside, At::FromOutside] {
            assert_eq!(s.bench.run_bytes(at, &before_nat).bytes, before_nat);
        }
        // While another CPU works on the session.
        let mut session: Session = s.bench.session();
        session.lock = 1;
        s.bench.insert(map::SESSIONS, session.id, session);
        assert_eq!(s.bench.run_bytes(s.hook, &before_nat).bytes, before_nat);
        session.lock = 0;
        s.bench.insert(map::SESSIONS, session.id, session);
        let goes = s.error(kind, own).bytes();
        assert_eq!(s.bench.run_bytes(s.hook, &before_nat).bytes, goes);
        assert_eq!(
            s.bench.session().half,
            session.half,
            "an error changes nothing"
        );
        assert_eq!(s.bench.count(C::IcmpRenumbered), 1);
    }
}

#[test]
fn without_a_shift_nothing_is_changed() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        bench.clear();
        let mut c = Connection::masqueraded(family, GATEWAY_SHORTER);
        c.establish(&mut bench);
        c.client_says(&mut bench, "NOOP\r\n");
        let next = c.client_packet().payload("NOOP\r\n");
        for at in [c.client_next, c.client_next.wrapping_sub(6), 9] {
            let error = Error::new(errors(family)[3], ROUTER.ip(family), &next.clone().seq(at));
            let out = bench.run_bytes(c.server_hooks().1, &error.bytes());
            assert_eq!((out.verdict, out.bytes), (PASS, error.bytes()));
        }
        assert_eq!(bench.count(C::IcmpRenumbered), 0);
    }
}
