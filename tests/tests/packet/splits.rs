//! Announcements cut anywhere: the address is held until it is complete, and a
//! segment of which nothing is left becomes a probe.
//!
//! ```text
//!   CLIENT -- "PORT 10,1"    --> ingress -- "PORT "             --> SERVER
//!   CLIENT -- "0,0,1,30,4CL" --> ingress -- "61,144,1,2,30,4CL" --> SERVER
//! ```

use ftp_nat_common::{counter::Counter as C, stream::Half};

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{Family, GATEWAY, GATEWAY_LONGEST, GATEWAY_SHORTER, Host},
    table::{play, row},
};

const FORMS: [(Family, &str); 3] = [
    (Family::V4, "PORT 10,10,0,1,30,4\r\nNOOP\r\n"),
    (Family::V4, "EPRT |1|10.10.0.1|7684|\r\nNOOP\r\n"),
    (Family::V6, "EPRT |2|2001:db8:1::10|7684|\r\nNOOP\r\n"),
];

fn replaced(line: &str, gateway: Host) -> String {
    let groups = gateway.v6.to_string();
    let v4 = gateway.v4.to_string();
    line.replace("10,10,0,1", &v4.replace('.', ","))
        .replace("10.10.0.1", &v4)
        .replace("2001:db8:1::10", &groups)
}

/// What the server has of the client's stream.
struct Received {
    start: u32,
    bytes: Vec<u8>,
}

impl Received {
    /// Takes a segment; whatever comes twice must be the same.
    fn take(&mut self, seq: u32, payload: &[u8]) {
        let at = seq.wrapping_sub(self.start) as i32;
        for (i, byte) in payload.iter().enumerate() {
            let at = at + i as i32;
            if at < 0 {
                continue; // a probe before the first byte
            }
            let at = at as usize;
            assert!(at <= self.bytes.len(), "a hole before {at}");
            if at == self.bytes.len() {
                self.bytes.push(*byte);
            }
            assert_eq!(self.bytes[at], *byte, "another byte at {at}");
        }
    }
}

/// Sends `line` cut at `cuts`, each part `times` times over.
fn cut_up(bench: &mut Bench, family: Family, gateway: Host, line: &str, cuts: &[usize]) {
    for times in [1, 2] {
        bench.clear();
        let mut c = Connection::masqueraded(family, gateway);
        c.establish(bench);
        bench.only_port(7684);
        let mut received = Received {
            start: c.client_next,
            bytes: Vec::new(),
        };
        let mut from = 0;
        for to in cuts.iter().copied().chain([line.len()]) {
            let part = &line[from..to];
            let again = c.client_packet().payload(part);
            let said = c.client_says(bench, part);
            assert!(!said.payload().is_empty(), "nobody would answer that");
            received.take(said.seq(), said.payload());
            for _ in 1..times {
                let said = crate::connection::passed(bench, c.client_hooks().0, &again);
                received.take(said.seq(), said.payload());
            }
            from = to;
        }
        let got = String::from_utf8_lossy(&received.bytes).into_owned();
        assert_eq!(got, replaced(line, gateway), "cut at {cuts:?}");
        assert_eq!(bench.count(C::Rewrites), 1);
        assert_eq!(bench.count(C::ExpectationsMade), 1);
    }
}

#[test]
fn every_cut_into_two_gives_the_same_stream() {
    let mut bench = Bench::new();
    for (family, line) in FORMS {
        for gateway in [GATEWAY, GATEWAY_SHORTER, GATEWAY_LONGEST] {
            for cut in 1..line.len() {
                cut_up(&mut bench, family, gateway, line, &[cut]);
            }
        }
    }
}

#[test]
fn a_byte_at_a_time_gives_the_same_stream() {
    let mut bench = Bench::new();
    for (family, line) in FORMS {
        let cuts: Vec<usize> = (1..line.len()).collect();
        cut_up(&mut bench, family, GATEWAY, line, &cuts);
        let every_third: Vec<usize> = (1..line.len()).step_by(3).collect();
        cut_up(&mut bench, family, GATEWAY_LONGEST, line, &every_third);
    }
}

#[test]
fn what_is_all_held_becomes_a_probe_with_the_true_last_byte() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.only_port(7684);
    c.client_says(&mut bench, "PORT ");
    let at = c.client_hooks().0;
    let base = c.client_next;
    let part = |n: u32, text: &str| c.client_packet().seq(base + n).payload(text);
    let probe = part(0, " ").seq(base - 1);
    let egress = c.server_hooks().1;
    let ack = |n: u32| c.to_client(&c.server_packet().ack(base + n));
    play(
        &mut bench,
        [
            row("all of it is held", at, part(0, "10,1"))
                .becomes(probe.clone())
                .counts(&[C::Probes]),
            row("again", at, part(0, "10,1"))
                .becomes(probe.clone())
                .counts(&[C::Probes]),
            // The gateway keeps what it holds, so it may acknowledge it.
            row("the probe's answer", egress, ack(0)).becomes(ack(4)),
            row("more", at, part(4, "0,0"))
                .becomes(probe.clone())
                .counts(&[C::Probes]),
            row("its answer", egress, ack(0)).becomes(ack(7)),
            row("FIN isn't sent with a probe", at, part(4, "0,0"))
                .becomes(probe)
                .counts(&[C::Probes]),
            row("no address after all", at, part(7, "x\r\n"))
                .becomes(part(0, "10,10,0x\r\n"))
                .counts(&[C::PassedUnparsed]),
            row(
                "which is kept for a retransmission",
                at,
                part(4, "0,0x\r\n"),
            )
            .becomes(part(0, "10,10,0x\r\n")),
            row("until the server has it", egress, ack(10)),
        ],
    );
    let half: Half = bench.session().half[0];
    assert_eq!((half.held_len, half.edits_len, half.shift()), (0, 0, 0));
}

#[test]
fn a_fin_flushes_what_is_held() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PORT ");
    let at = c.client_hooks().0;
    let end = c.client_packet().payload("10,10,0,1,30,4").fin();
    play(
        &mut bench,
        [
            row("an address that nothing ends", at, end.clone()),
            row("again", at, end),
        ],
    );
    assert!(bench.expectations().is_empty());
}

#[test]
fn a_text_that_does_not_fit_is_cut_and_never_lost() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY_LONGEST);
    c.establish(&mut bench);
    bench.only_port(7684);
    // Room for 100 bytes of payload.
    bench.mtu("wan", 140);
    let line = format!("{}PORT 10,10,0,1,30,4\r\n", "NOOP\r\n".repeat(13));
    let wanted = replaced(&line, GATEWAY_LONGEST);
    let mut received = Received {
        start: c.client_next,
        bytes: Vec::new(),
    };
    let (mut told, end) = (c.client_next, c.client_next.wrapping_add(line.len() as u32));
    for _ in 0..4 {
        let from = told.wrapping_sub(c.client_next) as usize;
        let sent = c.client_packet().seq(told).payload(&line[from..]);
        let out = crate::connection::passed(&mut bench, c.client_hooks().0, &sent);
        assert!(out.payload().len() <= 100);
        received.take(out.seq(), out.payload());
        let next = received.start.wrapping_add(received.bytes.len() as u32);
        let ack = c.to_client(&c.server_packet().ack(next));
        told = crate::connection::passed(&mut bench, c.server_hooks().1, &ack).ack();
        if told == end {
            break;
        }
    }
    assert_eq!(told, end, "all was sent and acknowledged");
    assert_eq!(String::from_utf8_lossy(&received.bytes), wanted);
}
