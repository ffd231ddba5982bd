//! The programs call each other. Where one is missing, which must not happen, a
//! connection that is followed loses a packet, which TCP sends again, and others
//! lose nothing.

use ftp_nat_common::{counter::Counter as C, layout::stage, tcp::flag};

use crate::{
    bench::{At, Bench, DROP, PASS},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, SERVER},
    packet::{Packet, Parsed},
};

/// A segment of a connection to port 21 that nobody knows.
fn stranger() -> Packet {
    let ends = [(CLIENT.ip(Family::V4), 40_777), (SERVER.ip(Family::V4), 21)];
    Packet::tcp(ends[0], ends[1]).seq(77).ack(88)
}

#[test]
fn a_followed_connection_waits_for_a_missing_program() {
    for missing in [stage::CONTROL, stage::EDIT] {
        let mut bench = Bench::new();
        let mut c = Connection::masqueraded(Family::V4, GATEWAY);
        c.establish(&mut bench);
        let segment = c.client_packet().payload("PORT 10,10,0,1,30,4\r\n");
        bench.remove_stage(missing);
        assert_eq!(bench.run(At::FromInside, &segment).verdict, DROP);
        assert_eq!(bench.count(C::StageMissing), 1);
        bench.restore_stages();
        let out = bench.run(At::FromInside, &segment);
        assert_eq!(out.verdict, PASS);
        let text = Parsed::of(&out.bytes).payload().to_vec();
        let text = String::from_utf8(text).expect("text");
        assert!(text.starts_with("PORT 61,144,1,2,"), "{text:?}");
        assert!(text.ends_with("\r\n"), "{text:?}");
    }
}

#[test]
fn others_pass_where_a_program_is_missing() {
    for (missing, at, packet) in [
        (stage::CONTROL, At::FromInside, stranger()),
        (stage::BEGIN, At::FromInside, stranger()),
        (
            stage::SYN,
            At::FromInside,
            stranger().flags(flag::SYN).ack(0),
        ),
        (
            stage::LEARN,
            At::ToOutside,
            stranger().flags(flag::SYN).ack(0),
        ),
    ] {
        let mut bench = Bench::new();
        bench.remove_stage(missing);
        let out = bench.run(at, &packet);
        assert_eq!(
            (out.verdict, out.bytes),
            (PASS, packet.bytes()),
            "{missing}"
        );
        assert_eq!(bench.count(C::StageMissing), 1, "{missing}");
    }
}
