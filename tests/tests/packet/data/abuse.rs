//! What a data connection, or the place where it is expected, can't be used for.

use ftp_nat_common::{counter::Counter as C, tcp::flag};

use super::{FAMILIES, PORT, announced, data_syn};
use crate::{
    bench::{At, Bench, DROP, PASS, REDIRECT},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, NEIGHBOUR, SERVER},
    packet::Packet,
};

fn answer(family: Family) -> Packet {
    Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20))
}

/// A data connection whose handshake is over.
fn connected(bench: &mut Bench, family: Family) {
    announced(bench, family);
    let syn = data_syn(family, SERVER);
    let syn_ack = answer(family).flags(flag::SYN | flag::ACK);
    let ack = syn.clone().flags(flag::ACK);
    for (at, packet) in [
        (At::FromOutside, syn),
        (At::FromInside, syn_ack),
        (At::FromOutside, ack),
    ] {
        assert_eq!(bench.run(at, &packet).verdict, REDIRECT);
    }
}

#[test]
fn a_packet_of_a_connection_from_the_other_side_is_not_its_ends() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        let before = bench.flows();
        let spoofed = [
            (At::FromOutside, answer(family).payload("as if from inside")),
            (At::FromOutside, answer(family).flags(flag::RST)),
            (
                At::FromInside,
                data_syn(family, SERVER).flags(flag::ACK).fin(),
            ),
        ];
        for (at, packet) in &spoofed {
            let out = bench.run(*at, packet);
            assert_eq!((out.verdict, out.bytes), (PASS, packet.bytes()), "{at:?}");
        }
        assert_eq!(bench.count(C::WrongSide), 3);
        for (key, flow) in bench.flows() {
            let same = before.iter().find(|f| f.0 == key).expect("it was there");
            assert_eq!(flow.flags, same.1.flags);
        }
        // Those of its ends go on.
        let data = answer(family).payload("data");
        assert_eq!(bench.run(At::FromInside, &data).verdict, REDIRECT);
    }
}

#[test]
fn an_open_connection_lets_no_other_in() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        let again = data_syn(family, SERVER).seq(0x5000_0000);
        // Open; and closed by the client alone, who may use the port anew.
        for closed in [false, true] {
            connected(&mut bench, family);
            if closed {
                bench.run(At::FromInside, &answer(family).fin());
            }
            assert_eq!(bench.run(At::FromOutside, &again).verdict, DROP);
            assert_eq!(bench.count(C::RefusedDataSource), 1);
            let data = data_syn(family, SERVER).flags(flag::ACK).payload("data");
            assert_eq!(bench.run(At::FromOutside, &data).verdict, REDIRECT);
        }
    }
}

#[test]
fn the_end_that_announced_connects_to_nobody() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        for open in [false, true] {
            if open {
                connected(&mut bench, family);
            } else {
                announced(&mut bench, family);
                bench.run(At::FromOutside, &data_syn(family, SERVER));
            }
            let back = answer(family).flags(flag::SYN);
            assert_eq!(bench.run(At::FromInside, &back).verdict, DROP, "{open}");
            assert_eq!(bench.count(C::RefusedDataSource), 1);
        }
    }
}

#[test]
fn only_a_plain_syn_uses_an_expectation_up() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        announced(&mut bench, family);
        for more in [flag::FIN, flag::RST, flag::FIN | flag::RST, flag::ACK] {
            let odd = data_syn(family, SERVER).flags(flag::SYN | more);
            let out = bench.run(At::FromOutside, &odd);
            assert_eq!((out.verdict, out.bytes), (PASS, odd.bytes()));
        }
        assert_eq!((bench.expectations().len(), bench.flows().len()), (1, 0));
        let with_data = data_syn(family, SERVER).payload("early");
        assert_eq!(bench.run(At::FromOutside, &with_data).verdict, REDIRECT);
    }
}

/// The server waits for the client; a host of another network has its address.
#[test]
fn the_clients_address_in_another_network_is_not_the_client() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PASV\r\n");
    c.server_says(&mut bench, "227 Passive (198,51,100,21,30,4)\r\n");
    assert_eq!(bench.expectations().len(), 1);
    let syn = Packet::tcp((c.client.0, 41_000), (SERVER.v4.into(), PORT)).flags(flag::SYN);
    bench.inside_domain(2);
    assert_eq!(bench.run(At::FromInside, &syn).verdict, PASS);
    assert_eq!(bench.count(C::RefusedDataSource), 1);
    bench.inside_domain(0);
    let neighbour = syn.clone().from((NEIGHBOUR.v4.into(), 41_000));
    assert_eq!(bench.run(At::FromInside, &neighbour).verdict, PASS);
    assert_eq!(bench.run(At::FromInside, &syn).verdict, REDIRECT);
}
