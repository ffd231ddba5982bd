use ftp_nat_common::{
    addr::{Addr, Port, Tuple},
    line::Requests,
    session::{
        EditsKey, HalfRef, SERVER, SESSION_FIN, SESSION_FIN_SERVER, SESSION_TRUSTED, Session,
    },
    stream::Edits,
    translation::{FLOW_ESTABLISHED, Flow, SECOND},
};

use super::{remove::remove_expectation, *};

pub(crate) const NOW: u64 = 1_000_000 * SECOND;

pub(crate) fn sweep(maps: &Maps) -> Swept {
    let (mut sweep, mut traffic) = (Sweep::default(), Traffic::default());
    for _ in 0..1000 {
        // Pages of 2, so that walks go over many steps.
        if let Some(swept) = sweep.step(maps, &mut traffic, NOW, 2).unwrap() {
            return swept;
        }
    }
    panic!("no end: {sweep:?}");
}

/// Session `id`, with halves and edits as the kernel side makes them.
pub(crate) fn add_session(maps: &Maps, id: u64, idle_seconds: u64, flags: u32) -> Session {
    let session = Session {
        id,
        flags: SESSION_TRUSTED | flags,
        last_ns: NOW - idle_seconds * SECOND,
        real: [Addr::from_v4([10, 0, 0, 1]), Addr::from_v4([192, 0, 2, 1])],
        seen: [Addr::from_v4([192, 0, 2, 9]), Addr::from_v4([192, 0, 2, 1])],
        real_port: [Port::new(1000 + id as u16), Port::new(21)],
        seen_port: [Port::new(2000 + id as u16), Port::new(21)],
        ..Session::default()
    };
    maps.sessions.set(&id, &session).unwrap();
    for role in [CLIENT, SERVER] {
        let half = HalfRef::new(id, role);
        maps.halves.set(&session.half_key(role), &half).unwrap();
        let key = EditsKey {
            session: id,
            role: role as u32,
            _pad: 0,
        };
        maps.edits.set(&key, &Edits::default()).unwrap();
    }
    session
}

#[test]
fn a_session_goes_with_its_halves_and_edits() {
    let maps = Maps::in_memory(&[]);
    add_session(&maps, 1, 3600, 0);
    add_session(&maps, 2, 25 * 3600, 0);
    add_session(&maps, 3, 246, SESSION_FIN | SESSION_FIN_SERVER);
    assert_eq!(sweep(&maps).sessions, 2);
    assert!(
        maps.sessions.get(&1).unwrap().is_some(),
        "an hour's silence is no end"
    );
    let left = (maps.halves.count().unwrap(), maps.edits.count().unwrap());
    assert_eq!(left, (2, 2));
}

#[test]
fn a_session_takes_its_expectation_with_it_and_no_other() {
    let maps = Maps::in_memory(&[]);
    for (id, owner) in [(1, 1), (2, 9)] {
        let mut session = add_session(&maps, id, 25 * 3600, 0);
        session.seen[CLIENT] = Addr::from_v4([192, 0, 2, 9]);
        let port = Port::new(5000 + id as u16);
        session.pending.add(CLIENT, port, &Requests::default());
        maps.sessions.set(&id, &session).unwrap();
        let expectation = Expectation {
            session: owner,
            made_ns: NOW,
            ..Expectation::default()
        };
        let key = session.expectation(0);
        maps.expectations.set(&key, &expectation).unwrap();
    }
    assert_eq!(sweep(&maps).sessions, 2);
    let left = maps.expectations.all().unwrap();
    let owners: Vec<_> = left.iter().map(|(_, e)| e.session).collect();
    assert_eq!(owners, [9], "the port has passed to another session");
}

