//! One session for each verdict.

mod dials;
mod refusals;
mod sessions;
mod transfers;
mod unannounced;

use ftp_nat_common::counter::Counter;
use jiff::{SignedDuration, Timestamp};

use super::{
    Silent, Surroundings,
    judge::{outside, session},
    verdict::{Name, Verdict},
};
use crate::{
    events::{
        Entry, Happening,
        words::{By, End, Form, Mode, Reason, Request},
    },
    history::{
        Found, History, Limits, Record, Which,
        tests::{ends, entry, learned},
    },
};

/// A session being told.
struct Story {
    history: History,
    second: i64,
    now: i64,
}

const ANNOUNCER: &str = "10.10.0.1:4000";
const EXPECTED: &str = "61.144.1.2:5000";
const SERVER: &str = "61.144.1.100:20";

impl Story {
    fn new() -> Self {
        let mut history = History::new(Limits::default());
        history.note(learned(1, 0));
        Self {
            history,
            second: 0,
            now: 1,
        }
    }

    fn then(mut self, what: Happening) -> Self {
        self.second += 1;
        self.now = self.second;
        self.history.note(entry(1, self.second, what));
        self
    }

    fn later(mut self, seconds: i64) -> Self {
        self.now += seconds;
        self
    }

    /// `PORT` for 10.10.0.1:4000, as 61.144.1.2:5000.
    fn port(self) -> Self {
        self.announced(By::Client, Form::Port)
    }

    /// `227` for 10.10.0.1:4000 by a server behind the gateway.
    fn pasv(self) -> Self {
        self.announced(By::Server, Form::Pasv)
    }

    fn announced(self, by: By, form: Form) -> Self {
        self.then(Happening::Announced {
            by,
            form,
            said: ANNOUNCER.parse().unwrap(),
            told: EXPECTED.parse().unwrap(),
            expected: EXPECTED.parse().unwrap(),
        })
    }

    fn not(self, by: By, said: &str, reason: Counter) -> Self {
        self.then(Happening::NotAnnounced {
            by,
            form: Some(Form::Port),
            said: Some(said.parse().unwrap()),
            reason: Reason(reason),
        })
    }

    fn says(self, request: Request) -> Self {
        self.then(Happening::Requested { request })
    }

    fn reply(self, code: u16, request: Request) -> Self {
        self.then(Happening::Replied { code, request })
    }

    /// `PORT`, its reply, `RETR`, 150.
    fn retr(self) -> Self {
        self.port()
            .reply(200, Request::Active)
            .says(Request::Transfer)
    }

    fn syn(self) -> Self {
        self.opened(By::Client, Form::Port, [SERVER, EXPECTED, ANNOUNCER])
    }

    fn opened(self, by: By, form: Form, [from, to, to_real]: [&str; 3]) -> Self {
        self.then(Happening::DataOpened {
            announced_by: by,
            form: Some(form),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            from_seen: from.parse().unwrap(),
            to_real: to_real.parse().unwrap(),
        })
    }

    fn end(self, how: End, packets: [u32; 2], bytes: [u64; 2]) -> Self {
        let ends = [ANNOUNCER, SERVER];
        self.ended(By::Client, Form::Port, ends, how, packets, bytes)
    }

    fn ended(
        self,
        by: By,
        form: Form,
        [announcer, peer]: [&str; 2],
        how: End,
        packets: [u32; 2],
        bytes: [u64; 2],
    ) -> Self {
        self.then(Happening::DataEnded {
            announced_by: by,
            form: Some(form),
            announcer: announcer.parse().unwrap(),
            peer: peer.parse().unwrap(),
            bytes_from_announcer: bytes[0],
            bytes_to_announcer: bytes[1],
            packets_from_announcer: packets[0],
            packets_to_announcer: packets[1],
            how,
        })
    }

    fn stranger(self, from: &str, reason: Counter) -> Self {
        self.then(Happening::DataRefused {
            announced_by: By::Client,
            form: Some(Form::Port),
            from: from.parse().unwrap(),
            to: EXPECTED.parse().unwrap(),
            expected_from: "61.144.1.100".parse().unwrap(),
            reason: Reason(reason),
        })
    }

    fn expired(self) -> Self {
        self.then(Happening::Expired {
            announced_by: By::Client,
            expected: EXPECTED.parse().unwrap(),
            after_seconds: 60,
        })
    }

    fn record(&self) -> Record {
        let found = self.history.find(&Which::Last { last: 1 });
        found.sessions.into_iter().next().unwrap()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let now = now + SignedDuration::from_secs(self.now);
        session(&self.record(), now, &around())
    }
}

fn around() -> Surroundings {
    Surroundings {
        ports: vec![21],
        wan: vec!["wan0".to_owned()],
        lan: vec!["lan0".to_owned()],
        interfaces: vec![(3, "lan0".to_owned()), (4, "wan0".to_owned())],
        ..Surroundings::default()
    }
}

/// The story's verdicts are these, in this order; gives the first one's text.
#[track_caller]
fn verdict(story: &Story, names: &[Name]) -> String {
    let verdicts = story.verdicts();
    let found: Vec<_> = verdicts.iter().map(|v| v.name).collect();
    assert_eq!(found, names, "{verdicts:#?}");
    let first = &verdicts[0];
    format!("{}\n{}", first.says, first.advice.join("\n"))
}

#[track_caller]
fn has(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no {wanted:?} in {text}");
    }
}

#[test]
fn every_verdict_is_tested_here() {
    let sources = [
        include_str!("transfers.rs"),
        include_str!("refusals.rs"),
        include_str!("dials.rs"),
        include_str!("sessions.rs"),
        include_str!("unannounced.rs"),
    ];
    for name in Name::ALL {
        let written = format!("Name::{name:?}");
        assert!(sources.iter().any(|s| s.contains(&written)), "{written}");
    }
}
