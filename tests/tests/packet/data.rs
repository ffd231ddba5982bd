//! Data connections: an expectation is used up by the SYN it was made for.
//!
//! ```text
//!   CLIENT:7684 <-- SYN from SERVER -- GATEWAY:7684 <-- SYN -- SERVER:20
//!   CLIENT:7684 --- SYN-ACK ----------- GATEWAY:7684 --------> SERVER:20
//! ```
//!
//! `BPF_PROG_TEST_RUN` sends nothing, but the verdict and the packet are those
//! of the redirection.

mod abuse;
mod fragments;
mod way;

use ftp_nat_common::{
    counter::Counter as C,
    tcp::flag,
    translation::{FLOW_ESTABLISHED, FLOW_FIN, FLOW_FORWARD, FLOW_PEER_FIN, FLOW_RST},
};

use crate::{
    bench::{At, Bench, PASS, REDIRECT},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, Host, NEIGHBOUR, SERVER, STRANGER},
    packet::{Packet, Parsed},
};

pub const PORT: u16 = 7684;
pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// A session whose client waits at port 7684, announced as that of GATEWAY.
pub fn announced(bench: &mut Bench, family: Family) -> Connection {
    bench.clear();
    bench.only_port(PORT);
    let mut c = Connection::masqueraded(family, GATEWAY);
    c.establish(bench);
    let line = match family {
        Family::V4 => "EPRT |1|10.10.0.1|7684|\r\n".to_owned(),
        Family::V6 => format!("EPRT |2|{}|7684|\r\n", CLIENT.v6),
    };
    c.client_says(bench, line);
    assert_eq!(bench.expectations().len(), 1);
    c
}

/// A SYN to the announced port.
pub fn data_syn(family: Family, from: Host) -> Packet {
    Packet::tcp((from.ip(family), 20), (GATEWAY.ip(family), PORT))
        .flags(flag::SYN)
        .seq(77)
}

/// The same on its way to the client.
fn forwarded(family: Family, packet: &Packet) -> Packet {
    packet
        .clone()
        .from((SERVER.ip(family), packet.src.1))
        .to((CLIENT.ip(family), PORT))
        .ttl(63)
}

fn assert_packet(name: &str, got: &[u8], wanted: &Packet) {
    let (got, wanted) = (Parsed::of(got), Parsed::of(&wanted.bytes()));
    assert_eq!(
        got.without_checksums(),
        wanted.without_checksums(),
        "{name}"
    );
}

#[test]
fn the_expected_syn_makes_two_flows_and_uses_the_expectation_up() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        announced(&mut bench, family);
        let syn = data_syn(family, SERVER).mss(1460);
        let out = bench.run(At::FromOutside, &syn);
        assert_eq!(out.verdict, REDIRECT);
        let mss = if family == Family::V4 { 1460 } else { 1440 };
        let wanted = forwarded(family, &data_syn(family, SERVER).mss(mss));
        assert_packet("SYN", &out.bytes, &wanted);
        assert!(bench.expectations().is_empty());
        let flows = bench.flows();
        assert_eq!(flows.len(), 2);
        for (key, flow) in &flows {
            let other = flows.iter().find(|f| f.0 == flow.to.reversed());
            assert_eq!(other.expect("the other direction").1.to, key.reversed());
            let forward = flow.flags & FLOW_FORWARD != 0;
            assert_eq!(
                flow.out_ifindex,
                if forward { bench.lan } else { bench.wan }
            );
            assert_eq!(flow.packets, u64::from(forward));
        }
        // The answer goes back as one of the gateway's.
        let answer = Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20))
            .flags(flag::SYN | flag::ACK);
        let out = bench.run(At::FromInside, &answer);
        assert_eq!(out.verdict, REDIRECT);
        let wanted = answer.from((GATEWAY.ip(family), PORT)).ttl(63);
        assert_packet("SYN-ACK", &out.bytes, &wanted);
        for (counter, n) in [
            (C::ExpectationsUsed, 1),
            (C::FlowsMade, 1),
            (C::DataPackets, 2),
        ] {
            assert_eq!(bench.count(counter), n, "{}", counter.name());
        }
        assert_eq!(bench.session().data_connections, 1);
    }
}

