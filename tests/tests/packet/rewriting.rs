//! Announcements and their new texts.
//!
//! ```text
//!   CLIENT -- PORT 10,10,0,1,30,4 --> ingress -- PORT 61,144,1,2,30,4 --> SERVER
//!   STRANGER <-- 227 (61,144,1,2,..) -- ingress <-- 227 (10,10,0,5,..) -- INNER_SERVER
//! ```

use ftp_nat_common::{counter::Counter as C, translation::Kind};

use crate::{
    bench::{At, Bench, expected_at},
    connection::Connection,
    hosts::{
        CLIENT, Family, GATEWAY, GATEWAY_LONGEST, GATEWAY_SAME, GATEWAY_SHORTER, Host,
        INNER_SERVER, NEIGHBOUR,
    },
    packet::Packet,
    table::{play, row},
};

const GATEWAYS: [Host; 4] = [GATEWAY, GATEWAY_SAME, GATEWAY_SHORTER, GATEWAY_LONGEST];
const PORT: u16 = 7684;

/// How an announcement of an address and of port 7684 is written.
fn text(kind: Kind, family: Family, host: Host) -> String {
    let commas = host.v4.to_string().replace('.', ",");
    let groups = host.v6.to_string();
    match (kind, family) {
        (Kind::Port, _) => format!("PORT {commas},30,4\r\n"),
        (Kind::Eprt, Family::V4) => format!("EPRT |1|{}|{PORT}|\r\n", host.v4),
        (Kind::Eprt, Family::V6) => format!("EPRT |2|{groups}|{PORT}|\r\n"),
        (Kind::Pasv, _) => format!("227 Entering Passive Mode ({commas},30,4).\r\n"),
        _ => format!("229 Entering Extended Passive Mode (|||{PORT}|)\r\n"),
    }
}

/// The same with the free text of a 227 made longer or shorter before the
/// parenthesis, so that it is `len` bytes long.
fn fitted(text: &str, len: usize) -> String {
    match text.split_once('(') {
        Some((free, rest)) if text.starts_with("227") => {
            let room = len - rest.len() - 1;
            format!("{free:<room$.room$}({rest}")
        }
        _ => text.to_owned(),
    }
}

/// An established session in which `kind` may be announced now.
fn ready(bench: &mut Bench, kind: Kind, family: Family, gateway: Host) -> Connection {
    bench.clear();
    bench.only_port(PORT);
    if kind.is_active_mode() {
        let mut c = Connection::masqueraded(family, gateway);
        c.establish(bench);
        return c;
    }
    let mut c = Connection::published(family, gateway);
    c.establish(bench);
    let request = if kind == Kind::Pasv {
        "PASV\r\n"
    } else {
        "EPSV\r\n"
    };
    c.client_says(bench, request);
    c
}

fn announcing(c: &Connection, kind: Kind, text: &str) -> (At, Packet) {
    if kind.is_active_mode() {
        (c.client_hooks().0, c.client_packet().payload(text))
    } else {
        (c.server_hooks().0, c.server_packet().payload(text))
    }
}

fn all_kinds() -> Vec<(Kind, Family)> {
    let both = [Kind::Eprt, Kind::Epsv].map(|k| [(k, Family::V4), (k, Family::V6)]);
    let mut all = both.concat();
    all.extend([(Kind::Port, Family::V4), (Kind::Pasv, Family::V4)]);
    all
}

#[test]
fn every_form_is_rewritten_whatever_its_length_becomes() {
    let mut bench = Bench::new();
    for (kind, family) in all_kinds() {
        for gateway in GATEWAYS {
            let c = ready(&mut bench, kind, family, gateway);
            let near = if kind.is_active_mode() {
                CLIENT
            } else {
                INNER_SERVER
            };
            let old = text(kind, family, near);
            let new = fitted(&text(kind, family, gateway), old.len());
            let (at, packet) = announcing(&c, kind, &old);
            let mut counts = vec![C::Rewrites, C::ExpectationsMade];
            if old.len() != new.len() {
                counts.push(C::RewritesShifted);
            }
            if old == new {
                counts = vec![C::ExpectationsMade, C::PinholesOnly];
            }
            play(
                &mut bench,
                [row(format!("{kind:?}"), at, packet)
                    .says(&new)
                    .counts(&counts)],
            );
            let [(key, e)] = bench.expectations()[..] else {
                panic!("one expectation")
            };
            assert_eq!(key, expected_at(gateway.ip(family), PORT));
            assert_eq!((e.near.to_ip(), e.near_port.get()), (near.ip(family), PORT));
            let far = if kind.is_active_mode() {
                c.server.0
            } else {
                c.client.0
            };
            assert_eq!((e.far_real.to_ip(), e.far_seen.to_ip()), (far, far));
            assert_eq!((e.near_ifindex, e.far_ifindex), (bench.lan, bench.wan));
            assert_eq!(Kind::from_byte(e.kind), kind);
        }
    }
}

