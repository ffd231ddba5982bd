//! Compares `docs/json.md` with what the commands print.

use std::collections::BTreeSet;

use ftp_nat_common::{
    counter::Counter,
    event::{Event, What},
};
use serde_json::Value;

use super::{
    ports,
    sessions::{self, tests::context},
    stats, translations,
};
use crate::{
    events::{Clock, Entry},
    explain::{Surroundings, explain, verdict::Name},
    history::{self, History, Limits, Which},
    maps::Maps,
};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md"));

/// The names in the first column of the table under `heading`.
fn documented(heading: &str) -> BTreeSet<String> {
    let section = DOCUMENT
        .split("\n## ")
        .find(|section| section.starts_with(heading));
    let rows = section
        .unwrap_or_else(|| panic!("no section {heading}"))
        .lines();
    let names = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    names.map(str::to_owned).collect()
}

/// The paths of all values that aren't objects or lists of objects.
fn printed(value: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    walk("", value, &mut paths);
    paths
}

fn walk(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        // Their names have a table of their own.
        Value::Object(_) if path == "counters" => drop(paths.insert(path.to_owned())),
        // So have events.
        Value::Object(_) if path == "sessions[].entries[]" => drop(paths.insert(path.to_owned())),
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                walk(&format!("{path}{dot}{name}"), value, paths);
            }
        }
        Value::Array(elements) => {
            assert!(
                !elements.is_empty(),
                "{path}: the sample must have an element"
            );
            for element in elements {
                walk(&format!("{path}[]"), element, paths);
            }
        }
        _ => drop(paths.insert(path.to_owned())),
    }
}

fn compare(command: &str, output: &impl serde::Serialize) {
    let value = serde_json::to_value(output).unwrap();
    assert_eq!(
        documented(&format!("`ftp-nat {command} --json`")),
        printed(&value),
        "{command}"
    );
}

#[test]
fn the_fields_of_every_command_are_documented() {
    let maps = translations::tests::sample();
    maps.sessions.set(&7, &sessions::tests::sample()).unwrap();
    let port = |text: &str| [text.parse().unwrap()].into_iter().collect();
    crate::ports::add(&maps, &port("21")).unwrap();
    maps.learned_ports.set(&0, &2).unwrap();

    compare("ports list", &ports::collect(&maps).unwrap());
    compare("stats", &stats::collect(&maps, &context()).unwrap());
    compare("sessions", &sessions::collect(&maps, &context()).unwrap());
    let all = translations::collect(&maps, &context(), translations::Which::All).unwrap();
    compare("translations", &all);
    compare("doctor", &crate::doctor::sample());
    compare("reload", &crate::daemon::reload::sample());
}

/// An event of each kind.
fn events() -> Vec<Value> {
    let clock = Clock::now();
    let entries = What::ALL.map(|what| {
        let mut event = Event::new(what, 1, 0);
        (event.form, event.number) = (1, 1);
        serde_json::to_value(Entry::of(&event, &clock).unwrap()).unwrap()
    });
    let lost = serde_json::json!({ "event": "lost", "lost": 1 });
    entries.into_iter().chain([lost]).collect()
}

#[test]
fn the_fields_of_events_are_documented() {
    let events = events();
    let printed: BTreeSet<_> = events.iter().flat_map(printed).collect();
    assert_eq!(documented("`ftp-nat events --json`"), printed);
    let row = |name: &str| {
        let row = DOCUMENT
            .lines()
            .find(|row| row.starts_with(&format!("| `{name}` |")) && row.contains(": `"));
        row.unwrap_or_else(|| panic!("no event {name}"))
    };
    let mut names = BTreeSet::new();
    for event in &events {
        let name = event["event"].as_str().unwrap();
        names.insert(name.to_owned());
        for field in event.as_object().unwrap().keys() {
            let always = ["at", "session", "event"].contains(&field.as_str());
            let told = row(name).contains(&format!("`{field}`"));
            assert!(always || told, "{field} of {name}");
        }
    }
    assert_eq!(documented("Events"), names);
}

#[test]
fn the_fields_of_explain_are_documented() {
    let mut history = History::new(Limits::default());
    history.note(history::tests::learned(1, 0));
    let found = history.find(&Which::Last { last: 1 });
    let around = Surroundings::default();
    let mut explanation = explain(found, None, jiff::Timestamp::now(), &around);
    explanation.sessions[0].verdicts[0]
        .advice
        .push(String::new());
    let outside = explanation.sessions[0].verdicts.clone();
    explanation.verdicts = outside;
    compare("explain", &explanation);
    let names = Name::ALL.iter().map(|name| name.text().to_owned());
    assert_eq!(documented("Verdicts"), names.collect());
}

#[test]
fn every_counter_is_documented() {
    let names: BTreeSet<_> = Counter::ALL.iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(documented("Counters"), names);
    let printed = stats::collect(&Maps::in_memory(&[]), &context()).unwrap();
    let value = serde_json::to_value(printed).unwrap();
    let printed: BTreeSet<_> = value["counters"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(printed, names);
}
