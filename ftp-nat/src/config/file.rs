//! Reading a configuration file.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Arg;
use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::{
    keys::{Form, Keys, described, form, is_directory, is_name},
    problem::{Problem, Problems, line, text},
};
use crate::error::{Error, Result};

/// A file in which nothing is wrong by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// A key, and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The option's long name.
    pub(super) key: String,
    /// Its values. `None`: it is a flag, and set.
    pub(super) values: Option<Vec<String>>,
}

impl File {
    /// Reads a file. All that is wrong with it is one error.
    pub fn read(path: &Path, keys: &Keys) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::ConfigurationFile {
            path: path.to_owned(),
            advice: advice(&source),
            source,
        })?;
        let wrong = |list| {
            Error::Configuration(Problems {
                path: path.to_owned(),
                list,
            })
        };
        let text = text(&bytes).map_err(|problem| wrong(vec![problem]))?;
        let entries = parse(text, keys).map_err(wrong)?;
        Ok(Self {
            path: path.to_owned(),
            entries,
        })
    }

    /// The same with one key alone.
    #[must_use]
    pub fn only(mut self, key: &str) -> Self {
        self.entries.retain(|entry| entry.key == key);
        self
    }

    /// How many keys it sets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it sets none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// What to do about a file that can't be read.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "is the name right? --config /dev/null stands for no file",
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::PermissionDenied => "run this as root, or let this user read it",
        _ => "name another file",
    }
}

pub(super) fn parse(text: &str, keys: &Keys) -> std::result::Result<Vec<Entry>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problems = errors.iter().map(|error| Problem {
            line: line(text, error.span().map_or(0, |span| span.start)),
            what: format!("this is no TOML: {}", error.message()),
        });
        return Err(problems.collect());
    }
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let mut wrong = |at: usize, what| {
            let line = line(text, at);
            problems.push(Problem { line, what });
        };
        let arg = match keys.find(name) {
            Ok(arg) => arg,
            Err(what) => {
                wrong(key.span().start, what);
                continue;
            }
        };
        match read(arg, value) {
            Err((at, what)) => wrong(at, format!("{name}: {what}")),
            Ok(None) => {}
            Ok(Some(Words::Flag)) => entries.push(Entry {
                key: name.to_owned(),
                values: None,
            }),
            Ok(Some(Words::Values(values))) => {
                for (at, value) in &values {
                    if is_name(arg) && value.is_empty() {
                        wrong(*at, format!("{name} is empty: leave it out, or name one"));
                        continue;
                    }
                    // Where `run` is started from is another matter.
                    if is_directory(arg) && !value.starts_with('/') {
                        let what = "write the whole path, from / on";
                        wrong(*at, format!("{name} can't be {value:?}: {what}"));
                    }
                    if let Err(what) = keys.check(arg, value) {
                        wrong(*at, format!("{name} can't be {value:?}: {what}"));
                    }
                }
                if let Some((at, value)) = repeated(&values) {
                    wrong(
                        *at,
                        format!("{name}: {value} is named twice, take one of them out"),
                    );
                }
                entries.push(Entry {
                    key: name.to_owned(),
                    values: Some(values.into_iter().map(|(_, value)| value).collect()),
                });
            }
        }
    }
    if problems.is_empty() {
        return Ok(entries);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(problems)
}

/// A value that was there before.
fn repeated(values: &[(usize, String)]) -> Option<&(usize, String)> {
    let mut later = values.iter().enumerate();
    let found = later.find(|(n, (_, value))| values.iter().take(*n).any(|(_, v)| v == value));
    found.map(|(_, value)| value)
}

enum Words {
    Flag,
    /// Each with its place.
    Values(Vec<(usize, String)>),
}

type Wrong = (usize, String);

