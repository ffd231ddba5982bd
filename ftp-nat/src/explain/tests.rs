//! One session for each verdict.

use ftp_nat_common::counter::Counter;
use jiff::{SignedDuration, Timestamp};

use super::{
    Surroundings,
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
        self.then(Happening::Announced {
            by: By::Client,
            form: Form::Port,
            said: "10.10.0.1:4000".parse().unwrap(),
            told: EXPECTED.parse().unwrap(),
            expected: EXPECTED.parse().unwrap(),
        })
    }

    /// `227` for 10.10.0.1:4000 by a server behind the gateway.
    fn pasv(self) -> Self {
        self.then(Happening::Announced {
            by: By::Server,
            form: Form::Pasv,
            said: "10.10.0.1:4000".parse().unwrap(),
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
        self.then(Happening::DataOpened {
            announced_by: By::Client,
            form: Some(Form::Port),
            from: SERVER.parse().unwrap(),
            to: EXPECTED.parse().unwrap(),
            from_seen: SERVER.parse().unwrap(),
            to_real: "10.10.0.1:4000".parse().unwrap(),
        })
    }

    fn end(self, how: End, packets: [u32; 2], bytes: [u64; 2]) -> Self {
        self.then(Happening::DataEnded {
            announced_by: By::Client,
            form: Some(Form::Port),
            announcer: "10.10.0.1:4000".parse().unwrap(),
            peer: SERVER.parse().unwrap(),
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
        elsewhere: Vec::new(),
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
fn a_transfer_that_works() {
    let story = Story::new()
        .retr()
        .reply(150, Request::Transfer)
        .syn()
        .end(End::Fin, [5, 9], [300, 9000])
        .reply(226, Request::Transfer);
    let text = verdict(&story, &[Name::Works]);
    has(&text, &["10.10.0.1:4000 became 61.144.1.2:5000", SERVER]);
}

#[test]
fn an_empty_file_is_no_failure() {
    let story = Story::new()
        .retr()
        .syn()
        .end(End::Fin, [3, 3], [160, 160])
        .reply(226, Request::Transfer);
    verdict(&story, &[Name::Works]);
}

#[test]
fn nobody_came() {
    let text = verdict(&Story::new().retr().expired(), &[Name::NoDataConnection]);
    has(
        &text,
        &[
            "within 60 s",
            EXPECTED,
            "second FTP helper",
            "tcpdump -ni wan0 'dst port 5000'",
            "passive mode",
        ],
    );
    let text = verdict(&Story::new().retr().later(9), &[Name::NoDataConnection]);
    has(&text, &["in the 11 s since"]);
    let ended = Happening::SessionEnded { how: End::Fin };
    verdict(&Story::new().retr().then(ended), &[Name::NoDataConnection]);
}

#[test]
fn nobody_came_in_passive_mode() {
    let story = Story::new().says(Request::Passive).pasv();
    let story = story.says(Request::Transfer).expired();
    has(
        &verdict(&story, &[Name::NoDataConnection]),
        &["The client was told", "If nothing leaves the client"],
    );
}

#[test]
fn an_announcement_is_waited_for() {
    verdict(&Story::new().retr(), &[Name::Waiting]);
    let text = verdict(&Story::new().port().expired(), &[Name::Waiting]);
    has(&text, &["no transfer was asked for"]);
}

#[test]
fn the_server_could_not_connect() {
    let story = Story::new().retr().reply(425, Request::Transfer);
    let text = verdict(&story, &[Name::ServerCouldNotConnect]);
    has(&text, &["425", "nothing arrived here"]);
}

#[test]
fn another_address_connected() {
    let story = Story::new()
        .retr()
        .stranger("61.144.1.101:20", Counter::RefusedDataSource)
        .reply(425, Request::Transfer);
    let text = verdict(&story, &[Name::DataFromOtherAddress]);
    has(
        &text,
        &["61.144.1.101:20", "only the server, 61.144.1.100, may"],
    );
    let story = Story::new()
        .retr()
        .stranger(SERVER, Counter::RefusedDataSource);
    has(
        &verdict(&story, &[Name::DataFromOtherAddress]),
        &["another side of the gateway"],
    );
}

#[test]
fn the_table_of_data_connections_is_full() {
    let story = Story::new()
        .retr()
        .stranger(SERVER, Counter::FlowsTableFull);
    has(&verdict(&story, &[Name::TableFull]), &["--max-transfers"]);
}

#[test]
fn the_server_refused() {
    for (code, wanted) in [
        (500, "--advertise 61.144.1.2=ADDRESS"),
        (501, "does not accept the address"),
        (522, "EPRT or EPSV for IPv6"),
        (530, "log in first"),
    ] {
        let story = Story::new().port().reply(code, Request::Active);
        let text = verdict(&story, &[Name::ServerRefused]);
        has(&text, &[wanted, &format!("answered {code} to PORT")]);
    }
    let story = Story::new()
        .says(Request::Passive)
        .reply(502, Request::Passive);
    has(&verdict(&story, &[Name::ServerRefused]), &["PASV or EPSV"]);
}

#[test]
fn the_log_in_failed() {
    let story = Story::new().reply(530, Request::Other);
    verdict(&story, &[Name::LoginRefused]);
    let story = story.reply(230, Request::Other);
    verdict(&story, &[Name::NothingAsked]);
}

#[test]
fn the_announcer_did_not_answer() {
    let story = Story::new().retr().syn().reply(425, Request::Transfer);
    let text = verdict(&story, &[Name::DataNotAnswered]);
    has(&text, &["10.10.0.1:4000", "client's own firewall"]);
    let story = Story::new().retr().syn().end(End::Idle, [0, 5], [0, 300]);
    verdict(&story, &[Name::DataNotAnswered]);
}

#[test]
fn nothing_was_in_the_connection() {
    let story = Story::new().retr().syn().end(End::Rst, [1, 1], [40, 60]);
    let text = verdict(&story, &[Name::DataWithoutBytes]);
    has(&text, &["(reset)", "nothing listened on 10.10.0.1:4000"]);
    let story = Story::new()
        .retr()
        .syn()
        .end(End::Fin, [3, 3], [160, 160])
        .reply(426, Request::Transfer);
    verdict(&story, &[Name::DataWithoutBytes]);
}

#[test]
fn the_transfer_failed() {
    let story = Story::new()
        .retr()
        .syn()
        .end(End::Rst, [5, 9], [300, 9000])
        .reply(426, Request::Transfer);
    has(&verdict(&story, &[Name::TransferFailed]), &["426", "cut"]);
    let story = Story::new().retr().reply(550, Request::Transfer);
    has(
        &verdict(&story, &[Name::TransferFailed]),
        &["about the file"],
    );
}

#[test]
fn the_address_was_foreign() {
    let said = "10.10.0.9:4000";
    let story = Story::new().not(By::Client, said, Counter::RefusedForeignAddress);
    let story = story.reply(500, Request::Active);
    has(
        &verdict(&story, &[Name::ForeignAddress]),
        &[said, "not the client's own", "answered 500"],
    );
    let story = Story::new().not(By::Server, said, Counter::RefusedForeignAddress);
    has(&verdict(&story, &[Name::ForeignAddress]), &["pasv_address"]);
}

#[test]
fn the_port_was_refused() {
    let story = Story::new().not(By::Client, "10.10.0.1:25", Counter::RefusedPort);
    has(&verdict(&story, &[Name::PortRefused]), &["below 1024"]);
    let story = Story::new().not(By::Client, "10.10.0.1:3306", Counter::RefusedPort);
    has(&verdict(&story, &[Name::PortRefused]), &["--deny-ports"]);
}

#[test]
fn no_room_or_too_many() {
    let said = "10.10.0.1:4000";
    let story = Story::new().not(By::Client, said, Counter::RefusedTableFull);
    has(
        &verdict(&story, &[Name::TableFull]),
        &["--max-expectations"],
    );
    let story = Story::new().not(By::Client, said, Counter::RefusedSourceCap);
    has(
        &verdict(&story, &[Name::SourceLimit]),
        &["--max-pending-per-source"],
    );
}

#[test]
fn other_reasons_are_told_too() {
    let said = "10.10.0.1:4000";
    for reason in [
        Counter::RefusedDraining,
        Counter::RefusedNoPort,
        Counter::RefusedUntrusted,
        Counter::RefusedUnsolicited,
        Counter::PassedLongForm,
        Counter::PassedNoEditSlot,
        Counter::PassedOtherFamily,
    ] {
        let story = Story::new().not(By::Client, said, reason);
        let text = verdict(&story, &[Name::NotFollowed]);
        has(&text, &[Reason(reason).sentence()]);
    }
}

#[test]
fn the_session_is_encrypted() {
    let tls = Happening::ModeChanged { mode: Mode::Tls };
    let story = Story::new().then(tls);
    has(
        &verdict(&story, &[Name::Encrypted]),
        &["TLS", "passive mode", "CCC"],
    );
    let plain = Happening::ModeChanged { mode: Mode::Plain };
    verdict(&story.then(plain), &[Name::NothingAsked]);
}

#[test]
fn it_is_not_ftp() {
    let mode = Mode::NotFtp;
    let story = Story::new().then(Happening::ModeChanged { mode });
    has(&verdict(&story, &[Name::NotFtp]), &["port 21"]);
}

#[test]
fn a_transfer_without_an_announcement() {
    let story = Story::new().says(Request::Transfer);
    verdict(&story, &[Name::DefaultDataPort]);
}

#[test]
fn the_latest_of_several_failures_is_told_and_successes_after_it() {
    let story = Story::new().retr().expired().retr().expired();
    assert_eq!(story.verdicts()[0].times, 2);
    let story = story
        .retr()
        .syn()
        .end(End::Fin, [5, 9], [300, 9000])
        .reply(226, Request::Transfer);
    verdict(&story, &[Name::NoDataConnection, Name::Works]);
}

fn stray(what: Happening) -> Found {
    let strays = vec![Entry {
        session: None,
        ..entry(0, 0, what)
    }];
    Found {
        sessions: Vec::new(),
        strays,
    }
}

#[track_caller]
fn outside_of(found: &Found, name: Name, wanted: &[&str]) {
    let client = "10.10.0.1".parse().ok();
    let verdicts = outside(found, client, &around());
    let names: Vec<_> = verdicts.iter().map(|v| v.name).collect();
    assert_eq!(names, [name]);
    let text = format!("{}\n{}", verdicts[0].says, verdicts[0].advice.join("\n"));
    has(&text, wanted);
}

#[test]
fn no_session_was_seen() {
    let wanted = ["10.10.0.1", "port 21", "wan0", "lan0", "ports add"];
    outside_of(&Found::default(), Name::NoSession, &wanted);
}

#[test]
fn the_port_is_not_watched() {
    let client = "10.10.0.1".parse().ok();
    let elsewhere = |servers: &[&str]| Surroundings {
        elsewhere: servers.iter().map(|s| s.parse().unwrap()).collect(),
        ..around()
    };
    let one = elsewhere(&["61.144.1.100:2121"]);
    let verdicts = outside(&Found::default(), client, &one);
    assert_eq!(verdicts[0].name, Name::PortNotWatched);
    has(&verdicts[0].says, &["61.144.1.100:2121"]);
    has(&verdicts[0].advice[0], &["ftp-nat ports add 2121"]);
    let two = elsewhere(&["61.144.1.100:2121", "61.144.1.100:443"]);
    let verdicts = outside(&Found::default(), client, &two);
    has(&verdicts[0].advice[0], &["If one of them"]);
}

#[test]
fn the_session_was_not_followed() {
    for (reason, name, option) in [
        (
            Counter::SessionsTableFull,
            Name::TableFull,
            "--max-sessions",
        ),
        (
            Counter::SessionsSourceCap,
            Name::SourceLimit,
            "--max-sessions-per-source",
        ),
    ] {
        let found = stray(Happening::SessionNotFollowed {
            ends: ends("10.10.0.1:4000"),
            reason: Reason(reason),
        });
        outside_of(&found, name, &[option]);
    }
}

#[test]
fn every_verdict_is_tested_here() {
    let source = include_str!("tests.rs");
    for name in Name::ALL {
        let written = format!("Name::{name:?}");
        assert!(source.matches(&written).count() > 0, "{written}");
    }
}
