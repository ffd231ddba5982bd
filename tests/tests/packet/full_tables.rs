//! Full tables: what is new is refused and counted, what lives stays, and what
//! is over makes room even where no daemon sweeps.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use ftp_nat_common::{
    addr::{Port, Tuple},
    counter::Counter as C,
    layout::map,
    session::{HalfRef, SESSION_RST, Session},
    tcp::flag,
    translation::{
        Expectation, ExpectationKey, FLOW_ESTABLISHED, FLOW_FIN, FLOW_PEER_FIN, Flow, SECOND,
    },
};

use crate::{
    bench::{At, DROP, Loaded, PASS, REDIRECT},
    connection::Connection,
    hosts::{Family, GATEWAY, SERVER},
    packet::Packet,
};

static SMALL: Mutex<Option<Loaded>> = Mutex::new(None);

/// The object with room for two of everything.
fn small(work: impl FnOnce(&mut Loaded)) {
    let mut small = SMALL.lock().unwrap_or_else(PoisonError::into_inner);
    let bench = small.get_or_insert_with(|| {
        Loaded::with_room(&[
            (map::SESSIONS, 2),
            (map::HALVES, 4),
            (map::EDITS, 4),
            (map::EXPECTATIONS, 2),
            (map::FLOWS, 4),
        ])
    });
    bench.enter_namespace();
    bench.clear();
    work(bench);
}

/// Does something again and again until it is done: a CPU sweeps a table once in
/// a second at most.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A connection of its own ports and numbers.
fn connection(n: u16) -> Connection {
    let number = u32::from(n) * 0x100_0000;
    let mut c = Connection::masqueraded(Family::V4, GATEWAY);
    c.client.1 += n;
    c.client_seen.1 += n;
    c.numbered(0x1000_0000 + number, 0x2000_0000 + number)
}

#[test]
fn a_session_that_finds_no_room_is_not_followed_until_another_is_over() {
    small(|bench| {
        let mut followed = [connection(0), connection(1)];
        for c in &mut followed {
            c.establish(bench);
        }
        let mut third = connection(2);
        third.establish(bench);
        assert_eq!(bench.count(C::SessionsTableFull), 1);
        assert_eq!(bench.sessions().len(), 2);
        let line = "PORT 10,10,0,1,30,4\r\n";
        let sent = third.client_says(bench, line);
        assert_eq!(sent.payload(), line.as_bytes(), "it isn't helped");
        for c in &mut followed {
            let sent = c.client_says(bench, line);
            assert_ne!(sent.payload(), line.as_bytes(), "nobody was evicted");
        }
        // The first one is over, and nobody sweeps.
        let (id, session) = first_session(bench, followed[0].client.1);
        let over = Session {
            flags: session.flags | SESSION_RST,
            last_ns: 1,
            ..session
        };
        bench.insert(map::SESSIONS, id, over);
        until("the session that is over makes room", || {
            connection(3).establish(bench);
            bench
                .sessions()
                .iter()
                .any(|s| s.id != id && s.real_port[0] == Port::new(40_003))
        });
        let ids: Vec<_> = bench.sessions().iter().map(|s| s.id).collect();
        assert!(!ids.contains(&id) && ids.len() == 2, "{ids:?}");
        let halves = bench.entries::<Tuple, HalfRef>(map::HALVES);
        assert_eq!(halves.len(), 4);
        assert!(halves.iter().all(|(_, half)| ids.contains(&half.session())));
        assert!(bench.edits(id, 0).is_none(), "its edits go too");
    });
}

fn first_session(bench: &Loaded, port: u16) -> (u64, Session) {
    let all = bench.sessions();
    let found = all.iter().find(|s| s.real_port[0] == Port::new(port));
    let session = found.expect("the session");
    (session.id, *session)
}

