//! How much of the tables one host may have.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use ftp_nat_common::{
    addr::Addr,
    counter::Counter as C,
    layout::map,
    session::{SESSION_RST, Session},
    source::{Source, SourceKey},
    tcp::flag,
    translation::{FLOW_RST, Flow},
};

use crate::{
    bench::{At, Bench, DROP, PASS, REDIRECT},
    connection::Connection,
    hosts::{CLIENT, Family, GATEWAY, NEIGHBOUR, SERVER},
    packet::Packet,
};

const LINE: &str = "PORT 10,10,0,1,30,4\r\n";

/// The `n`th connection of CLIENT.
fn nth(n: u16) -> Connection {
    let mut c = Connection::masqueraded(Family::V4, GATEWAY).numbered(u32::from(n) << 16, 7);
    c.client.1 += n;
    c.client_seen.1 += n;
    c
}

/// Tries until it works. Counting anew takes milliseconds in the kernel, and is
/// done once a second at most.
fn until(mut works: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !works() {
        assert!(Instant::now() < deadline, "it never works");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn client() -> IpAddr {
    CLIENT.v4.into()
}

fn set(bench: &mut Bench, sessions: i32, expectations: i32) {
    let key = SourceKey {
        addr: Addr::from(client()),
        domain: 0,
    };
    let source = Source {
        sessions,
        expectations,
        encrypted: 0,
    };
    bench.insert(map::SOURCES, key, source);
}

#[test]
fn a_host_that_has_all_it_may_have_gets_no_more_sessions() {
    let mut bench = Bench::new();
    bench.settings(|s| s.max_sessions_per_source = 2);
    for n in 1..=2 {
        nth(n).establish(&mut bench);
    }
    let mut third = nth(3);
    third.establish(&mut bench);
    assert_eq!(bench.sessions().len(), 2);
    assert_eq!(bench.halves().len(), 4);
    assert_eq!(bench.count(C::SessionsSourceCap), 1);
    // Its traffic goes on as if nobody were there, and it stays like that.
    let said = third.client_says(&mut bench, LINE);
    assert_eq!(said.payload(), LINE.as_bytes());
    for _ in 0..3 {
        let ours = third.client_packet().payload("NOOP\r\n");
        bench.run(third.client_hooks().0, &ours);
        bench.run(third.client_hooks().1, &third.to_server(&ours));
        let theirs = third.server_packet().payload("200 Fine\r\n");
        bench.run(third.server_hooks().0, &theirs);
        bench.run(third.server_hooks().1, &third.to_client(&theirs));
    }
    assert_eq!(bench.sessions().len(), 2);
    assert_eq!(bench.count(C::SessionsSourceCap), 1, "counted once");
    // Another host has its own.
    let mut other = nth(4);
    other.client.0 = NEIGHBOUR.v4.into();
    other.establish(&mut bench);
    assert_eq!(bench.sessions().len(), 3);
    assert_eq!(bench.source(client(), 0), (2, 0));
}

#[test]
fn sessions_that_are_over_are_not_counted() {
    let mut bench = Bench::new();
    bench.settings(|s| s.max_sessions_per_source = 2);
    for n in 1..=2 {
        nth(n).establish(&mut bench);
    }
    // Nobody has swept them up: userspace is dead.
    for session in bench.sessions() {
        let old = Session {
            last_ns: 1,
            flags: session.flags | SESSION_RST,
            ..session
        };
        bench.insert(map::SESSIONS, session.id, old);
    }
    let mut n = 2;
    until(|| {
        n += 1;
        nth(n).establish(&mut bench);
        bench.sessions().len() == 1
    });
    assert_eq!(bench.session().real_port[0].get(), nth(n).client.1);
    assert_eq!(bench.halves().len(), 2);
    assert_eq!(bench.source(client(), 0), (1, 0));
}

#[test]
fn a_number_that_is_wrong_is_put_right_before_anything_is_refused() {
    let mut bench = Bench::new();
    bench.settings(|s| {
        s.max_sessions_per_source = 5;
        s.max_expectations_per_source = 5;
    });
    set(&mut bench, 5, 0);
    let mut n = 0;
    until(|| {
        n += 1;
        nth(n).establish(&mut bench);
        bench.sessions().len() == 1
    });
    assert_eq!(bench.source(client(), 0), (1, 0));
    set(&mut bench, 1, 5);
    let mut c = nth(n);
    c.server_next += "220 Ready\r\n".len() as u32;
    until(|| {
        c.client_says(&mut bench, LINE);
        bench.expectations().len() == 1
    });
    assert_eq!(bench.source(client(), 0), (1, 1));
}

#[test]
fn a_host_that_has_all_it_may_have_gets_no_more_expectations() {
    let mut bench = Bench::new();
    bench.settings(|s| s.max_expectations_per_source = 2);
    let mut all = [1, 2, 3].map(nth);
    for (n, c) in all.iter_mut().enumerate() {
        c.establish(&mut bench);
        let line = format!("PORT 10,10,0,1,30,{n}\r\n");
        let said = c.client_says(&mut bench, &line);
        assert_eq!(said.payload() == line.as_bytes(), n == 2, "the third");
    }
    assert_eq!(bench.expectations().len(), 2);
    assert_eq!(bench.count(C::RefusedSourceCap), 1);
    assert_eq!(bench.source(client(), 0), (3, 2));
    // A session may announce anew, in place of what it announced before.
    all[0].client_says(&mut bench, LINE);
    assert_eq!(bench.source(client(), 0), (3, 2));
    assert_eq!(bench.count(C::RefusedSourceCap), 1);
    // Withdrawn, and used: there is room again.
    all[0].client_says(&mut bench, "QUIT\r\n");
    assert_eq!(bench.source(client(), 0), (3, 1));
    let (key, _) = bench.expectations()[0];
    let syn =
        Packet::tcp((SERVER.v4.into(), 20), (key.addr.to_ip(), key.port.get())).flags(flag::SYN);
    assert_eq!(bench.run(At::FromOutside, &syn).verdict, REDIRECT);
    assert_eq!(bench.source(client(), 0), (3, 0));
    let said = all[2].client_says(&mut bench, LINE);
    assert_ne!(said.payload(), LINE.as_bytes());
    assert_eq!(bench.source(client(), 0), (3, 1));
}

#[test]
fn expectations_that_are_over_are_not_counted() {
    let mut bench = Bench::new();
    bench.settings(|s| s.max_expectations_per_source = 1);
    let (mut first, mut second) = (nth(1), nth(2));
    first.establish(&mut bench);
    second.establish(&mut bench);
    first.client_says(&mut bench, LINE);
    let (key, mut old) = bench.expectations()[0];
    old.made_ns = 1;
    bench.insert(map::EXPECTATIONS, key, old);
    until(|| {
        second.client_says(&mut bench, LINE);
        bench.expectations()[0].1.session != old.session
    });
    assert_eq!(bench.expectations().len(), 1);
    assert_eq!(bench.source(client(), 0), (2, 1));
}

#[test]
fn an_expectation_that_is_used_too_late_is_not_counted() {
    let mut bench = Bench::new();
    let mut c = nth(1);
    c.establish(&mut bench);
    c.client_says(&mut bench, LINE);
    let (key, mut old) = bench.expectations()[0];
    old.made_ns = 1;
    bench.insert(map::EXPECTATIONS, key, old);
    let late = Packet::tcp((SERVER.v4.into(), 20), (key.addr.to_ip(), key.port.get()));
    let out = bench.run(At::FromOutside, &late.flags(flag::SYN));
    assert_eq!(out.verdict, PASS);
    assert_eq!(bench.source(client(), 0), (1, 0));
}

#[test]
fn the_server_that_announces_is_the_source() {
    let mut bench = Bench::new();
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "PASV\r\n");
    c.server_says(&mut bench, "227 Passive (10,10,0,5,30,4)\r\n");
    assert_eq!(bench.source(c.server.0, 0), (0, 1));
    assert_eq!(bench.source(c.client.0, 0), (1, 0));
}

/// Ports declared for encrypted sessions: a client opens as many connections as
/// it likes, without an announcement for each.
#[test]
fn a_client_has_so_many_connections_to_declared_ports() {
    let mut bench = Bench::new();
    bench.settings(|s| {
        s.max_expectations_per_source = 2;
        (s.encrypted_first, s.encrypted_last) = (50_000, 50_009);
    });
    let mut c = Connection::published(Family::V4, GATEWAY);
    c.establish(&mut bench);
    c.client_says(&mut bench, "AUTH TLS\r\n");
    c.server_says(&mut bench, "234 Go on\r\n");
    c.client_says(&mut bench, b"\x16\x03\x01\x00\x01x");
    let dial = |bench: &mut Bench, port| {
        let to = (c.server_seen.0, 50_001);
        let syn = Packet::tcp((c.client.0, port), to).flags(flag::SYN);
        bench.run(At::FromOutside, &syn).verdict
    };
    let counted = |bench: &Bench| {
        let key = SourceKey {
            addr: c.client.0.into(),
            domain: 0,
        };
        let found: Source = bench.get(map::SOURCES, key).unwrap_or_default();
        found.encrypted
    };
    let first = [dial(&mut bench, 5001), dial(&mut bench, 5002)];
    assert_eq!(first, [REDIRECT; 2]);
    // A SYN that is sent again is of a connection that there is.
    assert_eq!(dial(&mut bench, 5002), REDIRECT);
    assert_eq!((bench.flows().len(), counted(&bench)), (4, 2));
    for port in 6001..6010 {
        assert_eq!(dial(&mut bench, port), DROP);
    }
    assert_eq!(bench.count(C::FlowsSourceCap), 9);
    assert_eq!((bench.flows().len(), counted(&bench)), (4, 2));
    // Once they are over there is room for others, though nobody swept them up.
    for (key, flow) in bench.flows() {
        let over = Flow {
            flags: flow.flags | FLOW_RST,
            last_ns: 1,
            ..flow
        };
        bench.insert(map::FLOWS, key, over);
    }
    until(|| dial(&mut bench, 7001) == REDIRECT);
    assert_eq!((bench.flows().len(), counted(&bench)), (2, 1));
    // A number that is wrong is put right.
    let key = SourceKey {
        addr: c.client.0.into(),
        domain: 0,
    };
    let wrong = Source {
        encrypted: 2,
        ..Source::default()
    };
    bench.insert(map::SOURCES, key, wrong);
    until(|| dial(&mut bench, 7002) == REDIRECT);
    assert_eq!((bench.flows().len(), counted(&bench)), (4, 2));
}