#[test]
fn the_halves_of_a_newer_session_on_the_same_addresses_stay() {
    let maps = Maps::in_memory(&[]);
    let old = add_session(&maps, 1, 25 * 3600, 0);
    let newer = HalfRef::new(9, CLIENT);
    maps.halves.set(&old.half_key(CLIENT), &newer).unwrap();
    assert_eq!(sweep(&maps).sessions, 1);
    assert_eq!(maps.halves.get(&old.half_key(CLIENT)).unwrap(), Some(newer));
    assert_eq!(maps.halves.get(&old.half_key(SERVER)).unwrap(), None);
}

#[test]
fn an_encrypted_session_is_not_found_by_its_ends_any_more() {
    let maps = Maps::in_memory(&[]);
    for (id, owner) in [(1, 1), (2, 9)] {
        let mut session = add_session(&maps, id, 25 * 3600, 0);
        session.encrypted_slot = id as u16;
        maps.sessions.set(&id, &session).unwrap();
        let key = session.encrypted_key(id as u32);
        maps.encrypted.set(&key, &owner).unwrap();
    }
    assert_eq!(sweep(&maps).sessions, 2);
    let left = maps.encrypted.all().unwrap();
    let owners: Vec<_> = left.iter().map(|(_, id)| *id).collect();
    assert_eq!(owners, [9], "the slot has passed to another session");
}

#[test]
fn an_expectation_goes_after_its_time() {
    let maps = Maps::in_memory(&[]);
    let key = |domain| ExpectationKey {
        domain,
        ..ExpectationKey::default()
    };
    for (n, age) in [(1, 59), (2, 61), (3, 3600)] {
        let made_ns = NOW - age * SECOND;
        maps.expectations
            .set(
                &key(n),
                &Expectation {
                    made_ns,
                    ..Default::default()
                },
            )
            .unwrap();
    }
    assert_eq!(sweep(&maps).expectations, 2);
    assert!(maps.expectations.get(&key(1)).unwrap().is_some());
}

#[test]
fn an_expectation_made_anew_meanwhile_stays() {
    let maps = Maps::in_memory(&[]);
    let key = ExpectationKey::default();
    let newer = Expectation {
        made_ns: NOW,
        ..Expectation::default()
    };
    maps.expectations.set(&key, &newer).unwrap();
    assert!(!remove_expectation(&maps, &key, &Expectation::default()).unwrap());
    assert_eq!(maps.expectations.get(&key).unwrap(), Some(newer));
}

#[test]
fn both_flows_go_together_and_only_when_both_are_over() {
    let maps = Maps::in_memory(&[]);
    let add = |n: u16, idle_seconds: [u64; 2]| {
        let out = Tuple {
            sport: Port::new(n),
            dport: Port::new(1),
            ..Tuple::default()
        };
        let to = Tuple {
            sport: Port::new(n),
            dport: Port::new(2),
            ..Tuple::default()
        };
        let flow = |to, idle: u64| Flow {
            to,
            last_ns: NOW - idle * SECOND,
            flags: FLOW_ESTABLISHED,
            ..Flow::default()
        };
        maps.flows.set(&out, &flow(to, idle_seconds[0])).unwrap();
        maps.flows
            .set(&to.reversed(), &flow(out.reversed(), idle_seconds[1]))
            .unwrap();
    };
    let hours = 3600;
    add(10, [3 * hours, 3 * hours]);
    // An upload: one direction may be silent for long.
    add(11, [3 * hours, 1]);
    add(12, [1, 3 * hours]);
    assert_eq!(sweep(&maps).connections, 1);
    assert_eq!(maps.flows.count().unwrap(), 4);
}

#[test]
fn a_flow_whose_other_half_is_missing_goes_too() {
    let maps = Maps::in_memory(&[]);
    let flow = Flow {
        last_ns: 1,
        ..Flow::default()
    };
    let key = Tuple {
        sport: Port::new(5),
        ..Tuple::default()
    };
    maps.flows.set(&key, &flow).unwrap();
    assert_eq!(sweep(&maps).connections, 1);
    assert_eq!(maps.flows.count().unwrap(), 0);
}
