//! What makes a session of a handshake, and what doesn't.
//!
//! ```text
//!   SYN --->   <--- SYN-ACK   ACK of exactly that --->  a session
//! ```

use std::net::Ipv4Addr;

use ftp_nat_common::{
    addr::Tuple,
    counter::Counter as C,
    layout::map,
    line::Line,
    pairing::{Candidate, PairingKey, SYN, Sighting},
    session::{CLIENT, SERVER},
};

use crate::{
    bench::{At, Bench, PASS},
    connection::Connection,
    hosts::{Family, GATEWAY},
    packet::Packet,
    table::{play, row},
};

const LINE: &str = "PORT 10,10,0,1,30,4\r\n";

#[test]
fn syns_alone_take_no_session() {
    let mut bench = Bench::new();
    let mut last = Connection::published(Family::V4, GATEWAY);
    for port in 1..200 {
        last = Connection::published(Family::V4, GATEWAY).numbered(u32::from(port) << 12, 9);
        last.client.1 = 30_000 + port;
        last.client_seen.1 = 30_000 + port;
        last.open(&mut bench);
    }
    assert!(bench.sessions().is_empty());
    assert!(bench.halves().is_empty());
    assert_eq!(bench.count(C::SessionsLearned), 0);
    // One of them was meant.
    bench.run(last.client_hooks().0, &last.client_packet());
    assert_eq!(bench.session().real_port[CLIENT].get(), last.client.1);
}

/// A server waits with its SYN-ACK until a flood of SYNs has made the client's
/// forgotten. What the client says then, an upload of a web page for example,
/// must not be read from the middle.
#[test]
fn a_handshake_that_a_flood_made_forgotten_is_not_picked_up() {
    let mut bench = Bench::new();
    for since_long in [true, false] {
        bench.clear();
        bench.settings(|s| s.pickup_until_ns = if since_long { 1 } else { u64::MAX });
        let c = Connection::masqueraded(Family::V4, GATEWAY);
        bench.run(c.client_hooks().0, &c.syn());
        bench.run(c.client_hooks().1, &c.to_server(&c.syn()));
        let known = |bench: &Bench| {
            let candidates = bench.entries::<Tuple, Candidate>(map::CANDIDATES);
            candidates
                .iter()
                .any(|(_, of)| of.client_isn == c.client_isn)
        };
        assert!(known(&bench));
        let mut number = 0;
        while known(&bench) {
            for _ in 0..20_000 {
                number += 1;
                let (high, low) = ((number >> 12) as u8, number as u16 & 0x0fff);
                let mut one =
                    Connection::published(Family::V4, GATEWAY).numbered(number << 4 | 7, 9);
                one.client = (Ipv4Addr::new(192, 0, 2, high).into(), 30_000 + low);
                one.client_seen = one.client;
                bench.run(one.client_hooks().0, &one.syn());
                bench.run(one.client_hooks().1, &one.to_server(&one.syn()));
            }
            assert!(number < 200_000, "nothing makes it forgotten");
        }
        bench.run(c.server_hooks().0, &c.syn_ack());
        bench.run(c.server_hooks().1, &c.to_client(&c.syn_ack()));
        let ack = c.client_packet();
        bench.run(c.client_hooks().0, &ack);
        bench.run(c.client_hooks().1, &c.to_server(&ack));
        assert!(bench.sessions().is_empty());
        // What egress could learn from, of a packet that has its tag.
        let sightings = bench.entries::<PairingKey, Sighting>(map::SIGHTINGS);
        let is_sighted = sightings
            .iter()
            .any(|(key, _)| (key.seq, key.ack) == (c.client_next, c.server_next));
        assert_eq!(is_sighted, !since_long);
    }
}