#[test]
fn a_port_that_keeps_the_length_is_chosen_where_there_is_one() {
    let mut bench = Bench::new();
    for (kind, family) in all_kinds() {
        for gateway in [GATEWAY, GATEWAY_SAME] {
            let c = ready(&mut bench, kind, family, gateway);
            bench.settings(|_| ());
            let near = if kind.is_active_mode() {
                CLIENT
            } else {
                INNER_SERVER
            };
            // Six digits, so that one less is possible too.
            let old = text(kind, family, near)
                .replace("30,4", "130,104")
                .replace("7684", "33384");
            if family == Family::V6 && kind == Kind::Eprt {
                continue;
            }
            let (at, packet) = announcing(&c, kind, &old);
            let out = crate::connection::passed(&mut bench, at, &packet);
            assert_eq!(out.payload().len(), old.len(), "{kind:?}: length");
            let [(key, _)] = bench.expectations()[..] else {
                panic!("one expectation")
            };
            let port = key.port.get();
            let wanted = match kind {
                Kind::Port | Kind::Pasv => text(kind, family, gateway)
                    .replace("30,4", &format!("{},{}", port / 256, port % 256)),
                _ => text(kind, family, gateway).replace("7684", &port.to_string()),
            };
            let wanted = fitted(&wanted, old.len());
            assert_eq!(String::from_utf8_lossy(out.payload()), wanted);
        }
    }
}

