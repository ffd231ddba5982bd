//! Control connections that didn't come about.

use super::*;
use crate::explain::dials::{Dial, Passed, Stage, choose, way::Way};

fn dial(stage: Stage) -> Dial {
    Dial {
        client: "10.10.0.1:40000".parse().unwrap(),
        server: "61.144.1.100:21".parse().unwrap(),
        ago_ns: 3_000_000_000,
        came_by: 3,
        stage,
    }
}

fn passed() -> Passed {
    Passed {
        by: 4,
        client: "61.144.1.2:40000".parse().unwrap(),
        server: "61.144.1.100:21".parse().unwrap(),
    }
}

/// The one verdict there is where nobody else tells anything, as text.
#[track_caller]
fn told(stage: Stage, name: Name, wanted: &[&str]) {
    let around = Surroundings {
        dial: Some(dial(stage)),
        blocks: vec![["chain c drops".to_owned(), "nft add rule".to_owned()]],
        ..around()
    };
    let verdicts = outside(&Found::default(), None, &around);
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].name, name);
    let text = format!("{} {}", verdicts[0].says, verdicts[0].advice.join(" "));
    has(
        &text,
        &["10.10.0.1:40000 to 61.144.1.100:21", "by lan0", "3 s ago"],
    );
    has(&text, wanted);
}

#[test]
fn it_was_not_sent_on() {
    let name = Name::ControlNotForwarded;
    let named = || Way::Named("wan0".into());
    let cases: [(Way, &[&str]); 7] = [
        (
            named(),
            &["firewall dropped it", "chain c drops", "nft add rule"],
        ),
        (
            Way::NotNamed("ppp0".into()),
            &["ppp0", "isn't named", "--wan ppp0"],
        ),
        (
            Way::ReversePath,
            &["reverse path filter", "conf.lan0.rp_filter=2"],
        ),
        (Way::NoRoute, &["no route to 61.144.1.100"]),
        (
            Way::Local,
            &["this machine itself", "dnat", "chain c drops"],
        ),
        (
            Way::ForwardingOff("/proc/x".into()),
            &["doesn't forward", "echo 1 > /proc/x"],
        ),
        (
            Way::Unknown,
            &["ip route get 61.144.1.100 from 10.10.0.1 iif lan0"],
        ),
    ];
    for (way, wanted) in cases {
        told(Stage::NotForwarded(way), name, wanted);
    }
}

#[test]
fn it_was_sent_on_and_not_answered() {
    let name = Name::ControlNotAnswered;
    told(
        Stage::NotAnswered(passed()),
        name,
        &[
            "left by wan0",
            "61.144.1.2:40000",
            "nothing listens",
            "tcpdump -ni wan0",
        ],
    );
    told(
        Stage::AnswerNotForwarded(passed()),
        name,
        &[
            "this machine dropped it",
            "established,related",
            "chain c drops",
        ],
    );
    told(
        Stage::NotCompleted(passed()),
        name,
        &["did not take it up", "own firewall"],
    );
}

#[test]
fn what_is_news_is_chosen() {
    let found = Found {
        sessions: vec![Story::new().record()],
        strays: Vec::new(),
    };
    let began = found.sessions[0].began;
    let after = |secs: i64| began + SignedDuration::from_secs(secs);
    let one = [dial(Stage::NotForwarded(Way::Unknown))];
    let chosen = |client: &str, found: &Found, inside: bool, now| {
        choose(&one, client.parse().ok(), found, |_| inside, now).len()
    };
    assert_eq!(chosen("", &Found::default(), false, after(60)), 1);
    assert_eq!(chosen("", &found, true, after(60)), 1);
    assert_eq!(chosen("", &found, false, after(60)), 0, "a stranger");
    assert_eq!(
        chosen("", &found, true, after(3)),
        0,
        "a session came later"
    );
    assert_eq!(chosen("10.10.0.1", &found, false, after(60)), 1);
    assert_eq!(chosen("10.10.0.2", &found, true, after(60)), 0);
    let left = [dial(Stage::NotAnswered(passed()))];
    let seen_as = "61.144.1.2".parse().ok();
    assert_eq!(choose(&left, seen_as, &found, |_| true, after(60)).len(), 1);
    let now = Dial {
        ago_ns: 100_000_000,
        ..dial(Stage::NotAnswered(passed()))
    };
    let now = [now];
    assert!(choose(&now, None, &found, |_| true, after(60)).is_empty());
    assert_eq!(
        choose(&now, None, &Found::default(), |_| true, after(60)).len(),
        1
    );
}
