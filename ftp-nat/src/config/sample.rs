//! The sample file, compared with the options.

use std::collections::BTreeSet;

use super::{Keys, file::parse, keys::form, problem::line};
use crate::cli::command;

const SAMPLE: &str = include_str!("../../../dist/config.toml");

/// The sample with every example set.
fn all_set() -> String {
    let set = |line: &str| {
        let example = line.strip_prefix('#');
        example
            .filter(|rest| {
                rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "\"[".contains(c))
            })
            .unwrap_or(line)
            .to_owned()
    };
    SAMPLE.lines().map(set).collect::<Vec<_>>().join("\n")
}

#[test]
fn as_it_is_installed_it_sets_nothing() {
    assert_eq!(parse(SAMPLE, &Keys::of(command())), Ok(Vec::new()));
}

#[test]
fn it_has_every_option_and_can_be_read() {
    let (text, keys) = (all_set(), Keys::of(command()));
    // A flag that is set to false leaves no entry, so keys are counted in the text.
    parse(&text, &keys).unwrap();
    let table = toml::from_str::<toml::Table>(&text).unwrap();
    let found: BTreeSet<_> = table.keys().map(String::as_str).collect();
    let expected: BTreeSet<_> = keys.all().filter_map(clap::Arg::get_long).collect();
    assert_eq!(
        found, expected,
        "dist/config.toml has an example of every option"
    );
}

#[test]
fn what_it_shows_is_the_default_where_there_is_one() {
    let (text, keys) = (all_set(), Keys::of(command()));
    let entries = parse(&text, &keys).unwrap();
    for arg in keys.all() {
        let key = arg.get_long().unwrap();
        let default: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        if default.is_empty() || form(arg) == super::keys::Form::Flag {
            continue;
        }
        let entry = entries.iter().find(|entry| entry.key == key).unwrap();
        let shown = entry.values.clone().unwrap();
        assert_eq!(shown, default, "{key}");
    }
}

#[test]
fn a_mistake_in_it_is_found_at_its_line() {
    let text = all_set().replace("expect-timeout", "expect-timout");
    let problems = parse(&text, &Keys::of(command())).unwrap_err();
    let at = text.find("expect-timout").unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].line, line(&text, at));
}

/// The rows of the table of all keys: the key, and the default that is written
/// as code.
fn documented() -> Vec<(String, Option<String>)> {
    let text = include_str!("../../../docs/configuration.md");
    let table = text.split("## Every key").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cell = |text: &str| {
        let code = text.trim().strip_prefix('`')?.strip_suffix('`')?;
        Some(code.to_owned())
    };
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        (cell(cells[0]).unwrap(), cell(cells[2]))
    })
    .collect()
}

#[test]
fn the_document_has_every_key_and_its_default() {
    let keys = Keys::of(command());
    let documented = documented();
    let found: BTreeSet<_> = documented.iter().map(|(key, _)| key.as_str()).collect();
    let expected: BTreeSet<_> = keys.all().filter_map(clap::Arg::get_long).collect();
    assert_eq!(
        found, expected,
        "docs/configuration.md has a row for every option"
    );
    for arg in keys
        .all()
        .filter(|arg| form(arg) != super::keys::Form::Flag)
    {
        let default: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        let row = documented
            .iter()
            .find(|(key, _)| arg.get_long() == Some(key))
            .unwrap();
        if !default.is_empty() {
            assert_eq!(
                row.1.as_deref(),
                Some(default.join(",").as_str()),
                "{}",
                row.0
            );
        }
    }
}
