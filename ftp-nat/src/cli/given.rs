//! The command line as it was given, together with the configuration file.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Verb, run};
use crate::{
    config::{self, File, Keys},
    daemon::Plan,
    error::{Error, Result},
};

/// The words of a command line, the program's name included.
pub(super) struct Given {
    words: Vec<OsString>,
}

/// What a command line comes to.
pub(super) struct Read {
    pub(super) cli: Cli,
    /// The options of `run` with their values; empty for other verbs.
    pub(super) values: Vec<(String, String)>,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
}

impl Given {
    pub(super) fn new(words: Vec<OsString>) -> Self {
        Self { words }
    }

    /// Reads the command line, and the file that it names or that is read
    /// without being named.
    pub(super) fn read(&self) -> Result<Read> {
        let plain = parse(&self.words)?;
        let (words, file) = match (&plain.cli.verb, file_of(&plain.cli.verb)) {
            (Verb::Run(_), None) => (self.words.clone(), None),
            (Verb::Run(_), Some(path)) => {
                let file = File::read(&path, &Keys::of(Cli::command()))?;
                (self.with(&file, &plain.matches), Some(path))
            }
            _ => (self.with_default_pin_path(&plain.matches), None),
        };
        let whole = parse(&words)?;
        let run = whole.matches.subcommand_matches("run");
        let values = run.map(|run| Keys::of(Cli::command()).values(run));
        Ok(Read {
            cli: whole.cli,
            values: values.unwrap_or_default(),
            file,
        })
    }

    /// What `run` is to do now, the file being read anew.
    pub(super) fn plan(&self, level: log::LevelFilter) -> Result<Plan> {
        let Read { cli, values, file } = self.read()?;
        match cli.verb {
            Verb::Run(options) => run::plan(*options, cli.logging.level_or(level), values, file),
            _ => Err(Error::CommandLine("it is not that of `run`".to_owned())),
        }
    }

    fn with(&self, file: &File, given: &ArgMatches) -> Vec<OsString> {
        let mut command = Cli::command();
        command.build();
        let (mut at, mut matches) = (&command, given);
        while let Some((name, below)) = matches.subcommand() {
            let Some(next) = at.find_subcommand(name) else {
                break;
            };
            (at, matches) = (next, below);
        }
        config::with_command_line(&self.words, file, at, matches)
    }

    /// The pins are where the file has them, for the commands that look at them.
    fn with_default_pin_path(&self, given: &ArgMatches) -> Vec<OsString> {
        let path = Path::new(config::DEFAULT_PATH);
        // What follows `--` is no option.
        if !path.exists() || self.words.iter().any(|word| word == "--") {
            return self.words.clone();
        }
        match File::read(path, &Keys::of(Cli::command())) {
            Ok(file) => self.with(&file.only("pin-path"), given),
            Err(e) => {
                log::debug!("{}", e.whole());
                self.words.clone()
            }
        }
    }
}

/// What `run` would do by a file alone: the one that is named, or the one that
/// is there. `None` if none is.
pub(super) fn planned(file: Option<&Path>) -> Option<(PathBuf, Result<Plan>)> {
    let default = Path::new(config::DEFAULT_PATH);
    let file = file.or_else(|| default.exists().then_some(default))?;
    let mut words: Vec<OsString> = ["ftp-nat", "run", "--config"].map(Into::into).to_vec();
    words.push(file.into());
    Some((file.to_owned(), Given::new(words).plan(log::max_level())))
}

/// The file that a verb reads: the one that is named, or the one that is there.
fn file_of(verb: &Verb) -> Option<PathBuf> {
    let Verb::Run(options) = verb else {
        return None;
    };
    let default = || Some(PathBuf::from(config::DEFAULT_PATH)).filter(|path| path.exists());
    options.config.clone().or_else(default)
}

struct Parsed {
    cli: Cli,
    matches: ArgMatches,
}

fn parse(words: &[OsString]) -> Result<Parsed> {
    let command: Command = Cli::command();
    let matches = command.try_get_matches_from(words)?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(Parsed { cli, matches })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::loader::Config;

    /// What comes of a file with a command line behind `run`.
    fn config(text: &str, words: &str) -> Result<Config> {
        let name = format!(
            "ftp-nat-given-{}-{:p}",
            std::process::id(),
            &raw const words
        );
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        let file = format!("--config={}", path.display());
        let words = ["ftp-nat", "run"]
            .into_iter()
            .chain(words.split_whitespace())
            .chain([file.as_str()])
            .map(OsString::from);
        let plan = Given::new(words.collect()).plan(log::LevelFilter::Info);
        fs::remove_file(path).unwrap();
        plan.map(|plan| plan.config)
    }

    #[test]
    fn the_file_gives_what_the_command_line_leaves_open() {
        let file = "wan = 'a'\nlan = ['b', 'c']\nport = [21, 2121]\nexpect-timeout = 90\n\
                    no-hairpin = true\nlog-level = 'debug'\n[advertise]\n'10.0.0.4' = '198.51.100.4'\n";
        let from_file = config(file, "").unwrap();
        assert_eq!(
            (from_file.wan, from_file.lan.len()),
            (vec!["a".to_owned()], 2)
        );
        assert_eq!(from_file.ports.unwrap().to_string(), "21,2121");
        assert_eq!(from_file.policy.expect_timeout.seconds(), 90);
        assert!(!from_file.policy.hairpin);
        assert_eq!(from_file.advertise.len(), 1);
        assert_eq!(from_file.log_level, log::LevelFilter::Debug);
        let both = config(file, "--port 990 --wan x y -q").unwrap();
        assert_eq!(
            (both.wan.join(" "), both.lan.join(" ")),
            ("x y".into(), "b c".into())
        );
        assert_eq!(both.ports.unwrap().to_string(), "990");
        // Asking for less is another way to name a level.
        assert_eq!(both.log_level, log::LevelFilter::Warn);
    }

    #[test]
    fn what_is_wrong_is_said_whoever_brought_it() {
        let error = |file, words| config(file, words).unwrap_err().to_string();
        assert!(error("wan = 'a'\nprot = 21", "").contains(":2: "));
        let twice = "wan = 'a'\nadvertise = ['10.0.0.4=198.51.100.4', '10.0.0.4=198.51.100.5']";
        assert!(error(twice, "").contains("two public addresses"));
        assert!(error("wan = 'a'", "--port 0").contains("port 0"));
    }

    #[test]
    fn a_named_file_must_be_there() {
        let words = ["ftp-nat", "run", "--config", "/nonexistent/ftp-nat.toml"];
        let given = Given::new(words.map(OsString::from).to_vec());
        let error = given.plan(log::LevelFilter::Info).err().unwrap().whole();
        assert!(error.contains("/nonexistent/ftp-nat.toml"), "{error}");
    }
}
