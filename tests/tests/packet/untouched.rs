//! What is none of our business passes as it is, whatever is wrong with it.

use std::net::IpAddr;

use ftp_nat_common::{counter::Counter as C, tcp::flag};

use crate::{
    bench::{At, Bench, DROP, PASS},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, SERVER},
    packet::{Packet, frame, ipv4, ipv6},
    rng::Rng,
    table::{play, row},
};

const HOOKS: [At; 4] = [At::FromInside, At::ToOutside, At::FromOutside, At::ToInside];

/// An established session with a shift, so that there is much to go wrong.
fn busy() -> (Bench, Connection) {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.only_port(7684);
    c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    (bench, c)
}

fn assert_untouched(bench: &mut Bench, name: &str, bytes: &[u8]) {
    for at in HOOKS {
        let out = bench.run_bytes(at, bytes);
        assert_eq!(
            (out.verdict, &out.bytes[..]),
            (PASS, bytes),
            "{name} {at:?}"
        );
    }
}

/// In an IPv6 header such an address would be taken for the one of IPv4, whose
/// expectation or session this is.
#[test]
fn ipv4_addresses_in_an_ipv6_header_are_nobody_s() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    bench.only_port(7684);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    assert_eq!(bench.expectations().len(), 1);
    let mapped = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => IpAddr::V6(ip.to_ipv6_mapped()),
        other => other,
    };
    let gateway = mapped(GATEWAY.v4.into());
    let syn = Packet::tcp((mapped(c.server.0), 20), (gateway, 7684)).flags(flag::SYN);
    let line = c.client_packet().payload("PORT 10,10,0,1,30,5\r\n");
    let line = line.from((mapped(c.client.0), c.client.1));
    let line = line.to((mapped(c.server.0), 21));
    for (at, packet) in [(At::FromOutside, syn), (At::FromInside, line)] {
        let out = bench.run(at, &packet);
        assert_eq!((out.verdict, out.bytes), (PASS, packet.bytes()));
    }
    assert_eq!((bench.expectations().len(), bench.flows().len()), (1, 0));
}

#[test]
fn other_protocols() {
    let (mut bench, _) = busy();
    let (v4, v6) = (Family::V4, Family::V6);
    let body = [7u8; 40];
    for protocol in [0, 1, 2, 17, 47, 50, 58, 132, 255] {
        let name = format!("protocol {protocol}");
        let packet = ipv4(CLIENT.ip(v4), SERVER.ip(v4), protocol, &body);
        assert_untouched(&mut bench, &name, &frame(&packet));
        let packet = ipv6(CLIENT.ip(v6), SERVER.ip(v6), protocol, &body);
        assert_untouched(&mut bench, &name, &frame(&packet));
    }
    let mut arp = frame(&[0; 46]);
    arp[12..14].copy_from_slice(&[8, 6]);
    assert_untouched(&mut bench, "ARP", &arp);
}

#[test]
fn other_tcp_connections() {
    let (mut bench, c) = busy();
    for (name, packet) in [
        ("another port", c.client_packet().to((SERVER.v4.into(), 80))),
        (
            "a control port, no session",
            c.client_packet().from((CLIENT.v4.into(), 40_001)),
        ),
        (
            "from a control port",
            Packet::tcp((SERVER.v4.into(), 21), (CLIENT.v4.into(), 9)),
        ),
        (
            "the reverse of the session",
            Packet::tcp(c.server_seen, c.client),
        ),
        (
            "no flags",
            c.client_packet().to((SERVER.v4.into(), 80)).flags(0),
        ),
    ] {
        let bytes = packet.payload("PORT 10,10,0,1,30,4\r\n").bytes();
        let at = c.client_hooks().0;
        let out = bench.run_bytes(at, &bytes);
        assert_eq!((out.verdict, out.bytes), (PASS, bytes), "{name}");
    }
}

#[test]
fn fragments() {
    let (mut bench, c) = busy();
    let line = "PORT 10,10,0,1,30,4\r\n";
    let whole = c.client_packet().payload(line).bytes();
    let other = c.client_packet().payload(line).from((CLIENT.v4.into(), 9));
    // Later ones of any connection, and first ones of another one.
    let cases = [0x2003u16, 0x0003, 0x1fff].map(|field| (field, &whole));
    for (field, whole) in cases.into_iter().chain([(0x2000, &other.bytes())]) {
        let before = bench.count(C::Fragments);
        let mut bytes = whole.clone();
        bytes[20..22].copy_from_slice(&field.to_be_bytes());
        assert_untouched(&mut bench, &format!("fragment {field:#x}"), &bytes);
        assert_eq!(bench.count(C::Fragments), before + 4);
    }
    let c = Connection::masqueraded(Family::V6, GATEWAY);
    let before = bench.count(C::Fragments);
    let bytes = c.client_packet().extension(44, &[0, 1, 0, 0, 0, 9]).bytes();
    assert_untouched(&mut bench, "IPv6 fragment", &bytes);
    assert_eq!(bench.count(C::Fragments), before + 4);
}