#[test]
fn only_the_ack_of_exactly_the_syn_ack_makes_a_session() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    c.open(&mut bench);
    let (ack, at) = (c.client_packet(), c.client_hooks().0);
    let (seq, of) = (c.client_next, c.server_next);
    for (name, packet) in [
        ("too low an ack", ack.clone().ack(of.wrapping_sub(1))),
        ("too high an ack", ack.clone().ack(of.wrapping_add(1))),
        ("too low a number", ack.clone().seq(seq.wrapping_sub(1))),
        ("too high a number", ack.clone().seq(seq.wrapping_add(1))),
        ("RST", ack.clone().flags(0x14)),
        ("no ACK", ack.clone().flags(0x08)),
        ("a line", ack.clone().seq(seq + 7).payload(LINE)),
    ] {
        play(&mut bench, [row(name, at, packet.clone())]);
        // Nor does it teach anything as a packet of an older connection.
        bench.run(c.client_hooks().1, &c.to_server(&packet));
        let server = c.server_packet().payload("220 Ready\r\n");
        bench.run(c.server_hooks().0, &server);
        bench.run(c.server_hooks().1, &c.to_client(&server));
        assert!(bench.sessions().is_empty(), "{name}");
    }
    play(
        &mut bench,
        [row("the ACK", at, ack).counts(&[C::SessionsLearned, C::SessionsTrusted])],
    );
}

#[test]
fn the_ack_may_carry_the_first_line() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.open(&mut bench);
    c.client_says(&mut bench, "USER x\r\n");
    assert_eq!(bench.session().half[CLIENT].in_nxt.0, c.client_next);
}

#[test]
fn a_syn_ack_of_something_else_answers_nothing() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    for ack in [c.client_isn, c.client_isn.wrapping_add(2), 0] {
        bench.clear();
        c.open(&mut bench);
        // Behind the true one, by somebody who didn't see the SYN.
        let forged = c.syn_ack().seq(99).ack(ack);
        bench.run(c.server_hooks().0, &forged);
        bench.run(c.server_hooks().1, &c.to_client(&forged));
        let guess = c.client_packet().seq(ack).ack(100);
        bench.run(c.client_hooks().0, &guess);
        assert!(bench.sessions().is_empty(), "ack {ack}");
        bench.run(c.client_hooks().0, &c.client_packet());
        assert_eq!(bench.sessions().len(), 1, "ack {ack}");
    }
}

#[test]
fn data_in_the_handshake_goes_by_unread() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    let (early, reply) = ("SITE X", "220 R");
    let syn = c.syn().payload(early);
    let taken = c.client_isn.wrapping_add(1 + early.len() as u32);
    let syn_ack = c.syn_ack().ack(taken).payload(reply);
    for (at, packet) in [
        (c.client_hooks().0, syn.clone()),
        (c.client_hooks().1, c.to_server(&syn)),
        (c.server_hooks().0, syn_ack.clone()),
        (c.server_hooks().1, c.to_client(&syn_ack)),
    ] {
        bench.run(at, &packet);
    }
    c.client_next = taken;
    c.server_next = c.server_isn.wrapping_add(1 + reply.len() as u32);
    bench.run(c.client_hooks().0, &c.client_packet());
    let session = bench.session();
    assert_eq!(session.half[CLIENT].in_nxt.0, c.client_next);
    assert_eq!(session.half[SERVER].in_nxt.0, c.server_next);
    assert_eq!(session.line, [Line::mid_stream(); 2]);
    // The rest of the line that began in the SYN is no line of its own.
    c.client_says(&mut bench, LINE);
    assert!(bench.expectations().is_empty());
}

#[test]
fn a_reused_tuple_with_new_numbers_is_a_new_session() {
    let mut bench = Bench::new();
    let mut old = Connection::masqueraded(Family::V4, GATEWAY);
    old.establish(&mut bench);
    bench.only_port(7684);
    old.client_says(&mut bench, LINE);
    let before = bench.session();
    assert_eq!(bench.expectations().len(), 1);

    // NAT gives it another port this time.
    let mut new = old.clone().numbered(0xffff_fff0, 5);
    new.client_seen.1 += 1;
    new.open(&mut bench);
    assert_eq!(bench.session().id, before.id, "nobody has confirmed it");
    assert_eq!(bench.expectations().len(), 1);
    new.establish(&mut bench);

    let after = bench.session();
    assert_ne!(before.id, after.id);
    assert_eq!(after.isn, [0xffff_fff0, 5]);
    assert_eq!(bench.halves().len(), 2, "nothing is left of the old one");
    assert!(bench.edits(before.id, 0).is_none(), "its edits");
    assert!(bench.expectations().is_empty(), "its pinhole");
    assert_eq!(bench.source(old.client.0, 0), (1, 0));
    // Nothing of the old shift is left.
    let said = new.client_says(&mut bench, "NOOP\r\n");
    assert_eq!(said.seq(), 0xffff_fff1);
}

