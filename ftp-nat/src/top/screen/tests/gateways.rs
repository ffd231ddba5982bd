//! Gateways that are looked at.

use ftp_nat_common::counter::Counter;

use crate::{
    events::SessionId,
    history::Record,
    top::{
        model::{
            Model,
            sample::{at, model, reading, session, tables, told, transfer},
        },
        reading::{Reading, Tables, Told},
    },
    view::{sessions::SessionView, translations::Translation},
};

const COUNTERS: &[(Counter, u64)] = &[
    (Counter::Rewrites, 1_204),
    (Counter::RefusedForeignAddress, 3),
    (Counter::RefusedPort, 12),
    (Counter::ExpectationsExpired, 2),
    (Counter::NotFtp, 41),
];

/// A gateway on which something of everything goes on, `second` seconds after it
/// was looked at first.
pub(super) fn busy(second: u64) -> Tables {
    let sessions = vec![
        SessionView {
            idle_ms: 300,
            ..session(1)
        },
        SessionView {
            refusals: 1,
            last_refusal: Some("refused_foreign_address"),
            data_connections: 0,
            ..session(2)
        },
        SessionView {
            announcement: Some("229"),
            mode: Some("passive"),
            server: at("172.16.31.250:21"),
            data_connections: 118,
            age_ms: 7_500_000,
            ..session(3)
        },
        SessionView {
            encrypted: true,
            announcement: None,
            mode: None,
            ..session(4)
        },
        SessionView {
            state: "closed",
            announcement: Some("227"),
            mode: Some("passive"),
            ..session(5)
        },
        SessionView {
            client: at("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:40006"),
            server: at("[2001:db8:ffff::21]:2121"),
            announcement: Some("EPRT"),
            ..session(6)
        },
    ];
    let slow = 300_000 + 40_000 * second * second;
    let transfers = vec![
        Translation {
            bytes_to_announcer: 5_000_000 + 12_500_000 * second,
            bytes_from_announcer: 90_000 * (second + 1),
            ..transfer(1)
        },
        Translation {
            announced_by: "server",
            announcement: "229",
            announced: at("172.16.31.250:61000"),
            became: at("172.16.31.250:61000"),
            peer: at("10.10.0.3:51003").into(),
            bytes_to_announcer: slow,
            path: Some("stack"),
            ..transfer(3)
        },
        Translation {
            state: "pending",
            path: None,
            announcement: "EPRT",
            announced: at("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:50006"),
            became: at("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:50006"),
            peer: at("[2001:db8:ffff::21]:0").ip().into(),
            ..transfer(6)
        },
    ];
    let mut counters = COUNTERS.to_vec();
    counters[2].1 += second / 4;
    tables(sessions, transfers, &counters)
}

/// What `run` says of them: of the last one it knows nothing.
fn told_of_all() -> Told {
    let mut told = told();
    told.asked = (1..=6).map(SessionId).collect();
    let like_the_first = [3, 5].map(|id| Record {
        session: SessionId(id),
        ..told.found.sessions[0].clone()
    });
    told.found.sessions.extend(like_the_first);
    told
}

/// It after twelve seconds.
pub(super) fn busy_model() -> Model {
    let mut model = model(busy(0));
    for second in 1..=12 {
        model.take(Reading {
            told: Ok(told_of_all()),
            ..reading(second, busy(second))
        });
    }
    model
}

/// One with more of everything than a screen has room for.
pub(super) fn many() -> Model {
    let sessions = (1..=1_500).map(|id| SessionView {
        age_ms: id * 3_000,
        ..session(id)
    });
    model(tables(
        sessions.collect(),
        (1..=90).map(transfer).collect(),
        COUNTERS,
    ))
}
