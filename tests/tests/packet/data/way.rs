//! The way out of a data packet: its TTL, its MTU, its route.

use ftp_nat_common::{counter::Counter as C, layout::map, tcp::flag};

use super::{FAMILIES, PORT, announced, assert_packet, data_syn, forwarded};
use crate::{
    bench::{At, Bench, DROP, PASS, REDIRECT},
    error::Error,
    hosts::{CLIENT, Family, GATEWAY, GATEWAY_INSIDE, Host, SERVER},
    packet::{self, Packet},
};

/// What the gateway's `from` answers to `packet`.
fn answered(family: Family, from: Host, kind: (u8, u8), rest: u32, packet: &Packet) -> Vec<u8> {
    let len = packet.bytes().len() - 14;
    let error = Error::new(kind, from.ip(family), packet)
        .rest(rest)
        .quoting(len.min(128) & !3);
    packet::sent_back(error.bytes())
}

#[test]
fn a_packet_whose_time_is_up_is_answered() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        for (ttl, data) in [(1, "x"), (0, "some longer text"), (1, "")] {
            announced(&mut bench, family);
            bench.run(At::FromOutside, &data_syn(family, SERVER));
            let late = data_syn(family, SERVER)
                .flags(flag::ACK)
                .payload(data)
                .ttl(ttl);
            let out = bench.run(At::FromOutside, &late);
            let kind = if family == Family::V4 { 11 } else { 3 };
            let wanted = answered(family, GATEWAY, (kind, 0), 0, &late);
            assert_eq!(
                (out.verdict, out.bytes),
                (REDIRECT, wanted),
                "TTL {ttl} {data:?}"
            );
            assert_eq!(bench.count(C::DataTtlExceeded), 1);
        }
    }
}

#[test]
fn a_packet_that_is_too_big_is_answered() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        announced(&mut bench, family);
        bench.run(At::FromOutside, &data_syn(family, SERVER));
        bench.mtu("lan", 1300);
        let headers = if family == Family::V4 { 40 } else { 60 };
        let big = |n: usize| {
            data_syn(family, SERVER)
                .flags(flag::ACK)
                .payload(vec![b'x'; n])
        };
        let fits = bench.run(At::FromOutside, &big(1300 - headers));
        assert_eq!(fits.verdict, REDIRECT);
        assert_packet(
            "fits",
            &fits.bytes,
            &forwarded(family, &big(1300 - headers)),
        );
        let large = big(1301 - headers);
        let out = bench.run(At::FromOutside, &large);
        let kind = if family == Family::V4 { (3, 4) } else { (2, 0) };
        let wanted = answered(family, GATEWAY, kind, 1300, &large);
        assert_eq!((out.verdict, out.bytes), (REDIRECT, wanted));
        assert_eq!(bench.count(C::DataTooBig), 1);
        // The other way the inner interface answers.
        bench.mtu("lan", 1500);
        bench.mtu("wan", 1300);
        let large = Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20))
            .payload(vec![b'y'; 1301 - headers]);
        let out = bench.run(At::FromInside, &large);
        let wanted = answered(family, GATEWAY_INSIDE, kind, 1300, &large);
        assert_eq!((out.verdict, out.bytes), (REDIRECT, wanted));
    }
}

#[test]
fn without_a_route_data_is_dropped_and_counted() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        announced(&mut bench, family);
        bench.run(At::FromOutside, &data_syn(family, SERVER));
        let outs = bench.without_way_to(CLIENT.ip(family), |bench| {
            // The way is believed for a moment.
            let soon = bench.run(At::FromOutside, &data_syn(family, SERVER));
            bench.age_ways();
            let later = bench.run(At::FromOutside, &data_syn(family, SERVER));
            [soon, later].map(|out| out.verdict)
        });
        assert_eq!(outs, [REDIRECT, DROP]);
        assert_eq!(bench.count(C::DataNoRoute), 1);
        let again = bench.run(At::FromOutside, &data_syn(family, SERVER));
        assert_eq!(again.verdict, REDIRECT, "the way is there again");
    }
}

#[test]
fn a_flow_takes_no_way_out_of_another_interface() {
    let mut bench = Bench::new();
    announced(&mut bench, Family::V4);
    bench.run(At::FromOutside, &data_syn(Family::V4, SERVER));
    let (wan, lan) = (bench.wan, bench.lan);
    for (key, mut flow) in bench.flows() {
        assert_eq!(flow.out_ifindex == lan, flow.way.ifindex == lan, "{flow:?}");
        // As the daemon does for an interface that was made anew.
        flow.out_ifindex = wan;
        bench.insert(map::FLOWS, key, flow);
    }
    // The client isn't reached by that one.
    let out = bench.run(At::FromOutside, &data_syn(Family::V4, SERVER));
    assert_eq!(out.verdict, DROP);
    for (_, flow) in bench.flows() {
        assert_ne!(flow.way.ifindex, wan, "no way is believed: {flow:?}");
    }
}

#[test]
fn a_packet_on_a_source_route_is_not_at_its_destination() {
    let mut bench = Bench::new();
    let family = Family::V6;
    announced(&mut bench, family);
    // Type, segments left, and one address of a routing header.
    let routed = |left: u8| {
        let mut content = vec![0; 22];
        content[1] = left;
        data_syn(family, SERVER).extension(43, &content)
    };
    for left in [1, 255] {
        let sent = routed(left);
        let out = bench.run(At::FromOutside, &sent);
        assert_eq!(
            (out.verdict, out.bytes),
            (PASS, sent.bytes()),
            "{left} left"
        );
        assert_eq!(bench.expectations().len(), 1, "{left} left");
    }
    assert_eq!(bench.count(C::RefusedDataSource), 0);
    let sent = routed(0);
    let out = bench.run(At::FromOutside, &sent);
    assert_eq!(out.verdict, REDIRECT);
    assert_packet("no segment left", &out.bytes, &forwarded(family, &sent));
}
