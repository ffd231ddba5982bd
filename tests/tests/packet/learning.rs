//! Learning a connection's translation from the packets of its handshake.
//!
//! ```text
//!   CLIENT            lan GATEWAY wan             SERVER
//!     | SYN  ------> ingress     egress ------>     |   a candidate
//!     |      <------ egress      ingress <- SYN-ACK |   it is answered
//!     | ACK  ------> ingress                        |   a session
//! ```

use ftp_nat_common::{
    addr::{Addr, Tuple},
    counter::Counter as C,
    layout::map,
    pairing::{Candidate, PairingKey, Sighting},
    session::{SESSION_TRUSTED, Session},
};

use crate::{
    bench::Bench,
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, NEIGHBOUR},
    table::{play, row},
};

fn all_kinds() -> Vec<Connection> {
    let families = [Family::V4, Family::V6];
    let kinds = families.map(|f| {
        [
            Connection::masqueraded(f, GATEWAY),
            Connection::published(f, GATEWAY),
            Connection::routed(f),
        ]
    });
    kinds.into_iter().flatten().collect()
}

/// That the session says what NAT did to the connection.
fn assert_views(session: &Session, c: &Connection) {
    let ends = |at: [Addr; 2], ports: [ftp_nat_common::addr::Port; 2]| {
        [0, 1].map(|i| (at[i].to_ip(), ports[i].get()))
    };
    assert_eq!(
        ends(session.real, session.real_port),
        [c.client, c.server],
        "real"
    );
    assert_eq!(
        ends(session.seen, session.seen_port),
        [c.client_seen, c.server_seen],
        "seen"
    );
    assert_eq!(session.isn, [c.client_isn, c.server_isn]);
}

#[test]
fn a_handshake_teaches_the_translation_and_its_end_makes_the_session() {
    let mut bench = Bench::new();
    for c in all_kinds() {
        bench.clear();
        let (syn, syn_ack) = (c.syn().mss(1460), c.syn_ack().mss(1460));
        let clamped = c.syn().mss(1396);
        let clamped_back = c.syn_ack().mss(1396);
        play(
            &mut bench,
            [
                row("SYN at ingress", c.client_hooks().0, syn).becomes(clamped.clone()),
                row("SYN at egress", c.client_hooks().1, c.to_server(&clamped)),
                row("SYN-ACK at ingress", c.server_hooks().0, syn_ack)
                    .becomes(clamped_back.clone()),
                row(
                    "SYN-ACK at egress",
                    c.server_hooks().1,
                    c.to_client(&clamped_back),
                ),
            ],
        );
        assert!(
            bench.sessions().is_empty(),
            "nobody has answered the server"
        );
        let real_port = c.server.1;
        assert!(real_port == 21 || bench.learned_port(real_port));
        let ack = c.client_packet();
        play(
            &mut bench,
            [
                row("ACK at ingress", c.client_hooks().0, ack.clone())
                    .counts(&[C::SessionsLearned, C::SessionsTrusted]),
                row("ACK at egress", c.client_hooks().1, c.to_server(&ack)),
                row("SYN-ACK again", c.server_hooks().0, clamped_back.clone()),
                row(
                    "and at egress",
                    c.server_hooks().1,
                    c.to_client(&clamped_back),
                ),
            ],
        );
        assert_views(&bench.session(), &c);
        assert_ne!(bench.session().flags & SESSION_TRUSTED, 0);
        let ifindexes = match c.client_hooks().0 {
            crate::bench::At::FromInside => [bench.lan, bench.wan],
            _ => [bench.wan, bench.lan],
        };
        assert_eq!(bench.session().ifindex, ifindexes);
        for (_, sighting) in bench.entries::<PairingKey, Sighting>(map::SIGHTINGS) {
            assert!((1..=0xffff).contains(&sighting.tag), "tag {}", sighting.tag);
        }
    }
}