#[test]
fn truncated_packets() {
    let (mut bench, c) = busy();
    for packet in [
        c.client_packet()
            .payload("PORT 10,10,0,1,30,4\r\n")
            .timestamps(1, 2),
        c.to_client(&c.server_packet())
            .sack(2, &[(1, 9)])
            .payload("200 Ok\r\n"),
        Connection::masqueraded(Family::V6, GATEWAY)
            .syn()
            .extension(0, &[0; 14])
            .mss(1460),
    ] {
        let bytes = packet.bytes();
        // The kernel runs nothing shorter than an IP header.
        let shortest = if bytes[12] == 8 { 34 } else { 54 };
        for len in shortest..bytes.len() {
            assert_untouched(&mut bench, &format!("{len} bytes"), &bytes[..len]);
        }
    }
}

#[test]
fn headers_that_contradict_themselves() {
    let (mut bench, c) = busy();
    let good = c.client_packet().payload("NOOP\r\n").bytes();
    for (name, at, value) in [
        ("IP version", 14, 0x55),
        ("IP header too short", 14, 0x44),
        ("IP header too long", 14, 0x4f),
        ("IP length too short", 17, 39),
        ("IP length too long", 17, 250),
        ("TCP header too short", 46, 0x40),
        ("TCP header too long", 46, 0xf0),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        assert_untouched(&mut bench, name, &bytes);
    }
}

/// Ten thousand packets that are nearly right: each passes, or is dropped for
/// a reason that is counted, and no program fails.
#[test]
fn garbage() {
    let (mut bench, c) = busy();
    let mut rng = Rng::new(21);
    let v6 = Connection::masqueraded(Family::V6, GATEWAY);
    let mut dropped = 0;
    for n in 0..10_000 {
        let packet = match rng.below(6) {
            0 => c.client_packet(),
            1 => c.server_packet(),
            2 => c.to_client(&c.server_packet()),
            3 => c.to_server(&c.client_packet()),
            4 => v6.syn().extension(60, &[0; 6]),
            _ => c.syn().mss(1460),
        };
        let near = |rng: &mut Rng, n: u32| n.wrapping_add(rng.below(90) as u32).wrapping_sub(45);
        let (seq, ack) = (near(&mut rng, packet.seq), near(&mut rng, packet.ack));
        let mut packet = packet.seq(seq).ack(ack);
        if rng.chance(30) {
            packet = packet.flags(rng.next() as u8);
        }
        if rng.chance(30) {
            let room = rng.below(10) * 4;
            let options: Vec<u8> = (0..room).map(|_| rng.below(12) as u8).collect();
            packet = packet.no_options().options(&options);
        }
        let text = b"PORT 10,10,0,1,30,4\r\n227 (|)\xff\xf1\0";
        let payload: Vec<u8> = (0..rng.below(120)).map(|_| *rng.pick(text)).collect();
        let mut bytes = packet.payload(payload).bytes();
        let good = bytes.clone();
        for _ in 0..rng.below(4) {
            let at = rng.range(14, bytes.len() - 1);
            bytes[at] = rng.next() as u8;
        }
        if rng.chance(20) {
            bytes.truncate(rng.range(54, bytes.len()));
        }
        let at = *rng.pick(&HOOKS);
        let out = bench.run_bytes(at, &bytes);
        assert!([PASS, DROP].contains(&out.verdict), "packet {n}: {bytes:?}");
        if out.verdict == DROP {
            dropped += 1;
        } else if bytes == good {
            // Whatever was done to a right packet leaves it right.
            crate::packet::Parsed::of(&out.bytes);
        }
        assert!(out.bytes.len() <= bytes.len() + 100);
    }
    let reasons = [
        C::DroppedOutOfOrder,
        C::DroppedBadChecksum,
        C::DroppedBadSegment,
        C::DroppedEditFailed,
        C::DroppedLockBusy,
    ];
    let counted: u64 = reasons.iter().map(|c| bench.count(*c)).sum();
    assert_eq!(counted, dropped, "every drop has a name");
    assert_eq!(bench.count(C::DroppedLockBusy), 0, "a lock was kept");
}

/// Where no NAT is in between only a pinhole is opened: however the address was
/// written, it goes out as it came.
#[test]
fn near_s_own_spelling_stays_where_there_is_no_nat() {
    let mut bench = Bench::new();
    for line in [
        "PORT 010,010,000,001,030,004\r\n",
        "port  10,10,0,1,30,4 \r\n",
        "PORT\t10,10,0,1,030,4\n",
        "EPRT !1!010.10.0.1!07684!\r\n",
    ] {
        bench.clear();
        let mut c = Connection::routed(Family::V4);
        c.establish(&mut bench);
        let sent = c.client_packet().payload(line);
        let counts = [C::ExpectationsMade, C::PinholesOnly];
        play(
            &mut bench,
            [row(line, c.client_hooks().0, sent).counts(&counts)],
        );
        assert_eq!(bench.session().half[0].shift(), 0);
    }
}
