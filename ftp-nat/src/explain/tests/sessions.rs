//! Sessions as a whole, and the lack of one.

use super::*;

#[test]
fn the_log_in_failed() {
    let story = Story::new().reply(530, Request::Other);
    verdict(&story, &[Name::LoginRefused]);
    let story = story.reply(230, Request::Other);
    verdict(&story, &[Name::NothingAsked]);
}

#[test]
fn nobody_ever_logged_in() {
    let end = || Happening::SessionEnded { how: End::Fin };
    let told = |story: Story| verdict(&story.then(end()), &[Name::LoginRefused]);
    has(
        &told(Story::new()),
        &["before the server had greeted", "log"],
    );
    let greeted = || Story::new().reply(220, Request::None);
    has(&told(greeted()), &["before the server said", "500 OOPS"]);
    for well in [
        greeted().reply(230, Request::Other),
        greeted().says(Request::Quit),
    ] {
        verdict(&well.then(end()), &[Name::NothingAsked]);
    }
    verdict(&greeted(), &[Name::NothingAsked]);
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
fn only_one_side_is_named() {
    let around = Surroundings {
        lan: Vec::new(),
        ..around()
    };
    let verdicts = outside(&Found::default(), None, &around);
    has(&verdicts[0].advice[0], &["Only wan0 is named", "--lan"]);
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
    let tls = elsewhere(&["61.144.1.100:990"]);
    let verdicts = outside(&Found::default(), None, &tls);
    has(&verdicts[0].advice[1], &["within TLS", "doesn't help"]);
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
