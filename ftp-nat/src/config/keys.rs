//! Which keys a configuration file can have: the long options of `run`.

use clap::{Arg, ArgAction, ArgMatches, Command, builder::ValueRange, error::ContextKind};

/// Options that say how this one call is made, or that have a key which does
/// the same; and what to do instead.
const NOT_IN_A_FILE: [(&str, &str); 5] = [
    ("config", "a file can't name another one"),
    ("help", "it is for the command line"),
    ("version", "it is for the command line"),
    ("verbose", "set log-level"),
    ("quiet", "set log-level"),
];

/// The options of `run`, by the names of their keys.
pub struct Keys {
    run: Command,
}

/// What the value of a key may look like in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `true` or `false`.
    Flag,
    /// A string or a number.
    One,
    /// A string or a number, or an array that is joined by commas.
    Joined,
    /// An array of strings or numbers, or a single one.
    List,
    /// As a list, or a table of what is written `KEY=VALUE`.
    Table,
}

impl Form {
    /// For messages.
    const fn described(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::One => "a string or a whole number",
            Self::Joined => "a string, or an array of strings and whole numbers",
            Self::List => "an array of strings or whole numbers, or a single one",
            Self::Table => "a table, or an array of strings",
        }
    }
}

impl Keys {
    /// Those of the verb `run` of a command line.
    #[must_use]
    pub fn of(mut cli: Command) -> Self {
        // Gives `run` the options that are good for all verbs.
        cli.build();
        let run = cli.find_subcommand("run").cloned().unwrap_or(cli);
        Self { run }
    }

    /// All that may stand in a file.
    pub fn all(&self) -> impl Iterator<Item = &Arg> {
        self.run.get_arguments().filter(|arg| {
            arg.get_long()
                .is_some_and(|long| NOT_IN_A_FILE.iter().all(|(not, _)| *not != long))
        })
    }

    /// The option that a key stands for; or why there is none.
    pub(super) fn find(&self, key: &str) -> Result<&Arg, String> {
        if let Some(found) = self.all().find(|arg| arg.get_long() == Some(key)) {
            return Ok(found);
        }
        if let Some((_, why)) = NOT_IN_A_FILE.iter().find(|(not, _)| *not == key) {
            return Err(format!("{key} can't be set in a file: {why}"));
        }
        let spelled = key.to_lowercase().replace('_', "-");
        // A slip of the fingers, or a part of the name.
        let likeness = |long: &str| {
            let begins =
                !spelled.is_empty() && (long.starts_with(&spelled) || spelled.starts_with(long));
            if begins || strsim::damerau_levenshtein(&spelled, long) <= 1 {
                return 1.0;
            }
            strsim::jaro_winkler(&spelled, long)
        };
        let nearest = self
            .all()
            .filter_map(Arg::get_long)
            .map(|long| (likeness(long), long))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.8);
        Err(match nearest {
            Some((_, long)) => format!("there is no key {key}: did you mean {long}?"),
            None => {
                let all: Vec<_> = self.all().filter_map(Arg::get_long).collect();
                format!("there is no key {key}: there are {}", all.join(", "))
            }
        })
    }

    /// What is wrong with a value, if anything is: it is given to the option alone.
    pub(super) fn check(&self, arg: &Arg, value: &str) -> Result<(), String> {
        // Without what ties it to other options.
        let alone = Arg::new("value")
            .long("value")
            .value_parser(arg.get_value_parser().clone())
            .allow_hyphen_values(true)
            .num_args(ValueRange::SINGLE)
            .action(ArgAction::Append);
        let alone = match arg.get_value_delimiter() {
            Some(delimiter) => alone.value_delimiter(delimiter),
            None => alone,
        };
        let command = Command::new("value").no_binary_name(true).arg(alone);
        match command.try_get_matches_from([format!("--value={value}")]) {
            Ok(_) => Ok(()),
            Err(error) => Err(reason(&error)),
        }
    }

    /// The options with what they are set to, defaults included, as text: what
    /// was given several times is joined by commas.
    #[must_use]
    pub fn values(&self, run: &ArgMatches) -> Vec<(String, String)> {
        self.all()
            .filter_map(|arg| {
                let key = arg.get_long()?.to_owned();
                let text = if form(arg) == Form::Flag {
                    run.get_flag(arg.get_id().as_str()).to_string()
                } else {
                    let raw = run.get_raw(arg.get_id().as_str());
                    let words = raw.into_iter().flatten().map(|word| word.to_string_lossy());
                    words.collect::<Vec<_>>().join(",")
                };
                Some((key, text))
            })
            .collect()
    }
}

/// Why clap refused a value, without what it says about the command line.
fn reason(error: &clap::Error) -> String {
    let allowed = error.get(ContextKind::ValidValue).map(ToString::to_string);
    if let Some(allowed) = allowed.filter(|text| !text.is_empty()) {
        let guess = error.get(ContextKind::SuggestedValue);
        let guess = guess.map(|guess| format!("; did you mean {guess}?"));
        return format!("it is one of {allowed}{}", guess.unwrap_or_default());
    }
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        // The first line is the message, what follows is how to get help.
        None => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}

/// What the value of an option looks like in a file.
pub(super) fn form(arg: &Arg) -> Form {
    let name = |text: fn(&str) -> bool| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().any(|name| text(name))
    };
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => Form::Flag,
        ArgAction::Append if name(|name| name.contains('=')) => Form::Table,
        ArgAction::Append => Form::List,
        _ if name(|name| name == "LIST") => Form::Joined,
        _ => Form::One,
    }
}

/// Whether the value is a name, of an interface or a directory: a number is none.
pub(super) fn is_name(arg: &Arg) -> bool {
    is_valued(arg, "IF") || is_directory(arg)
}

/// Whether the value is a directory.
pub(super) fn is_directory(arg: &Arg) -> bool {
    is_valued(arg, "DIR")
}

fn is_valued(arg: &Arg, by: &str) -> bool {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().any(|name| name.trim_end_matches("...") == by)
}

/// What the value has to be, for messages.
pub(super) fn described(arg: &Arg) -> &'static str {
    match form(arg) {
        Form::List if is_name(arg) => "an array of strings, or a single one",
        Form::One if is_name(arg) => "a string",
        form => form.described(),
    }
}

/// A value as it is said to people.
#[must_use]
pub fn shown(value: &str) -> &str {
    if value.is_empty() { "(none)" } else { value }
}
