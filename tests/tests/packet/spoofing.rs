//! Packets with the address of another host: what they can't do.
//!
//! Who takes on the address of a host on the same link and can read what that
//! host is sent is that host, for the gateway. Who can't read it has to guess
//! numbers, and who is on another side of the gateway is not believed at all.

use ftp_nat_common::{addr::Tuple, counter::Counter as C, layout::map, pairing::Candidate};

use crate::{
    bench::{At, Bench, DROP},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, NEIGHBOUR, SERVER, STRANGER},
    packet::Packet,
    table::{play, row},
};

const LINE: &str = "PORT 10,10,0,1,30,4\r\n";

fn established(bench: &mut Bench) -> Connection {
    bench.clear();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(bench);
    c
}

#[test]
fn a_line_at_a_guessed_place_opens_nothing() {
    let mut bench = Bench::new();
    // Before it, all of the line is behind the place: what is partly beyond is new.
    let ahead = [1, 21, 1000, 65_535, 1 << 20, 1 << 31];
    let behind = [21, 1000, 65_535, 1 << 20].map(u32::wrapping_neg);
    for away in ahead.into_iter().chain(behind) {
        let mut c = established(&mut bench);
        c.client_says(&mut bench, "TYPE I\r\n");
        let before = bench.session().half[0];
        let guess = c.client_packet().seq(c.client_next.wrapping_add(away));
        bench.run(c.client_hooks().0, &guess.payload(LINE));
        assert!(bench.expectations().is_empty(), "{away:#x} away");
        let after = bench.session().half[0];
        assert_eq!(after.in_nxt, before.in_nxt, "{away:#x} away");
        // The client itself goes on.
        c.client_says(&mut bench, LINE);
        assert_eq!(bench.expectations().len(), 1, "{away:#x} away");
    }
}

#[test]
fn a_reset_or_an_end_at_a_guessed_place_ends_nothing() {
    let mut bench = Bench::new();
    for flags in [0x04, 0x14, 0x11] {
        for away in [1, 100, 1 << 20] {
            let mut c = established(&mut bench);
            c.client_says(&mut bench, LINE);
            let seq = c.client_next.wrapping_add(away);
            bench.run(c.client_hooks().0, &c.client_packet().seq(seq).flags(flags));
            assert_eq!(bench.expectations().len(), 1, "{flags:#x}, {away} away");
        }
    }
}

#[test]
fn who_comes_from_the_other_side_is_not_the_host() {
    let mut bench = Bench::new();
    let mut c = established(&mut bench);
    let wrong = [C::WrongSide];
    let line = c.client_packet().payload(LINE);
    let reply = c
        .server_packet()
        .payload("227 Passive (198,51,100,21,30,4)\r\n");
    let rst = c.client_packet().flags(0x14);
    play(
        &mut bench,
        [
            row("the client's, from outside", At::FromOutside, line).counts(&wrong),
            row("its reset", At::FromOutside, rst).counts(&wrong),
            row("the server's, from inside", At::FromInside, reply).counts(&wrong),
        ],
    );
    assert!(bench.expectations().is_empty());
    c.client_says(&mut bench, LINE);
    assert_eq!(bench.expectations().len(), 1);
}

#[test]
fn an_interface_that_was_made_anew_is_the_hosts_again() {
    let mut bench = Bench::new();
    let mut c = established(&mut bench);
    let mut session = bench.session();
    session.ifindex[0] = 4_000_000;
    bench.insert(map::SESSIONS, session.id, session);
    c.client_says(&mut bench, LINE);
    assert_eq!(bench.expectations().len(), 1);
    assert_eq!(bench.session().ifindex[0], bench.lan);
}

#[test]
fn one_number_to_two_servers_teaches_neither() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    let mut other = c.clone();
    other.server.0 = STRANGER.v4.into();
    other.server_seen = other.server;
    play(
        &mut bench,
        [
            row("to one", c.client_hooks().0, c.syn()),
            row("to another", c.client_hooks().0, other.syn()).counts(&[C::PairingCollisions]),
            row("the one, out", c.client_hooks().1, c.to_server(&c.syn())),
            row(
                "as the other",
                c.client_hooks().1,
                other.to_server(&c.syn()),
            ),
            row(
                "the other, out",
                c.client_hooks().1,
                other.to_server(&other.syn()),
            ),
        ],
    );
    let candidates = bench.entries::<Tuple, Candidate>(map::CANDIDATES);
    assert!(candidates.is_empty());
}

/// A host sends its own connection's packets with the numbers of another's.
#[test]
fn nobody_gets_anothers_translation() {
    let mut bench = Bench::new();
    let victim = Connection::masqueraded(Family::V4, GATEWAY);
    let mut thief = victim.clone();
    thief.client.0 = NEIGHBOUR.v4.into();
    thief.client_seen.1 += 1;
    for (syn_first, syn_second) in [(&victim, &thief), (&thief, &victim)] {
        bench.clear();
        bench.run(At::FromInside, &syn_first.syn());
        bench.run(At::FromInside, &syn_second.syn());
        for c in [&victim, &thief] {
            bench.run(At::ToOutside, &c.to_server(&c.syn()));
            bench.run(At::FromOutside, &c.syn_ack());
            bench.run(At::ToInside, &c.to_client(&c.syn_ack()));
            bench.run(At::FromInside, &c.client_packet());
        }
        for s in bench.sessions() {
            let (ours, theirs) = (victim.client.0, thief.client.0);
            let seen = s.seen_port[0].get();
            assert!(s.real[0].to_ip() != ours || seen == victim.client_seen.1);
            assert!(s.real[0].to_ip() != theirs || seen == thief.client_seen.1);
        }
        assert!(bench.sessions().is_empty(), "nobody is believed");
    }
}

#[test]
fn an_announcement_that_is_sent_again_after_its_use_opens_nothing() {
    let mut bench = Bench::new();
    let mut c = established(&mut bench);
    let first = c.client_packet().payload(LINE);
    let told = c.client_says(&mut bench, LINE);
    let (key, _) = bench.expectations()[0];
    let syn = Packet::tcp((SERVER.v4.into(), 20), (key.addr.to_ip(), key.port.get())).flags(2);
    bench.run(At::FromOutside, &syn);
    assert!(bench.expectations().is_empty());
    let made = bench.count(C::ExpectationsMade);
    // Whole, and a part of it, before and after the server has it.
    for acked in [false, true] {
        if acked {
            let ack = c
                .server_packet()
                .ack(told.seq() + told.payload().len() as u32);
            bench.run(c.server_hooks().1, &c.to_client(&ack));
        }
        bench.run(At::FromInside, &first);
        let tail = first.clone().seq(first.seq + 5).payload(&LINE[5..]);
        bench.run(At::FromInside, &tail);
    }
    assert_eq!(bench.count(C::ExpectationsMade), made);
    assert!(bench.expectations().is_empty());
}

#[test]
fn a_line_with_a_wrong_checksum_opens_nothing() {
    let mut bench = Bench::new();
    let c = established(&mut bench);
    let mut bytes = c.client_packet().payload(LINE).bytes();
    let last = bytes.len() - 5;
    bytes[last] ^= 1;
    assert_eq!(bench.run_bytes(At::FromInside, &bytes).verdict, DROP);
    assert!(bench.expectations().is_empty());
    assert_eq!(bench.session().real[0].to_ip(), CLIENT.ip(Family::V4));
}