/// A translator between the families (NAT64) lies between the hooks: the same numbers
/// come out under addresses that no announcement can name.
#[test]
fn views_of_two_families_teach_nothing() {
    let mut bench = Bench::new();
    for (inside, outside) in [(Family::V6, Family::V4), (Family::V4, Family::V6)] {
        bench.clear();
        let before = Connection::routed(inside);
        let after = Connection::masqueraded(outside, GATEWAY);
        // IPv6 has no identification; that of IPv4 is 0 then.
        let (syn, syn_ack) = (before.syn().id(0), after.syn_ack().id(0));
        play(
            &mut bench,
            [
                row("SYN", before.client_hooks().0, syn),
                row(
                    "SYN at egress",
                    after.client_hooks().1,
                    after.to_server(&after.syn().id(0)),
                )
                .counts(&[C::PairingMismatches]),
                row("SYN-ACK", after.server_hooks().0, syn_ack),
                row(
                    "SYN-ACK at egress",
                    before.server_hooks().1,
                    before.to_client(&before.syn_ack().id(0)),
                ),
                row("ACK", before.client_hooks().0, before.client_packet().id(0)),
                // In mid-stream neither.
                row(
                    "ACK at egress",
                    after.client_hooks().1,
                    after.to_server(&after.client_packet().id(0)),
                ),
                row("text", after.server_hooks().0, after.server_packet().id(0)),
                row(
                    "text at egress",
                    before.server_hooks().1,
                    before.to_client(&before.server_packet().id(0)),
                ),
            ],
        );
        assert!(bench.sessions().is_empty(), "{inside:?}");
        assert!(
            bench
                .entries::<Tuple, Candidate>(map::CANDIDATES)
                .is_empty()
        );
    }
}

#[test]
fn views_that_are_not_inverses_teach_nothing() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    let (syn, syn_ack) = (c.syn(), c.syn_ack());
    let elsewhere = syn_ack
        .clone()
        .from(c.server_seen)
        .to((NEIGHBOUR.v4.into(), c.client.1));
    play(
        &mut bench,
        [
            row("SYN", c.client_hooks().0, syn.clone()),
            row("SYN out", c.client_hooks().1, c.to_server(&syn)),
            row("SYN-ACK", c.server_hooks().0, syn_ack),
            row("SYN-ACK to another host", c.server_hooks().1, elsewhere)
                .counts(&[C::PairingMismatches]),
        ],
    );
    assert!(bench.sessions().is_empty());
}

#[test]
fn two_live_tuples_with_one_key_teach_neither() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    let mut other = Connection::masqueraded(Family::V4, GATEWAY);
    other.client = (NEIGHBOUR.v4.into(), 40_000);
    other.client_seen.1 = 50_124;
    play(
        &mut bench,
        [
            row("one SYN", c.client_hooks().0, c.syn()),
            row("another with its number", c.client_hooks().0, other.syn())
                .counts(&[C::PairingCollisions]),
            row("one out", c.client_hooks().1, c.to_server(&c.syn())),
            row(
                "another out",
                c.client_hooks().1,
                other.to_server(&other.syn()),
            ),
        ],
    );
    assert!(
        bench
            .entries::<Tuple, Candidate>(map::CANDIDATES)
            .is_empty()
    );
}

#[test]
fn without_the_tag_all_that_nat_leaves_alone_must_agree() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    let after = c.to_server(&c.syn());
    for (name, packet) in [
        ("another IP ID", after.clone().id(9)),
        ("another window", after.clone().window(9)),
        ("data", after.clone().payload("x")),
        ("another sequence number", after.clone().seq(9)),
    ] {
        bench.clear();
        bench.run(c.client_hooks().0, &c.syn());
        bench.run(c.client_hooks().1, &packet);
        let candidates = bench.entries::<Tuple, Candidate>(map::CANDIDATES);
        assert!(candidates.is_empty(), "{name}");
    }
    bench.run(c.client_hooks().0, &c.syn());
    bench.run(c.client_hooks().1, &after);
    let candidates = bench.entries::<Tuple, Candidate>(map::CANDIDATES);
    assert_eq!(candidates.len(), 1);
}

