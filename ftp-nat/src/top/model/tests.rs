//! What readings and keys come to.

use super::{
    keys::{Key, Wish},
    sample::{at, model, now, reading, session, setting, tables, told, transfer},
    *,
};
use crate::{
    top::reading::{NotServed, Told},
    view::{sessions::SessionView, translations::Translation},
};

fn clients(model: &Model) -> Vec<String> {
    let tables = model.tables.as_ref().unwrap();
    let seen = model.sessions.keys().iter();
    seen.map(|id| {
        let session = tables.sessions.iter().find(|s| s.id == *id);
        session.unwrap().client.to_string()
    })
    .collect()
}

fn type_in(model: &mut Model, text: &str) {
    for letter in text.chars() {
        assert_eq!(model.key(Key::Letter(letter)), Wish::None);
    }
}

fn with_clients(clients: &[&str]) -> Model {
    let sessions = clients.iter().zip(1..).map(|(client, id)| SessionView {
        client: at(client),
        ..session(id)
    });
    model(tables(sessions.collect(), Vec::new(), &[]))
}

#[test]
fn addresses_are_ordered_as_numbers() {
    let mut model = with_clients(&[
        "10.10.0.10:5",
        "[2001:db8::10]:1",
        "10.10.0.9:7",
        "10.10.0.9:40",
        "[2001:db8::9]:1",
    ]);
    type_in(&mut model, "ss");
    let order = [
        "10.10.0.9:7",
        "10.10.0.9:40",
        "10.10.0.10:5",
        "[2001:db8::9]:1",
        "[2001:db8::10]:1",
    ];
    assert_eq!(clients(&model), order);
    type_in(&mut model, "r");
    let reversed: Vec<_> = order.into_iter().rev().collect();
    assert_eq!(clients(&model), reversed);
}

#[test]
fn the_newest_session_comes_first_and_numbers_begin_with_the_largest() {
    let few = SessionView {
        data_connections: 1,
        ..session(2)
    };
    let many = SessionView {
        data_connections: 9,
        ..session(3)
    };
    let mut model = model(tables(vec![many, few, session(1)], Vec::new(), &[]));
    assert_eq!(
        clients(&model),
        ["10.10.0.1:40001", "10.10.0.2:40002", "10.10.0.3:40003"]
    );
    let data = By::OF_SESSIONS.iter().position(|by| *by == By::Data);
    for _ in 0..data.unwrap() {
        type_in(&mut model, "s");
    }
    assert_eq!(clients(&model)[0], "10.10.0.3:40003");
    type_in(&mut model, "r");
    assert_eq!(clients(&model)[2], "10.10.0.3:40003");
    type_in(&mut model, "S");
    assert!(!model.sessions.reversed, "another order begins unreversed");
}

#[test]
fn problems_come_first_by_verdict() {
    let mut model = model(tables((1..=4).map(session).collect(), Vec::new(), &[]));
    model.take(Reading {
        tables: None,
        told: Ok(told()),
        ..reading(0, tables(Vec::new(), Vec::new(), &[]))
    });
    type_in(&mut model, "s");
    let ids: Vec<_> = model.sessions.keys().iter().map(|id| id.0).collect();
    assert_eq!(ids, [2, 4, 1, 3], "problem, warning, works, not told yet");
    type_in(&mut model, "/foreign");
    assert_eq!(model.sessions.keys(), [SessionId(2)]);
}

/// Answers as `run` does, until nothing is new.
fn answer(model: &mut Model) {
    for _ in 0..5 {
        let ask = model.ask(false);
        if !model.is_curious(&ask) {
            return;
        }
        let mut told = told();
        told.found
            .sessions
            .retain(|r| ask.sessions.contains(&r.session));
        told.asked = ask.sessions;
        model.take(Reading {
            tables: None,
            told: Ok(told),
            ..reading(0, tables(Vec::new(), Vec::new(), &[]))
        });
    }
    panic!("it asks and asks");
}

#[test]
fn problems_come_first_among_very_many_sessions_too() {
    let many = || model(tables((1..=3_000).map(session).collect(), Vec::new(), &[]));
    let mut model = many();
    model.sessions.go(isize::MAX);
    answer(&mut model);
    assert!(model.verdicts.of(SessionId(2)).is_none(), "it isn't seen");
    type_in(&mut model, "s");
    answer(&mut model);
    let first = |model: &Model| model.sessions.keys()[..3].to_vec();
    assert_eq!(first(&model), [2, 4, 1].map(SessionId));

    let mut model = many();
    model.sessions.go(isize::MAX);
    type_in(&mut model, "/foreign");
    answer(&mut model);
    assert_eq!(model.sessions.keys(), [SessionId(2)]);
}