#[test]
fn a_syn_of_somebody_else_does_not_end_a_session() {
    let mut bench = Bench::new();
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.establish(&mut bench);
    let before = bench.session().id;
    // From the client's address, by a neighbour that can't see what comes back.
    let forged = c.clone().numbered(77, 88);
    forged.open(&mut bench);
    let guess = forged.client_packet().ack(12_345);
    bench.run(forged.client_hooks().0, &guess);
    c.client_says(&mut bench, LINE);
    assert_eq!(bench.session().id, before);
    assert_eq!(bench.expectations().len(), 1, "it goes on as before");
}

#[test]
fn a_syn_ack_that_comes_again_changes_nothing() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    c.open(&mut bench);
    c.open(&mut bench);
    bench.run(c.client_hooks().0, &c.client_packet());
    let first = bench.session().id;
    c.open(&mut bench);
    bench.run(c.client_hooks().0, &c.client_packet());
    assert_eq!(bench.session().id, first);
    assert_eq!(bench.count(C::SessionsLearned), 1);
}

/// A server could keep the handshake from being learned, to have the middle of
/// something that isn't FTP parsed as if it were. What it leaves behind keeps
/// the connection from being picked up later.
#[test]
fn a_syn_ack_that_can_not_be_edited_answers_nothing() {
    let mut bench = Bench::new();
    let c = Connection::masqueraded(Family::V4, GATEWAY);
    bench.run(c.client_hooks().0, &c.syn());
    bench.run(c.client_hooks().1, &c.to_server(&c.syn()));
    // An option that no one who doesn't know it minds (RFC 2385).
    let signed = c.syn_ack().options(&[19, 18]).options(&[7; 16]);
    bench.run(c.server_hooks().0, &signed);
    bench.run(c.server_hooks().1, &c.to_client(&signed));
    bench.run(c.client_hooks().0, &c.client_packet());
    assert!(bench.sessions().is_empty());
    let left = bench.entries::<Tuple, Candidate>(map::CANDIDATES);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].1.state, SYN);
}

/// Signatures (RFC 2385, RFC 5925) are in every segment, and any edit would break
/// them: such a connection isn't picked up later on, whether its handshake was
/// seen or not.
#[test]
fn a_signed_connection_is_never_learned() {
    let mut bench = Bench::new();
    let unsigned: &[u8] = &[];
    let md5 = [&[19, 18][..], &[7; 16]].concat();
    let ao = [&[29, 16, 1, 1][..], &[7; 12]].concat();
    for signature in [unsigned, &md5, &ao] {
        let is_signed = !signature.is_empty();
        for seen in [true, false] {
            bench.clear();
            let c = Connection::routed(Family::V4);
            let pass = |bench: &mut Bench, hooks: (At, At), packet: Packet| {
                let packet = packet.options(signature);
                for hook in [hooks.0, hooks.1] {
                    let out = bench.run(hook, &packet);
                    assert_eq!(out.verdict, PASS);
                    if is_signed {
                        assert_eq!(out.bytes, packet.bytes(), "it was changed");
                    }
                }
            };
            if seen {
                pass(&mut bench, c.client_hooks(), c.syn());
                pass(&mut bench, c.server_hooks(), c.syn_ack());
            }
            for _ in 0..3 {
                let (ours, theirs) = (c.client_packet(), c.server_packet());
                pass(&mut bench, c.client_hooks(), ours.payload("NOOP\r\n"));
                pass(&mut bench, c.server_hooks(), theirs.payload("200 Ok\r\n"));
            }
            let name = format!("{signature:?}, handshake seen: {seen}");
            assert_eq!(bench.sessions().len(), usize::from(seen && !is_signed));
            // What egress could learn from, of a packet that has its tag.
            let sightings = bench.entries::<PairingKey, Sighting>(map::SIGHTINGS);
            assert_eq!(sightings.is_empty(), is_signed, "{name}");
            assert_eq!(bench.count(C::Signed) > 0, is_signed, "{name}");
            assert!(bench.count(C::Signed) <= 3, "not each packet: {name}");
        }
    }
}
