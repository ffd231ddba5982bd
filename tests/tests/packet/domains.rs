//! Networks that overlap: the same addresses are of other hosts.

use ftp_nat_common::{counter::Counter as C, tcp::flag, translation::FLOW_FORWARD};

use crate::{
    bench::{At, Bench, PASS, REDIRECT},
    connection::Connection,
    hosts::{Family, GATEWAY, NEIGHBOUR, SERVER},
    packet::Packet,
};

/// The same client's address and port in either network. NAT gives the second
/// one another port outside.
fn two(bench: &mut Bench) -> [Connection; 2] {
    let mut first = Connection::masqueraded(Family::V4, GATEWAY);
    let mut second = first.clone().numbered(0x3000_0000, 0x4000_0000);
    second.client_seen.1 += 1;
    for (domain, c) in [(1, &mut first), (2, &mut second)] {
        bench.inside_domain(domain);
        c.establish(bench);
    }
    [first, second]
}

#[test]
fn clients_of_one_address_in_two_networks_have_a_session_each() {
    let mut bench = Bench::new();
    let [mut first, mut second] = two(&mut bench);
    let mut domains: Vec<_> = bench.sessions().iter().map(|s| s.domain).collect();
    domains.sort_unstable();
    assert_eq!(domains, [[1, 0], [2, 0]]);
    assert_eq!(bench.halves().len(), 4);

    for (domain, c) in [(1, &mut first), (2, &mut second)] {
        bench.inside_domain(domain);
        c.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
        assert_eq!(bench.source(c.client.0, domain), (1, 1));
    }
    let expected = bench.expectations();
    assert_eq!(expected.len(), 2);
    for (key, e) in expected {
        assert_eq!(key.domain, 0, "the server's network");
        let session = bench.sessions().into_iter().find(|s| s.id == e.session);
        assert_eq!(session.expect("its session").domain, [e.near_domain, 0]);
        // The server connects: the data goes to the network it was announced in.
        let syn = Packet::tcp((SERVER.v4.into(), 20), (key.addr.to_ip(), key.port.get()));
        let out = bench.run(At::FromOutside, &syn.flags(flag::SYN));
        assert_eq!(out.verdict, REDIRECT);
        let flows = bench.flows();
        let of = |forward| {
            let wanted = |f: &&(ftp_nat_common::addr::Tuple, _)| is_of(f, e.session, forward);
            *flows.iter().find(wanted).expect("a flow")
        };
        let (forward, back) = (of(true), of(false));
        assert_eq!((forward.0.domain, forward.1.to.domain), (0, e.near_domain));
        assert_eq!((back.0.domain, back.1.to.domain), (e.near_domain, 0));
        assert_eq!(bench.source(first.client.0, e.near_domain), (1, 0));
    }
}

fn is_of(
    (_, flow): &(
        ftp_nat_common::addr::Tuple,
        ftp_nat_common::translation::Flow,
    ),
    session: u64,
    forward: bool,
) -> bool {
    flow.session == session && (flow.flags & FLOW_FORWARD != 0) == forward
}

#[test]
fn what_one_network_says_is_nothing_to_the_other() {
    let mut bench = Bench::new();
    let [first, mut second] = two(&mut bench);
    // The first one's very numbers and addresses, from the second one's network.
    let before: Vec<_> = bench.sessions().iter().map(|s| (s.id, s.half[0])).collect();
    bench.inside_domain(2);
    let line = "PORT 10,10,0,1,30,4\r\n";
    bench.run(first.client_hooks().0, &first.client_packet().payload(line));
    let first_half = |halves: Vec<(u64, _)>| {
        let id = before.iter().find(|b| b.1.in_nxt.0 == first.client_next);
        halves.into_iter().find(|h| Some(h.0) == id.map(|b| b.0))
    };
    let now: Vec<_> = bench.sessions().iter().map(|s| (s.id, s.half[0])).collect();
    assert_eq!(first_half(now), first_half(before.clone()));
    assert!(bench.expectations().is_empty());
    second.client_says(&mut bench, line);
    assert_eq!(bench.expectations().len(), 1);
}

#[test]
fn a_connection_back_from_inside_is_for_the_announcers_network() {
    let mut bench = Bench::new();
    bench.inside_domain(1);
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    bench.only_port(7684);
    bench.inside_domain(1);
    c.client_says(&mut bench, "EPRT |1|10.10.0.1|7684|\r\n");
    let syn = Packet::tcp((NEIGHBOUR.v4.into(), 20), (GATEWAY.v4.into(), 7684)).flags(flag::SYN);
    assert_eq!(bench.run(At::FromInside, &syn).verdict, REDIRECT);
    let flows = bench.flows();
    assert!(
        flows
            .iter()
            .all(|(key, f)| key.domain == 1 && f.to.domain == 1)
    );
    // Without domains nothing of that is looked at.
    bench.settings(|_| ());
    assert_eq!(bench.run(At::FromInside, &syn).verdict, PASS);
    assert_eq!(bench.count(C::RefusedDataSource), 0);
}
