//! What tests are made of.

use std::net::SocketAddr;

use ftp_nat_common::counter::Counter;
use jiff::{Timestamp, ToSpan as _};

use super::{Model, Setting};
use crate::{
    events::{
        Entry, Happening, SessionId,
        words::{By, End, Form, Mode, Reason, Request},
    },
    explain::Surroundings,
    history::{Found, Record},
    top::reading::{Reading, Tables, Told},
    view::{
        SCHEMA,
        sessions::{DataMode, Flags, PerEnd, SessionView},
        stats::{Fill, Stats},
        translations::Translation,
    },
};

/// 2025-06-01 12:00:00 UTC.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_748_779_200).unwrap()
}

pub(crate) fn setting() -> Setting {
    Setting {
        pin_path: "/sys/fs/bpf/ftp-nat".into(),
        interval: std::time::Duration::from_secs(1),
        ascii: false,
        color: true,
        zone: jiff::tz::TimeZone::UTC,
    }
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A client's, by PORT, that is doing well.
pub(crate) fn session(id: u64) -> SessionView {
    let client_port = 40_000 + id;
    SessionView {
        id: SessionId(id),
        client: at(&format!("10.10.0.{}:{client_port}", id % 250)),
        client_seen: at(&format!("61.144.1.2:{client_port}")),
        server: at("61.144.1.100:21"),
        server_seen: at("61.144.1.100:21"),
        client_interface: Some("eth1".into()),
        server_interface: Some("eth0".into()),
        client_domain: None,
        server_domain: None,
        state: "open",
        mode: Some("active"),
        data_mode: DataMode::Active,
        announcement: Some("PORT"),
        trusted: true,
        encrypted: false,
        flags: Flags::named(&["trusted", "greeted"]),
        age_ms: 1_000 * id,
        idle_ms: 500 * id,
        announcements: 1,
        refusals: 0,
        last_refusal: None,
        data_connections: 1,
        shift: PerEnd {
            client: 0,
            server: 0,
        },
        control_bytes: PerEnd {
            client: 100,
            server: 300,
        },
    }
}

/// A download of a client by PORT.
pub(crate) fn transfer(id: u64) -> Translation {
    Translation {
        state: "established",
        session: SessionId(id),
        announcement: "PORT",
        announced_by: "client",
        announced: at(&format!("10.10.0.{}:{}", id % 250, 50_000 + id)),
        became: at(&format!("61.144.1.2:{}", 50_000 + id)),
        peer: at("61.144.1.100:20").into(),
        peer_seen: at("61.144.1.100:20").into(),
        path: Some("redirect"),
        announcer_interface: Some("eth1".into()),
        peer_interface: Some("eth0".into()),
        announcer_domain: None,
        peer_domain: None,
        age_ms: 800 * id,
        idle_ms: Some(1),
        expires_in_ms: 7_440_000,
        bytes_from_announcer: 0,
        bytes_to_announcer: 0,
        packets_from_announcer: 0,
        packets_to_announcer: 0,
    }
}

/// Counters, and tables that are nearly empty.
pub(crate) fn stats(counters: &[(Counter, u64)]) -> Stats {
    let value = |counter: &Counter| {
        let given = counters.iter().find(|(given, _)| given == counter);
        (*counter, given.map_or(0, |(_, value)| *value))
    };
    let fill = |entries, max| Fill { entries, max };
    Stats {
        schema: SCHEMA,
        draining: false,
        ports: vec![21, 2121],
        learned_ports: Vec::new(),
        counters: Counter::ALL.iter().map(value).collect(),
        tables: crate::view::stats::Tables {
            sessions: fill(0, 65_536),
            expectations: fill(0, 65_536),
            flows: fill(0, 131_072),
            stack_flows: fill(0, 131_072),
            interfaces: fill(2, 1_024),
        },
    }
}

pub(crate) fn around() -> Surroundings {
    Surroundings {
        ports: vec![21, 2121],
        wan: vec!["eth0".to_owned()],
        lan: vec!["eth1".to_owned()],
        ..Surroundings::default()
    }
}

/// Tables of these.
pub(crate) fn tables(
    sessions: Vec<SessionView>,
    transfers: Vec<Translation>,
    counters: &[(Counter, u64)],
) -> Tables {
    let mut stats = stats(counters);
    let waiting = transfers.iter().filter(|t| t.path.is_none()).count() as u64;
    stats.tables.sessions.entries = sessions.len() as u64;
    stats.tables.expectations.entries = waiting;
    stats.tables.flows.entries = 2 * (transfers.len() as u64 - waiting);
    Tables {
        stats,
        sessions,
        transfers,
        around: around(),
    }
}

/// A reading, `second` seconds after the first one.
pub(crate) fn reading(second: u64, tables: Tables) -> Reading {
    Reading {
        now: now() + i64::try_from(second).unwrap().seconds(),
        at_ns: (1_000 + second) * 1_000_000_000,
        took: std::time::Duration::from_millis(2),
        tables: Some(Ok(tables)),
        told: Ok(Told::default()),
    }
}

/// A model that has seen these tables, and all that `run` says.
pub(crate) fn model(tables: Tables) -> Model {
    let mut model = Model::new(setting());
    model.take(reading(0, tables));
    model
}

fn entries(id: u64, happenings: Vec<Happening>) -> Vec<Entry> {
    let began = now() - 5.seconds();
    let entry = |(n, what): (usize, Happening)| Entry {
        at: began + (120 * i64::try_from(n).unwrap()).milliseconds(),
        session: Some(SessionId(id)),
        what,
    };
    happenings.into_iter().enumerate().map(entry).collect()
}

fn record(id: u64, happenings: Vec<Happening>) -> Record {
    let entries = entries(id, happenings);
    let ends = entries.iter().find_map(|entry| match &entry.what {
        Happening::SessionLearned { ends, .. } => Some(ends.clone()),
        _ => None,
    });
    Record {
        session: SessionId(id),
        ends,
        began: entries[0].at,
        ended: None,
        beginning_seen: true,
        omitted: 0,
        entries: entries.into(),
    }
}

fn learned(id: u64) -> Happening {
    let session = session(id);
    Happening::SessionLearned {
        ends: crate::events::Ends {
            client: session.client,
            client_seen: session.client_seen,
            server: session.server,
            server_seen: session.server_seen,
        },
        midway: false,
    }
}

/// Log-in, PORT, and what follows it.
fn asked(id: u64, rest: Vec<Happening>) -> Record {
    let replied = |code, request| Happening::Replied { code, request };
    let mut all = vec![
        learned(id),
        replied(220, Request::None),
        replied(230, Request::Other),
    ];
    all.extend(rest);
    record(id, all)
}

/// What is known of three sessions: 1 works, 2 named another host, and 4 is in TLS.
pub(crate) fn told() -> Told {
    let own = transfer(1);
    let peer = at("61.144.1.100:20");
    let replied = |code, request| Happening::Replied { code, request };
    let works = vec![
        Happening::Announced {
            by: By::Client,
            form: Form::Port,
            said: own.announced,
            told: own.became,
            expected: own.became,
        },
        replied(200, Request::Active),
        Happening::Requested {
            request: Request::Transfer,
        },
        Happening::DataOpened {
            announced_by: By::Client,
            form: Some(Form::Port),
            from: peer,
            to: own.became,
            from_seen: peer,
            to_real: own.announced,
        },
        replied(150, Request::Transfer),
        Happening::DataEnded {
            announced_by: By::Client,
            form: Some(Form::Port),
            announcer: own.announced,
            peer,
            bytes_from_announcer: 2_000,
            bytes_to_announcer: 5_300_000,
            packets_from_announcer: 40,
            packets_to_announcer: 3_600,
            how: End::Fin,
        },
        replied(226, Request::Transfer),
    ];
    let foreign = vec![
        Happening::NotAnnounced {
            by: By::Client,
            form: Some(Form::Port),
            said: Some(at("192.168.7.7:50002")),
            reason: Reason(Counter::RefusedForeignAddress),
        },
        replied(500, Request::Active),
    ];
    let encrypted = vec![
        replied(234, Request::Auth),
        Happening::ModeChanged { mode: Mode::Tls },
    ];
    Told {
        asked: vec![SessionId(1), SessionId(2), SessionId(4)],
        found: Found {
            sessions: vec![asked(1, works), asked(2, foreign), asked(4, encrypted)],
            strays: Vec::new(),
        },
    }
}
