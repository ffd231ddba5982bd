//! The end of a control connection withdraws what was announced in it at once,
//! whichever end it is of and whatever comes with it.
//!
//! ```text
//!   CLIENT -- PORT 10,10,0,1,30,4 --> ingress      expected
//!   CLIENT -- FIN, or RST ----------> ingress      expected no more
//! ```

use ftp_nat_common::{
    counter::Counter as C,
    session::{CLIENT as BY_CLIENT, SERVER as BY_SERVER},
    tcp::flag,
};

use crate::{
    bench::{Bench, PASS},
    connection::Connection,
    hosts::{Family, GATEWAY},
    packet::Packet,
};

const FIN: u8 = flag::FIN | flag::ACK;
const RST: u8 = flag::RST;
const RST_ACK: u8 = flag::RST | flag::ACK;

/// A session in which the client has announced something.
fn announced(bench: &mut Bench, family: Family) -> Connection {
    bench.clear();
    let mut c = Connection::masqueraded(family, GATEWAY);
    c.establish(bench);
    let line = match family {
        Family::V4 => "PORT 10,10,0,1,30,4\r\n".to_owned(),
        Family::V6 => format!("EPRT |2|{}|7684|\r\n", c.client.0),
    };
    c.client_says(bench, line);
    assert_eq!(bench.expectations().len(), 1);
    c
}

/// The next packet of an end, and the hook it comes to.
fn last(c: &Connection, role: usize) -> (crate::bench::At, Packet) {
    if role == BY_CLIENT {
        (c.client_hooks().0, c.client_packet())
    } else {
        (c.server_hooks().0, c.server_packet())
    }
}

#[test]
fn whoever_ends_the_connection_withdraws_what_was_announced() {
    let mut bench = Bench::new();
    for family in [Family::V4, Family::V6] {
        for role in [BY_CLIENT, BY_SERVER] {
            for (flags, text) in [
                (FIN, ""),
                (FIN, "NOOP\r\n"),
                (FIN, "a line without an end"),
                (FIN | flag::PSH, "\r\n"),
                (RST, ""),
                (RST_ACK, ""),
                (RST, "a reason, as RFC 9293 has it"),
            ] {
                let c = announced(&mut bench, family);
                let (at, packet) = last(&c, role);
                let out = bench.run(at, &packet.flags(flags).payload(text));
                let case = format!("{family:?} {role} {flags:#x} {text:?}");
                assert_eq!(out.verdict, PASS, "{case}");
                assert!(bench.expectations().is_empty(), "{case}");
                assert_eq!(bench.count(C::ExpectationsWithdrawn), 1, "{case}");
                assert!(bench.session().pending.is_empty(), "{case}");
            }
        }
    }
}

/// A FIN that sets held text free, and one that comes behind a hole.
#[test]
fn an_end_counts_when_its_place_in_the_stream_is_reached() {
    let mut bench = Bench::new();
    let c = announced(&mut bench, Family::V4);
    let (at, packet) = last(&c, BY_CLIENT);
    bench.run(at, &packet.clone().payload("PORT 10,10,").fin());
    assert!(bench.expectations().is_empty());
    let c = announced(&mut bench, Family::V4);
    let behind = packet.clone().seq(packet.seq.wrapping_add(6)).fin();
    bench.run(at, &behind);
    assert_eq!(bench.expectations().len(), 1, "a part is still missing");
    bench.run(at, &last(&c, BY_CLIENT).1.payload("NOOP\r\n"));
    assert_eq!(bench.expectations().len(), 1);
    bench.run(at, &behind);
    assert!(bench.expectations().is_empty());
}
