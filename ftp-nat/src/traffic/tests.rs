use ftp_nat_common::session::{CLIENT, SERVER};

use super::*;

fn at(n: u16) -> Tuple {
    Tuple {
        src: Addr::from_v4([192, 0, 2, 1]),
        dst: Addr::from_v4([192, 0, 2, 2]),
        sport: Port::new(n),
        dport: Port::new(20),
        domain: 0,
    }
}

/// Both flows of a connection: to the announcer, and from it.
fn flows(n: u16, role: usize, kind: Kind, to: u64, from: u64) -> [(Tuple, Flow); 2] {
    let key = at(n);
    let went = Tuple {
        src: Addr::from_v4([10, 0, 0, 1]),
        dst: Addr::from_v4([10, 0, 0, 2]),
        ..key
    };
    let flow = |to, flags, bytes| Flow {
        to,
        flags,
        bytes,
        packets: bytes / 100,
        made_ns: 7,
        session: 1,
        role: role as u8,
        kind: kind as u8,
        ..Flow::default()
    };
    [
        (key, flow(went, FLOW_FORWARD, to)),
        (went.reversed(), flow(key.reversed(), 0, from)),
    ]
}

fn look(traffic: &mut Traffic, flows: &[(Tuple, Flow)]) {
    flows.iter().for_each(|(key, flow)| traffic.look(key, flow));
    traffic.end_of_walk();
}

fn ended([(key, flow), (_, back)]: &[(Tuple, Flow); 2]) -> Event {
    let mut event = Event::new(What::DataEnded, 1, flow.made_ns + 10);
    event.of_flow(key, flow, (back.packets, back.bytes));
    event
}

fn opened(flows: &[(Tuple, Flow); 2]) -> Event {
    Event {
        what: What::DataOpened as u8,
        at_ns: flows[0].1.made_ns + 1,
        ..ended(flows)
    }
}

/// The same ports once more, some time after the end of those before.
fn again([(_, before), _]: &[(Tuple, Flow); 2], to: u64, from: u64) -> [(Tuple, Flow); 2] {
    let made_ns = before.made_ns + 100;
    let next = flows(1, CLIENT, Kind::Default, to, from);
    next.map(|(key, flow)| (key, Flow { made_ns, ..flow }))
}

fn bytes(traffic: &Traffic) -> [u64; 4] {
    traffic.totals().map(|amount| amount.bytes)
}

#[test]
fn a_running_transfer_is_counted_as_it_goes() {
    let mut traffic = Traffic::default();
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 1000, 200));
    assert_eq!(bytes(&traffic), [1000, 0, 200, 0]);
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 5000, 300));
    assert_eq!(bytes(&traffic), [5000, 0, 300, 0]);
    assert_eq!(traffic.totals()[0].packets, 50);
}

#[test]
fn direction_and_mode_are_the_client_s() {
    for (role, kind, expected) in [
        (CLIENT, Kind::Eprt, [1000, 0, 200, 0]),
        (CLIENT, Kind::Default, [1000, 0, 200, 0]),
        (SERVER, Kind::Pasv, [0, 200, 0, 1000]),
        (SERVER, Kind::Encrypted, [0, 200, 0, 1000]),
    ] {
        let mut traffic = Traffic::default();
        look(&mut traffic, &flows(1, role, kind, 1000, 200));
        assert_eq!(bytes(&traffic), expected, "{kind:?}");
    }
    for (n, class) in Class::ALL.into_iter().enumerate() {
        assert_eq!(class.place(), n);
    }
}

#[test]
fn the_end_adds_what_is_missing_and_nothing_twice() {
    let mut traffic = Traffic::default();
    look(&mut traffic, &flows(1, SERVER, Kind::Epsv, 1000, 200));
    let last = flows(1, SERVER, Kind::Epsv, 1500, 900);
    traffic.take(&ended(&last));
    assert_eq!(bytes(&traffic), [0, 900, 0, 1500]);
    assert_eq!(traffic.totals()[3].packets, 15);
    // The flows stay a while, and get a last acknowledgement.
    look(&mut traffic, &last);
    look(&mut traffic, &flows(1, SERVER, Kind::Epsv, 1540, 900));
    assert_eq!(bytes(&traffic), [0, 900, 0, 1540]);
    // Of one that no walk ever saw.
    traffic.take(&ended(&flows(2, SERVER, Kind::Epsv, 10, 1)));
    assert_eq!(bytes(&traffic), [0, 901, 0, 1550]);
}