#[test]
fn the_mss_is_that_of_the_narrower_interface() {
    let mut bench = Bench::new();
    for (narrow, mtu) in [("lan", 1300), ("wan", 1280)] {
        for family in FAMILIES {
            announced(&mut bench, family);
            bench.mtu(narrow, mtu);
            let syn = data_syn(family, SERVER).options(&[1]).mss(1460);
            let out = bench.run(At::FromOutside, &syn);
            let headers = if family == Family::V4 { 40 } else { 60 };
            let mss = (mtu - headers) as u16;
            let wanted = forwarded(family, &data_syn(family, SERVER).options(&[1]).mss(mss));
            assert_eq!(out.verdict, REDIRECT);
            assert_packet(narrow, &out.bytes, &wanted);
        }
    }
}

#[test]
fn only_the_far_host_may_come_and_only_once() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        announced(&mut bench, family);
        let refused = |bench: &mut Bench, name, syn: &Packet| {
            let out = bench.run(At::FromOutside, syn);
            assert_eq!((out.verdict, out.bytes), (PASS, syn.bytes()), "{name}");
        };
        refused(&mut bench, "a stranger", &data_syn(family, STRANGER));
        assert_eq!(bench.count(C::RefusedDataSource), 1);
        assert_eq!(bench.expectations().len(), 1, "it waits on");
        let elsewhere = data_syn(family, SERVER).to((GATEWAY.ip(family), PORT + 1));
        refused(&mut bench, "another port", &elsewhere);
        refused(
            &mut bench,
            "no SYN",
            &data_syn(family, SERVER).flags(flag::ACK),
        );
        let both = data_syn(family, SERVER).flags(flag::SYN | flag::ACK);
        refused(&mut bench, "a SYN-ACK", &both);
        assert!(bench.flows().is_empty());
        bench.run(At::FromOutside, &data_syn(family, SERVER));
        let mut second = data_syn(family, SERVER);
        second.src.1 = 2020;
        refused(&mut bench, "a second connection", &second);
        refused(
            &mut bench,
            "a stranger afterwards",
            &data_syn(family, STRANGER),
        );
        assert_eq!(bench.flows().len(), 2);
        // The same SYN again belongs to the flow.
        let again = bench.run(At::FromOutside, &data_syn(family, SERVER));
        assert_eq!(again.verdict, REDIRECT);
        assert_eq!(bench.count(C::ExpectationsUsed), 1);
    }
}

#[test]
fn an_expectation_ends_with_its_time() {
    let mut bench = Bench::new();
    announced(&mut bench, Family::V4);
    bench.settings(|s| s.expect_timeout_ns = 1);
    let syn = data_syn(Family::V4, SERVER);
    assert_eq!(bench.run(At::FromOutside, &syn).verdict, PASS);
    assert!(bench.expectations().is_empty() && bench.flows().is_empty());
}

#[test]
fn hosts_inside_may_come_where_hairpin_is_allowed() {
    let mut bench = Bench::new();
    let syn = data_syn(Family::V4, NEIGHBOUR);
    announced(&mut bench, Family::V4);
    assert_eq!(
        bench.run(At::FromOutside, &syn).verdict,
        PASS,
        "from outside"
    );
    let out = bench.run(At::FromInside, &syn);
    assert_eq!(out.verdict, REDIRECT);
    assert_packet("from inside", &out.bytes, &forwarded(Family::V4, &syn));
    for (_, flow) in bench.flows() {
        assert_eq!(flow.out_ifindex, bench.lan);
    }
    // Without hairpin nobody but the far host may.
    bench.clear();
    bench.settings(|s| (s.flags, s.port_first, s.port_last) = (0, PORT, PORT));
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    assert_eq!(bench.expectations().len(), 1);
    assert_eq!(bench.run(At::FromInside, &syn).verdict, PASS);
    assert_eq!(bench.count(C::RefusedDataSource), 1);
}