#[test]
fn headers_of_any_shape_stay_as_they_are() {
    let mut bench = Bench::new();
    let dresses: [fn(Packet) -> Packet; 8] = [
        |p| p,
        |p| p.timestamps(77, 88),
        |p| p.ip_options(&[1, 1, 1, 1]).timestamps(1, 2),
        |p| p.ip_options(&[148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0]),
        |p| p.extension(0, &[5, 2, 0, 0, 1, 0]),
        |p| {
            p.extension(60, &[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                .extension(43, &[0; 6])
        },
        |p| p.ttl(1).id(0xffff).window(0),
        |p| p.flags(0xd8).sack(2, &[(1, 2)]),
    ];
    for (kind, family) in all_kinds() {
        for (n, dress) in dresses.iter().enumerate() {
            for gateway in GATEWAYS {
                let c = ready(&mut bench, kind, family, gateway);
                let near = if kind.is_active_mode() {
                    CLIENT
                } else {
                    INNER_SERVER
                };
                let old = text(kind, family, near);
                let new = fitted(&text(kind, family, gateway), old.len());
                // With an odd and an even number of bytes behind it.
                for more in ["", "x"] {
                    let c = if more.is_empty() {
                        c.clone()
                    } else {
                        ready(&mut bench, kind, family, gateway)
                    };
                    let (at, packet) = announcing(&c, kind, &(old.clone() + more));
                    let packet = dress(packet);
                    let out = crate::connection::passed(&mut bench, at, &packet);
                    let wanted = packet.clone().payload(new.clone() + more);
                    let wanted = crate::packet::Parsed::of(&wanted.bytes());
                    let dressed = format!("{kind:?} in dress {n}");
                    assert_eq!(
                        out.without_checksums(),
                        wanted.without_checksums(),
                        "{dressed}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_nat_there_is_only_a_pinhole() {
    let mut bench = Bench::new();
    for family in [Family::V4, Family::V6] {
        bench.clear();
        let mut c = Connection::routed(family);
        c.establish(&mut bench);
        let line = text(Kind::Eprt, family, CLIENT);
        let sent = c.client_packet().payload(&line);
        let counts = [C::ExpectationsMade, C::PinholesOnly];
        play(
            &mut bench,
            [row("EPRT", c.client_hooks().0, sent).counts(&counts)],
        );
        assert_eq!(
            bench.expectations()[0].0,
            expected_at(CLIENT.ip(family), PORT)
        );
    }
}

#[test]
fn several_announcements_in_one_segment_are_all_rewritten() {
    let mut bench = Bench::new();
    let c = ready(&mut bench, Kind::Port, Family::V4, GATEWAY);
    let both = |host: Host| {
        format!(
            "NOOP\r\n{}STAT\r\n{}NOOP\r\n",
            text(Kind::Port, Family::V4, host),
            text(Kind::Eprt, Family::V4, host)
        )
    };
    let sent = c.client_packet().payload(both(CLIENT));
    let again = row("two at once", c.client_hooks().0, sent.clone()).says(both(GATEWAY));
    bench.settings(|s| (s.port_first, s.port_last) = (PORT, PORT));
    let out = crate::connection::passed(&mut bench, c.client_hooks().0, &sent);
    assert_eq!(String::from_utf8_lossy(out.payload()), both(GATEWAY));
    for (counter, n) in [
        (C::Rewrites, 2),
        (C::RewritesShifted, 2),
        (C::ExpectationsMade, 2),
        (C::ExpectationsWithdrawn, 1),
    ] {
        assert_eq!(bench.count(counter), n, "{}", counter.name());
    }
    assert_eq!(bench.expectations().len(), 1, "the later one counts");
    // Sent again it reads the same, and asks for nothing.
    play(&mut bench, [again]);
}

#[test]
fn the_urgent_pointer_moves_with_its_byte() {
    let mut bench = Bench::new();
    let (old, new) = [CLIENT, GATEWAY_LONGEST]
        .map(|h| text(Kind::Port, Family::V4, h))
        .into();
    let grown = (new.len() - old.len()) as u16;
    // A byte that was replaced can't be marked any more.
    let cases = [
        (3, Some(3)),
        (12, None),
        (21, Some(21 + grown)),
        (30, Some(30 + grown)),
    ];
    for (pointer, moved) in cases {
        let c = ready(&mut bench, Kind::Port, Family::V4, GATEWAY_LONGEST);
        let packet = c.client_packet().payload(old.clone() + "NOOP\r\nNOOP\r\n");
        let sent = packet.clone().urgent(pointer);
        let mut out = packet.payload(new.clone() + "NOOP\r\nNOOP\r\n");
        if let Some(moved) = moved {
            out = out.urgent(moved);
        }
        let counts = [C::Rewrites, C::RewritesShifted, C::ExpectationsMade];
        let name = format!("urgent {pointer}");
        play(
            &mut bench,
            [row(name, c.client_hooks().0, sent)
                .becomes(out)
                .counts(&counts)],
        );
    }
}

/// Where one port is left, the second of two hosts that announce gets none, until
/// the first one's is withdrawn (RFC 5382 REQ-7).
#[test]
fn one_port_is_not_given_to_two() {
    let mut bench = Bench::new();
    let mut first = Connection::masqueraded(Family::V4, GATEWAY);
    let mut second = first.clone().numbered(1 << 16, 7);
    second.client.0 = NEIGHBOUR.v4.into();
    second.client_seen.1 += 1;
    for c in [&mut first, &mut second] {
        c.establish(&mut bench);
    }
    bench.only_port(PORT);
    first.client_says(&mut bench, "PORT 10,10,0,1,30,4\r\n");
    let line = format!("{}\r\n", text(Kind::Port, Family::V4, NEIGHBOUR).trim_end());
    let sent = second.client_packet().payload(line.clone());
    let at = second.client_hooks().0;
    play(
        &mut bench,
        [row("taken", at, sent).counts(&[C::RefusedNoPort])],
    );
    second.client_next = second.client_next.wrapping_add(line.len() as u32);
    let near = |bench: &Bench| bench.expectations()[0].1.near.to_ip();
    assert_eq!(near(&bench), CLIENT.ip(Family::V4));
    first.client_says(&mut bench, "QUIT\r\n");
    second.client_says(&mut bench, line);
    assert_eq!(near(&bench), NEIGHBOUR.ip(Family::V4));
}
