//! The file together with the command line.

use std::ffi::OsString;

use clap::{ArgMatches, Command, parser::ValueSource};

use super::file::{Entry, File};

/// The words of a command line with those that the file adds: an option that
/// was given, or that one that was given rules out, is not taken from the file.
#[must_use]
pub fn with_command_line(
    words: &[OsString],
    file: &File,
    command: &Command,
    given: &ArgMatches,
) -> Vec<OsString> {
    let entries = file.entries.iter();
    let added = entries.filter(|entry| !is_overruled(entry, command, given));
    let added = added.flat_map(spelled).map(OsString::from);
    words.iter().cloned().chain(added).collect()
}

fn is_overruled(entry: &Entry, command: &Command, given: &ArgMatches) -> bool {
    let long = Some(entry.key.as_str());
    let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == long) else {
        // An option that this verb doesn't have.
        return true;
    };
    let is_given = |id: &clap::Id| {
        given.try_contains_id(id.as_str()).is_ok()
            && given.value_source(id.as_str()) == Some(ValueSource::CommandLine)
    };
    let excludes = |other: &&clap::Arg| {
        let of = |arg| command.get_arg_conflicts_with(arg);
        of(arg).iter().any(|a| a.get_id() == other.get_id())
            || of(other).iter().any(|a| a.get_id() == arg.get_id())
    };
    let mut others = command.get_arguments().filter(excludes);
    is_given(arg.get_id()) || others.any(|other| is_given(other.get_id()))
}

fn spelled(entry: &Entry) -> Vec<String> {
    let key = &entry.key;
    match &entry.values {
        None => vec![format!("--{key}")],
        Some(values) => values.iter().map(|v| format!("--{key}={v}")).collect(),
    }
}