fn read(arg: &Arg, value: &Spanned<DeValue<'_>>) -> std::result::Result<Option<Words>, Wrong> {
    let (form, start) = (form(arg), value.span().start);
    let other = || {
        let found = value.get_ref().type_str();
        (
            start,
            format!("it is {}, not a TOML {found}", described(arg)),
        )
    };
    let one = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::Integer(_) if is_name(arg) => Err((
            value.span().start,
            "it is a name, in quotes, not a TOML integer".to_owned(),
        )),
        _ => word(value).ok_or_else(other),
    };
    let list = |values: &[Spanned<DeValue<'_>>]| -> std::result::Result<Vec<_>, Wrong> {
        values.iter().map(one).collect()
    };
    let values = match (form, value.get_ref()) {
        (Form::Flag, DeValue::Boolean(true)) => return Ok(Some(Words::Flag)),
        (Form::Flag, DeValue::Boolean(false)) => return Ok(None),
        (Form::Flag, _) => return Err(other()),
        (Form::List | Form::Table, DeValue::Array(values)) => list(values)?,
        (Form::Joined, DeValue::Array(values)) => {
            let words: Vec<_> = list(values)?.into_iter().map(|(_, word)| word).collect();
            vec![(start, words.join(","))]
        }
        (Form::Table, DeValue::Table(table)) => {
            let mut pairs = Vec::new();
            for (key, value) in table {
                let words: Vec<_> = match value.get_ref() {
                    DeValue::Array(values) => list(values)?,
                    _ => vec![one(value)?],
                };
                let words: Vec<_> = words.into_iter().map(|(_, word)| word).collect();
                let pair = format!("{}={}", key.get_ref(), words.join(","));
                pairs.push((key.span().start, pair));
            }
            pairs.sort();
            pairs
        }
        _ => vec![one(value)?],
    };
    Ok(Some(Words::Values(values)))
}

fn word(value: &Spanned<DeValue<'_>>) -> Option<(usize, String)> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => decimal(number)?,
        _ => return None,
    };
    Some((value.span().start, text))
}