#[test]
fn a_filter_is_typed_kept_and_dropped() {
    let mut model = with_clients(&["10.10.0.1:5", "10.10.0.2:5", "10.10.1.2:5"]);
    type_in(&mut model, "/10.10.0");
    assert_eq!(clients(&model).len(), 2);
    // What means something elsewhere is a letter here.
    type_in(&mut model, "q");
    assert!(clients(&model).is_empty());
    model.key(Key::Backspace);
    model.key(Key::Enter);
    assert_eq!(clients(&model).len(), 2);
    type_in(&mut model, "/ !0.2");
    assert_eq!(clients(&model), ["10.10.0.1:5"]);
    model.key(Key::Escape);
    assert_eq!(model.filter.text(), "10.10.0", "as it was before");
    model.key(Key::Escape);
    assert_eq!(clients(&model).len(), 3);
    type_in(&mut model, "/x");
    model.key(Key::Clear);
    assert_eq!(model.filter.text(), "");
}

#[test]
fn the_chosen_session_stays_chosen_when_others_come() {
    let mut model = model(tables(vec![session(2)], Vec::new(), &[]));
    model.key(Key::Down);
    model.take(reading(
        1,
        tables((1..=5).map(session).collect(), Vec::new(), &[]),
    ));
    assert_eq!(model.sessions.key(), Some(&SessionId(2)));
    model.key(Key::Enter);
    let ask = model.ask(true);
    assert_eq!(ask.sessions[0], SessionId(2), "it is seen, and looked at");
    assert_eq!(ask.sessions.len(), 5, "and nothing is known of the others");
    assert!(model.is_curious(&ask));
}

#[test]
fn a_ladder_is_asked_for_until_it_is_left() {
    let mut model = model(tables(vec![session(1)], Vec::new(), &[]));
    model.key(Key::Enter);
    assert_eq!(model.ask(false).sessions, [SessionId(1)]);
    model.take(Reading {
        tables: None,
        told: Ok(told()),
        ..reading(0, tables(Vec::new(), Vec::new(), &[]))
    });
    assert!(model.ladder.as_ref().unwrap().is_known());
    let again = model.ask(true);
    assert_eq!(again.sessions, [SessionId(1)], "it may have gone on");
    assert!(!model.is_curious(&again));
    // The session is over and swept: its ladder stays.
    model.take(reading(1, tables(Vec::new(), Vec::new(), &[])));
    assert!(model.ladder.as_ref().unwrap().is_known());
    assert_eq!(model.key(Key::Letter('q')), Wish::None);
    assert!(model.ladder.is_none());
    assert_eq!(model.key(Key::Letter('q')), Wish::Quit);
}

#[test]
fn a_transfer_leads_to_its_session() {
    let mut model = model(tables(vec![session(7)], vec![transfer(7)], &[]));
    model.key(Key::Tab);
    model.key(Key::Enter);
    assert_eq!(model.ladder.unwrap().session, SessionId(7));
}

#[test]
fn a_refusal_leads_to_the_sessions_that_had_it() {
    let refused = SessionView {
        refusals: 1,
        last_refusal: Some("refused_port"),
        ..session(2)
    };
    let counters = [(Counter::RefusedPort, 1)];
    let mut model = model(tables(vec![session(1), refused], Vec::new(), &counters));
    model.key(Key::Letter('3'));
    model.key(Key::Enter);
    assert_eq!(model.pane, Pane::Sessions);
    assert_eq!(model.sessions.keys(), [SessionId(2)]);
}

#[test]
fn lists_follow_each_other() {
    let mut model = model(tables(Vec::new(), Vec::new(), &[]));
    let turn = |key, model: &mut Model| {
        model.key(key);
        model.pane
    };
    assert_eq!(turn(Key::Tab, &mut model), Pane::Transfers);
    assert_eq!(turn(Key::Tab, &mut model), Pane::Reasons);
    assert_eq!(turn(Key::Tab, &mut model), Pane::Sessions);
    assert_eq!(turn(Key::BackTab, &mut model), Pane::Reasons);
    assert_eq!(turn(Key::Letter('2'), &mut model), Pane::Transfers);
    model.key(Key::Enter);
    assert!(model.ladder.is_none(), "there is nothing to look at");
}