#[test]
fn an_announcement_that_finds_no_room_passes_until_others_have_expired() {
    small(|bench| {
        let mut c = connection(0);
        c.establish(bench);
        let waiting = |n: u16, made_ns| {
            let key = ExpectationKey {
                port: Port::new(n),
                ..ExpectationKey::default()
            };
            let expectation = Expectation {
                made_ns,
                ..Expectation::default()
            };
            (key, expectation)
        };
        for n in [1, 2] {
            let (key, expectation) = waiting(n, u64::MAX / 2);
            bench.insert(map::EXPECTATIONS, key, expectation);
        }
        let line = "PORT 10,10,0,1,30,4\r\n";
        let sent = c.client_says(bench, line);
        assert_eq!(sent.payload(), line.as_bytes());
        assert_eq!(bench.count(C::RefusedTableFull), 1);
        assert_eq!(bench.session().last_refusal, C::RefusedTableFull as u16 + 1);
        assert_eq!(bench.expectations().len(), 2);
        // One of them has expired, and nobody sweeps.
        let (key, expectation) = waiting(1, 1);
        bench.insert(map::EXPECTATIONS, key, expectation);
        until("the expired one makes room", || {
            c.client_says(bench, line).payload() != line.as_bytes()
        });
        let kept = bench.get::<_, Expectation>(map::EXPECTATIONS, waiting(2, 0).0);
        assert!(kept.is_some(), "the other one still waits");
        assert!(
            bench
                .get::<_, Expectation>(map::EXPECTATIONS, key)
                .is_none()
        );
    });
}

#[test]
fn a_data_connection_that_finds_no_room_waits_until_another_is_over() {
    small(|bench| {
        bench.only_port(7684);
        let mut c = connection(0);
        c.establish(bench);
        c.client_says(bench, "PORT 10,10,0,1,30,4\r\n");
        assert_eq!(bench.expectations().len(), 1);
        let enter = |bench: &mut Loaded, n, last_ns| {
            let (key, to) = pair(n);
            let forth = Flow {
                to,
                last_ns,
                ..Flow::default()
            };
            let back = Flow {
                to: key.reversed(),
                ..forth
            };
            bench.insert(map::FLOWS, key, forth);
            bench.insert(map::FLOWS, to.reversed(), back);
        };
        for n in [1, 2] {
            enter(bench, n, u64::MAX / 2);
        }
        let syn = Packet::tcp((SERVER.ip(Family::V4), 20), (GATEWAY.ip(Family::V4), 7684))
            .flags(flag::SYN)
            .seq(77);
        let out = bench.run(At::FromOutside, &syn);
        assert_eq!(out.verdict, PASS, "as if nobody helped");
        assert_eq!(bench.count(C::FlowsTableFull), 1);
        assert_eq!(bench.expectations().len(), 1, "it waits for the next SYN");
        assert_eq!(bench.flows().len(), 4);
        enter(bench, 1, 1);
        until("the connection that is over makes room", || {
            bench.run(At::FromOutside, &syn).verdict == DROP
        });
        // TCP sends it again.
        assert_eq!(bench.run(At::FromOutside, &syn).verdict, REDIRECT);
        let kept = bench.get::<_, Flow>(map::FLOWS, pair(2).0);
        assert!(kept.is_some(), "the other one lives");
        assert!(bench.get::<_, Flow>(map::FLOWS, pair(1).0).is_none());
    });
}

/// What both ends have closed is kept for four minutes where there is room. Where
/// there is none, many small files must not lock out the next one for so long.
#[test]
fn a_full_table_gives_away_what_both_ends_have_closed() {
    small(|bench| {
        bench.only_port(7684);
        let mut c = connection(0);
        c.establish(bench);
        c.client_says(bench, "PORT 10,10,0,1,30,4\r\n");
        let now = bench.expectations()[0].1.made_ns;
        let closed = FLOW_ESTABLISHED | FLOW_FIN | FLOW_PEER_FIN;
        let ago = |seconds| now - seconds * SECOND;
        for (n, last_ns, flags) in [(1, ago(11), closed & !FLOW_PEER_FIN), (2, ago(11), closed)] {
            let (key, to) = pair(n);
            let flow = |to| Flow {
                to,
                last_ns,
                flags,
                ..Flow::default()
            };
            bench.insert(map::FLOWS, key, flow(to));
            bench.insert(map::FLOWS, to.reversed(), flow(key.reversed()));
        }
        let syn = Packet::tcp((SERVER.ip(Family::V4), 20), (GATEWAY.ip(Family::V4), 7684))
            .flags(flag::SYN)
            .seq(77);
        until("what was closed makes room", || {
            bench.run(At::FromOutside, &syn).verdict == REDIRECT
        });
        assert!(bench.get::<_, Flow>(map::FLOWS, pair(1).0).is_some());
        assert!(bench.get::<_, Flow>(map::FLOWS, pair(2).0).is_none());
    });
}

/// Some connection's key, and what becomes of its packets.
fn pair(n: u16) -> (Tuple, Tuple) {
    let key = Tuple {
        sport: Port::new(n),
        ..Tuple::default()
    };
    let to = Tuple {
        dport: Port::new(1),
        ..key
    };
    (key, to)
}