/// A number as the command line would have it: TOML's can be hexadecimal.
fn decimal(number: &DeInteger<'_>) -> Option<String> {
    let value = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    fn keys() -> Keys {
        Keys::of(command())
    }

    fn values(text: &str) -> Vec<(String, Option<Vec<String>>)> {
        let entries = parse(text, &keys()).unwrap();
        entries.into_iter().map(|e| (e.key, e.values)).collect()
    }

    fn problems(text: &str) -> Vec<(usize, String)> {
        let list = parse(text, &keys()).err().unwrap_or_default();
        list.into_iter().map(|p| (p.line, p.what)).collect()
    }

    #[test]
    fn every_form_of_a_value() {
        let set = |key: &str, words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            (key.to_owned(), Some(words))
        };
        for (text, expected) in [
            ("", vec![]),
            ("# wan = 7\n", vec![]),
            ("wan = \"eth0\"", vec![set("wan", &["eth0"])]),
            ("wan = ['a', 'b']", vec![set("wan", &["a", "b"])]),
            ("wan = []", vec![set("wan", &[])]),
            ("port = 21", vec![set("port", &["21"])]),
            ("port = [21, '2121']", vec![set("port", &["21", "2121"])]),
            ("port = '21,2121'", vec![set("port", &["21,2121"])]),
            ("mark = 0x1_0000", vec![set("mark", &["65536"])]),
            ("mark = '0x2/0x6'", vec![set("mark", &["0x2/0x6"])]),
            ("deny-ports = []", vec![set("deny-ports", &[""])]),
            (
                "deny-ports = [2049, '6000-6063']",
                vec![set("deny-ports", &["2049,6000-6063"])],
            ),
            ("no-hairpin = true", vec![("no-hairpin".to_owned(), None)]),
            ("no-hairpin = false", vec![]),
            ("data-path = 'stack'", vec![set("data-path", &["stack"])]),
            ("log-level = 'debug'", vec![set("log-level", &["debug"])]),
            (
                "[advertise]\n'10.0.0.5' = '198.51.100.5'\n'10.0.0.4' = '198.51.100.4'",
                vec![set(
                    "advertise",
                    &["10.0.0.5=198.51.100.5", "10.0.0.4=198.51.100.4"],
                )],
            ),
            (
                "[domain]\nred = ['eth1', 'eth2']\n7 = 'eth3'",
                vec![set("domain", &["red=eth1,eth2", "7=eth3"])],
            ),
        ] {
            assert_eq!(values(text), expected, "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_line_and_suggestion() {
        for (text, line, expected) in [
            ("\nwna = 'eth0'", 2, "no key wna: did you mean wan?"),
            ("deny_ports = ''", 1, "did you mean deny-ports?"),
            (
                "expect-timeout-seconds = 30",
                1,
                "did you mean expect-timeout?",
            ),
            ("Port = 21", 1, "did you mean port?"),
            ("\n\n[sessions]\nmax = 7", 3, "did you mean max-sessions?"),
            ("zzz = 1", 1, "there are wan, "),
            ("verbose = 1", 1, "set log-level"),
            ("config = 'x'", 1, "another one"),
        ] {
            let found = problems(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(
                found[0].0 == line && found[0].1.contains(expected),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn wrong_values_are_refused_with_line_and_what_is_allowed() {
        for (text, line, expected) in [
            ("expect-timeout = 29", 1, "RFC 6384"),
            ("port = [21,\n 0]", 2, "port 0"),
            ("data-path = 'fast'", 1, "it is one of redirect, stack"),
            ("data-path = 'stck'", 1, "did you mean stack?"),
            ("max-sessions = 0", 1, "1..=1048576"),
            ("max-sessions = 1.5", 1, "whole number, not a TOML float"),
            ("max-sessions = [1]", 1, "not a TOML array"),
            ("no-hairpin = 'yes'", 1, "true or false, not a TOML string"),
            ("wan = true", 1, "an array of strings"),
            ("wan = 5", 1, "a name, in quotes, not a TOML integer"),
            ("lan = ['a',\n 5]", 2, "a name, in quotes"),
            ("pin-path = 7", 1, "a name, in quotes"),
            (
                "port = [21,\n 21]",
                2,
                "21 is named twice, take one of them out",
            ),
            (
                "lan = ['a',\n'b',\n'a']",
                3,
                "a is named twice, take one of them out",
            ),
            ("wan = ''", 1, "wan is empty"),
            ("port = -1", 1, "port"),
            ("port = 65536", 1, "port"),
            ("port = ''", 1, "port"),
            ("deny-ports = '9-5'", 1, "9-5"),
            ("metrics = 65536", 1, "PORT from 1 to 65535"),
            ("metrics = 'localhost'", 1, "ADDRESS:PORT"),
            ("ftps-passive-range = '50099-50000'", 1, "50099"),
            ("pin-path = 'pins'", 1, "from / on"),
            ("hook = ''", 1, "one of auto, tcx, clsact"),
            ("log-level = 7", 1, "one of off, error"),
            ("pin-path = ''", 1, "pin-path is empty"),
            ("max-sessions = -5", 1, "1..=1048576"),
            ("mark = '0x1/0'", 1, "mark"),
            ("[advertise]\n'10.0.0.4' = '2001:db8::1'", 2, "advertise"),
            ("advertise = '10.0.0.4'", 1, "INSIDE=PUBLIC"),
            ("domain = 5", 1, "DOMAIN=IF"),
            ("wan = [['a']]", 1, "an array of strings"),
            ("[domain]\n7 = ''", 2, "DOMAIN=IF"),
            ("[advertise]\n'10.0.0.4' = 'x'", 2, "no IP address"),
            ("deny-ports = [1, 'x']", 1, "no port"),
            ("mark = 0xfffffffff", 1, "mark"),
            ("wan = 'a'\nwan = 'b'", 2, "no TOML"),
            ("wan = eth0", 1, "no TOML"),
        ] {
            let found = problems(text);
            assert!(
                found
                    .iter()
                    .any(|(at, what)| *at == line && what.contains(expected)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn a_file_that_can_not_be_read_is_told_of_with_what_to_do() {
        let said = |path: &Path| File::read(path, &keys()).unwrap_err().whole();
        let folder = std::env::temp_dir();
        let missing = said(&folder.join("ftp-nat-that-is-not-there.toml"));
        assert!(missing.contains("not-there.toml"), "{missing}");
        assert!(missing.contains("is the name right?"), "{missing}");
        let directory = said(&folder);
        assert!(directory.contains("name a file in it"), "{directory}");
        let name = format!("ftp-nat-latin1-{}.toml", std::process::id());
        let latin = folder.join(name);
        std::fs::write(&latin, b"wan = 'a'\n# \xe4\n").unwrap();
        let found = said(&latin);
        std::fs::remove_file(&latin).unwrap();
        assert!(found.contains(".toml:2: this is not UTF-8"), "{found}");
    }

    #[test]
    fn all_that_is_wrong_is_said_in_the_order_of_lines() {
        let found = problems("wna = 1\nport = 0\nexpect-timeout = 1\n");
        let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3]);
    }
}