#[test]
fn transfers_are_ordered_by_rate() {
    let with = |id, bytes| Translation {
        bytes_to_announcer: bytes,
        ..transfer(id)
    };
    let mut model = model(tables(Vec::new(), vec![with(1, 0), with(2, 0)], &[]));
    model.take(reading(
        1,
        tables(Vec::new(), vec![with(1, 10), with(2, 900)], &[]),
    ));
    let first = |model: &Model| model.transfers.key().cloned();
    model.key(Key::Tab);
    assert_eq!(first(&model), Some(transfers::Key::of(&transfer(2))));
    type_in(&mut model, "r");
    assert_eq!(first(&model), Some(transfers::Key::of(&transfer(1))));
}

#[test]
fn while_it_is_paused_nothing_changes() {
    let mut model = model(tables(vec![session(1)], Vec::new(), &[]));
    assert_eq!(model.key(Key::Letter('p')), Wish::None);
    model.take(reading(
        1,
        tables((1..=2).map(session).collect(), Vec::new(), &[]),
    ));
    assert_eq!(model.sessions.len(), 1);
    assert_eq!(model.now, Some(now()));
    assert_eq!(model.ask(true), crate::top::reading::Ask::default());
    assert_eq!(model.key(Key::Letter(' ')), Wish::Read);
    assert!(model.ask(true).tables);
}

#[test]
fn without_run_the_tables_go_on_and_verdicts_stay() {
    let mut model = model(tables(vec![session(1)], Vec::new(), &[]));
    model.take(Reading {
        told: Ok(told()),
        ..reading(1, tables(vec![session(1)], Vec::new(), &[]))
    });
    model.take(Reading {
        told: Err(NotServed::NotRunning),
        ..reading(2, tables((1..=2).map(session).collect(), Vec::new(), &[]))
    });
    assert_eq!(model.not_served, Some(NotServed::NotRunning));
    assert_eq!(model.sessions.len(), 2);
    assert_eq!(model.verdicts.of(SessionId(1)).unwrap().says, "works");
    let ask = model.ask(false);
    assert!(!model.is_curious(&ask), "it is asked with the tables only");
    model.take(reading(3, tables(vec![session(1)], Vec::new(), &[])));
    assert_eq!(model.not_served, None);
}

#[test]
fn what_was_unloaded_is_forgotten() {
    let counters = [(Counter::RefusedPort, 5)];
    let mut model = model(tables(vec![session(1)], vec![transfer(1)], &counters));
    model.take(Reading {
        tables: Some(Err("nothing is loaded".to_owned())),
        told: Err(NotServed::NotRunning),
        ..reading(1, tables(Vec::new(), Vec::new(), &[]))
    });
    assert!(model.sessions.is_empty() && model.transfers.is_empty());
    assert!(model.refusals.is_empty() && model.reasons.met().is_empty());
    model.take(reading(2, tables(vec![session(3)], Vec::new(), &[])));
    assert_eq!((model.no_tables.as_ref(), model.sessions.len()), (None, 1));
}

#[test]
fn long_readings_are_further_apart() {
    let mut model = Model::new(setting());
    assert_eq!(model.interval(), Duration::from_secs(1));
    model.take(Reading {
        took: Duration::from_millis(300),
        ..reading(0, tables(Vec::new(), Vec::new(), &[]))
    });
    assert_eq!(model.interval(), Duration::from_secs(3));
}

#[test]
fn keys_that_end_end_from_anywhere() {
    let mut model = with_clients(&["10.10.0.1:5"]);
    model.key(Key::Letter('?'));
    assert!(model.help);
    assert_eq!(model.key(Key::Letter('q')), Wish::None);
    assert!(!model.help);
    for before in ["", "/", "?"] {
        let mut model = with_clients(&["10.10.0.1:5"]);
        type_in(&mut model, before);
        assert_eq!(model.key(Key::Interrupt), Wish::Quit);
        assert_eq!(model.key(Key::Suspend), Wish::Suspend);
        assert_eq!(model.key(Key::Redraw), Wish::Redraw);
    }
    assert_eq!(model.key(Key::Letter('Q')), Wish::Quit);
}

#[test]
fn an_answer_of_which_nothing_was_asked_is_none() {
    let mut model = model(tables(vec![session(1)], Vec::new(), &[]));
    model.take(Reading {
        tables: None,
        told: Ok(Told::default()),
        ..reading(0, tables(Vec::new(), Vec::new(), &[]))
    });
    assert!(model.verdicts.of(SessionId(1)).is_none());
    assert!(!model.verdicts.is_unknown(SessionId(1)));
}