/// A second SYN of the same ends, when their connection is over or was reset.
#[test]
fn a_connection_that_is_over_lets_no_other_in() {
    let mut bench = Bench::new();
    let family = Family::V4;
    let answer = Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20));
    for end in [flag::FIN | flag::ACK, flag::RST] {
        announced(&mut bench, family);
        let syn = data_syn(family, SERVER);
        assert_eq!(bench.run(At::FromOutside, &syn).verdict, REDIRECT);
        assert_eq!(
            bench.run(At::FromOutside, &syn).verdict,
            REDIRECT,
            "sent again"
        );
        bench.run(At::FromInside, &answer.clone().flags(flag::SYN | flag::ACK));
        bench.run(At::FromOutside, &syn.clone().flags(flag::ACK).fin());
        bench.run(At::FromInside, &answer.clone().flags(end));
        let last = bench.run(At::FromOutside, &syn.clone().flags(flag::ACK));
        assert_eq!(last.verdict, REDIRECT, "the last ACK");
        assert_eq!(bench.run(At::FromOutside, &syn).verdict, PASS);
        assert_eq!(bench.count(C::RefusedDataSource), 1);
        assert_eq!(bench.count(C::FlowsMade), 1);
    }
}

/// The announcer still is in TIME-WAIT from a connection between the same ports: it
/// answers by an ACK, the other end sends a RST, and at once its SYN again.
#[test]
fn a_syn_behind_an_old_connection_s_ack_and_a_rst_goes_on() {
    let mut bench = Bench::new();
    let family = Family::V4;
    announced(&mut bench, family);
    let syn = data_syn(family, SERVER);
    let answer = Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20));
    let ack = answer.clone().flags(flag::ACK);
    for (at, packet) in [
        (At::FromOutside, syn.clone()),
        (At::FromInside, ack),
        (At::FromOutside, syn.clone().flags(flag::RST)),
        (At::FromOutside, syn.clone()),
        (At::FromInside, answer.flags(flag::SYN | flag::ACK)),
        (At::FromOutside, syn.clone().flags(flag::ACK)),
    ] {
        assert_eq!(bench.run(at, &packet).verdict, REDIRECT, "{packet:?}");
    }
    assert_eq!(bench.count(C::RefusedDataSource), 0);
    for (_, flow) in bench.flows() {
        assert_eq!(flow.flags & !FLOW_FORWARD, FLOW_ESTABLISHED, "{flow:?}");
    }
}

#[test]
fn a_flow_follows_the_state_of_its_connection() {
    let mut bench = Bench::new();
    let family = Family::V4;
    announced(&mut bench, family);
    let syn = data_syn(family, SERVER);
    bench.run(At::FromOutside, &syn);
    let flags = |bench: &Bench, forward: bool| {
        let flows = bench.flows();
        let is_it = |f: u32| (f & FLOW_FORWARD != 0) == forward;
        let flow = flows.iter().find(|f| is_it(f.1.flags)).expect("a flow");
        flow.1.flags & !FLOW_FORWARD
    };
    let answer = Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20));
    bench.run(At::FromInside, &answer.clone().flags(flag::SYN | flag::ACK));
    assert_eq!((flags(&bench, true), flags(&bench, false)), (0, 0));
    bench.run(At::FromOutside, &syn.clone().flags(flag::ACK));
    assert_eq!(flags(&bench, true), FLOW_ESTABLISHED);
    bench.run(At::FromOutside, &syn.clone().flags(flag::ACK).fin());
    assert_eq!(flags(&bench, true), FLOW_ESTABLISHED | FLOW_FIN);
    assert_eq!(flags(&bench, false) & FLOW_PEER_FIN, FLOW_PEER_FIN);
    bench.run(At::FromInside, &answer.flags(flag::RST));
    assert_ne!(flags(&bench, true) & FLOW_RST, 0);
    assert_ne!(flags(&bench, false) & FLOW_RST, 0);
}