#[test]
fn a_page_that_is_older_than_the_end_takes_nothing_back() {
    let mut traffic = Traffic::default();
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 1000, 200));
    traffic.take(&ended(&flows(1, CLIENT, Kind::Port, 3000, 400)));
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 2000, 300));
    assert_eq!(bytes(&traffic), [3000, 0, 400, 0]);
}

#[test]
fn an_end_that_is_older_than_a_page_takes_nothing_back() {
    let mut traffic = Traffic::default();
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 3000, 400));
    traffic.take(&ended(&flows(1, CLIENT, Kind::Port, 2900, 300)));
    assert_eq!(bytes(&traffic), [3000, 0, 400, 0]);
    let packets = traffic.totals().map(|amount| amount.packets);
    assert_eq!(packets, [30, 0, 4, 0]);
}

#[test]
fn more_packets_than_an_event_can_say() {
    let most = u64::from(u32::MAX);
    let mut before = flows(1, CLIENT, Kind::Port, 0, 0);
    before[0].1.packets = most;
    let mut traffic = Traffic::default();
    look(&mut traffic, &before);
    let mut after = before;
    after[0].1.packets = most + 5;
    traffic.take(&ended(&after));
    assert_eq!(traffic.totals()[0].packets, most + 5);
}

#[test]
fn another_connection_of_the_same_ports_is_counted_from_its_beginning() {
    let mut traffic = Traffic::default();
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 1000, 200));
    let mut next = flows(1, CLIENT, Kind::Port, 3000, 300);
    next.iter_mut().for_each(|(_, flow)| flow.made_ns = 8);
    look(&mut traffic, &next);
    assert_eq!(bytes(&traffic), [4000, 0, 500, 0]);
}

#[test]
fn a_walk_after_the_end_takes_no_short_transfer_again() {
    let mut traffic = Traffic::default();
    let short = flows(1, SERVER, Kind::Epsv, 1000, 200);
    traffic.take(&opened(&short));
    traffic.take(&ended(&short));
    look(&mut traffic, &short);
    look(&mut traffic, &short);
    assert_eq!(bytes(&traffic), [0, 200, 0, 1000]);
}

#[test]
fn each_of_several_connections_of_the_same_ports_is_counted_once() {
    let first = flows(1, CLIENT, Kind::Default, 1000, 200);
    let second = again(&first, 300, 90);
    let third = again(&second, 5000, 500);
    // Which of them walks meet, and whether before the event of their beginning.
    for met in 0..64 {
        let mut traffic = Traffic::default();
        for (n, one) in [first, second, third].iter().enumerate() {
            let [early, late] = [met >> (2 * n) & 1 != 0, met >> (2 * n + 1) & 1 != 0];
            if early {
                look(
                    &mut traffic,
                    &one.map(|(key, flow)| (key, Flow { bytes: 60, ..flow })),
                );
            }
            traffic.take(&opened(one));
            traffic.take(&ended(one));
            if late {
                look(&mut traffic, one);
            }
        }
        assert_eq!(bytes(&traffic), [6300, 0, 790, 0], "{met:06b}");
    }
}

#[test]
fn what_was_there_before_is_counted_from_the_first_look_on() {
    let shared = Shared::since(100);
    let mut traffic = shared.lock();
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 1000, 200));
    assert_eq!(bytes(&traffic), [0; 4]);
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 1500, 200));
    assert_eq!(bytes(&traffic), [500, 0, 0, 0]);
    // Nobody read of its end before.
    traffic.take(&ended(&flows(2, CLIENT, Kind::Port, 1000, 200)));
    assert_eq!(bytes(&traffic), [500, 0, 0, 0]);
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut traffic = Traffic::default();
    look(&mut traffic, &flows(1, CLIENT, Kind::Port, 1000, 200));
    for _ in 0..3 {
        look(&mut traffic, &[]);
    }
    assert!(traffic.taken.is_empty());
    assert_eq!(bytes(&traffic), [1000, 0, 200, 0]);
}