#[test]
fn the_mss_is_lowered_wherever_its_option_stands() {
    let mut bench = Bench::new();
    for (old, new) in [
        (1460, 1396),
        (8960, 8896),
        (536, 472),
        (140, 88),
        (88, 88),
        (48, 48),
    ] {
        for lead in [
            &[][..],
            &[1],
            &[1, 1, 1],
            &[4, 2],
            &[3, 3, 7],
            &[3, 3, 7, 4, 2, 1],
        ] {
            for family in [Family::V4, Family::V6] {
                bench.clear();
                let c = Connection::masqueraded(family, GATEWAY);
                let syn = |mss| c.syn().options(lead).mss(mss);
                let syn_ack = |mss| c.syn_ack().options(lead).mss(mss);
                let name = format!("{old} behind {lead:?}");
                play(
                    &mut bench,
                    [
                        row(&name, c.client_hooks().0, syn(old)).becomes(syn(new)),
                        row(&name, c.client_hooks().1, c.to_server(&syn(new))),
                        row(&name, c.server_hooks().0, syn_ack(old)).becomes(syn_ack(new)),
                    ],
                );
            }
        }
    }
}

#[test]
fn malformed_options_are_left_alone() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    for options in [
        &[2, 0, 5, 180][..],
        &[2, 3, 5, 180],
        &[0, 2, 4, 5, 180],
        &[8, 200, 2, 4, 5, 180],
        &[2],
        &[9, 1, 2, 4, 5, 180],
    ] {
        let syn = c.syn().options(options);
        play(
            &mut bench,
            [row(format!("{options:?}"), c.client_hooks().0, syn)],
        );
    }
}

#[test]
fn a_port_that_is_not_watched_is_not_looked_at() {
    let mut bench = Bench::new();
    let syn = Connection::masqueraded(Family::V4, GATEWAY)
        .syn()
        .to((CLIENT.v4.into(), 80))
        .mss(1460);
    play(
        &mut bench,
        [row("port 80", crate::bench::At::FromInside, syn)],
    );
    let sightings = bench.entries::<PairingKey, Sighting>(map::SIGHTINGS);
    assert!(sightings.is_empty());
}

/// TCP Fast Open (RFC 7413): what the SYN and the SYN-ACK have passes as it is,
/// and the next line is read.
#[test]
fn data_in_the_handshake_passes_and_the_next_line_is_read() {
    const LINE: &str = "PORT 10,10,0,1,30,4\r\n";
    let mut bench = Bench::new();
    // What the SYN has, how much of it the server takes, what its SYN-ACK has,
    // what comes before the announcement.
    for (first, taken, greeting, then) in [
        ("USER lab\r\n", 10, "", ""),
        ("USER lab\r\n", 10, "220 Ready\r\n", ""),
        ("USER lab\r\nNO", 12, "220 Re", "OP\r\n"),
        ("USER early\r\n", 12, "", ""),
        ("USER lab\r\n", 4, "", " lab\r\n"),
        ("USER lab\r\n", 0, "", "USER lab\r\n"),
    ] {
        bench.clear();
        let mut c = Connection::masqueraded(Family::V4, GATEWAY);
        let syn = c.syn().payload(first);
        let next = c.client_isn.wrapping_add(1 + taken);
        let syn_ack = c.syn_ack().ack(next).payload(greeting);
        play(
            &mut bench,
            [
                row(first, c.client_hooks().0, syn.clone()),
                row(first, c.client_hooks().1, c.to_server(&syn)),
                row(first, c.server_hooks().0, syn_ack.clone()),
                row(first, c.server_hooks().1, c.to_client(&syn_ack)),
            ],
        );
        c.client_next = next;
        c.server_next = c.server_next.wrapping_add(greeting.len() as u32);
        let ack = c.client_packet();
        if first == "USER early\r\n" {
            // A server that has the request needn't wait for the ACK.
            c.server_says(&mut bench, "220 Ready\r\n");
        }
        crate::connection::passed(&mut bench, c.client_hooks().0, &ack);
        assert_eq!(bench.sessions().len(), 1, "{first}");
        c.server_says(&mut bench, "220 Ready\r\n");
        c.server_says(&mut bench, "220 Ready\r\n");
        if !then.is_empty() {
            c.client_says(&mut bench, then);
        }
        c.server_says(&mut bench, "230 Ok\r\n");
        bench.only_port(7684);
        let said = c.client_says(&mut bench, LINE);
        assert_eq!(said.payload(), b"PORT 61,144,1,2,30,4\r\n", "{first}");
        let said = c.client_says(&mut bench, "NOOP\r\n");
        assert_eq!(said.seq(), c.client_next.wrapping_sub(5), "{first}");
    }
}
