//! The command line, one file per verb.

mod config;
mod doctor;
mod events;
mod explain;
mod given;
mod logging;
mod output;
mod ports;
#[cfg(test)]
mod reference;
mod reload;
mod run;
mod sessions;
mod stats;
mod top;
mod translations;
mod unload;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Command, CommandFactory as _, Parser, Subcommand};

use crate::loader::{DEFAULT_PIN_PATH, Pins};

/// Lets FTP through a NAT gateway.
///
/// FTP tells its peer addresses inside the control connection, which NAT does
/// not translate. ftp-nat does, in the kernel, by a pair of eBPF programs on each
/// of the gateway's interfaces: it rewrites PORT, EPRT, 227 and 229, keeps the control
/// connection's sequence numbers right, and lets exactly the announced data
/// connections through. It learns how the gateway translates by watching; there
/// are no addresses to configure.
#[derive(Debug, Parser)]
#[command(name = "ftp-nat", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    logging: logging::Options,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(Box<run::Options>),
    Unload(unload::Options),
    Ports(ports::Options),
    Stats(stats::Options),
    Sessions(sessions::Options),
    Translations(translations::Options),
    Config(config::Options),
    Reload(reload::Options),
    Doctor(doctor::Options),
    Events(events::Options),
    Explain(explain::Options),
    Top(top::Options),
}

/// Where the data path is pinned.
#[derive(Clone, Debug, Args)]
struct PinPath {
    /// The directory in which maps and links are pinned.
    ///
    /// It names a data path: give the same one to every command that is about
    /// it. If there is no bpf filesystem yet, `run` mounts one: on /sys/fs/bpf
    /// for a path below it, on the directory itself (new or empty) for any other.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN_PATH)]
    pin_path: PathBuf,
}

impl PinPath {
    /// The pins, if the process may open them.
    fn open(&self) -> crate::Result<Pins> {
        crate::sys::privileges::require(crate::sys::privileges::Purpose::Inspect)?;
        Pins::existing(&self.pin_path)
    }

    /// The directory, if something is pinned there, so that `run` can be asked.
    fn served(&self) -> crate::Result<PathBuf> {
        self.open().map(|pins| pins.path().to_owned())
    }

    /// The maps that are pinned there.
    fn maps(&self) -> crate::Result<crate::maps::Maps> {
        crate::maps::Maps::open(self.open()?.path())
    }
}

/// The definition of the command line.
#[must_use]
pub fn command() -> Command {
    Cli::command()
}

/// Does what a command line says; its first word is the program's name.
pub fn run(words: Vec<OsString>) -> anyhow::Result<()> {
    let given = given::Given::new(words);
    let read = match given.read() {
        // Help, and usage, in clap's own way.
        Err(crate::Error::Usage(error)) => error.exit(),
        other => other?,
    };
    let quiet_verb = !matches!(read.cli.verb, Verb::Run(_));
    let level = read.cli.logging.start(quiet_verb);
    match read.cli.verb {
        Verb::Run(options) => run::run(*options, level, read.values, read.file, &given),
        Verb::Unload(options) => unload::run(&options),
        Verb::Ports(options) => ports::run(&options),
        Verb::Stats(options) => stats::run(&options),
        Verb::Sessions(options) => sessions::run(&options),
        Verb::Translations(options) => translations::run(&options),
        Verb::Events(options) => events::run(&options),
        Verb::Explain(options) => explain::run(&options),
        Verb::Top(options) => top::run(&options),
        Verb::Config(options) => config::run(&options),
        Verb::Reload(options) => reload::run(&options),
        Verb::Doctor(options) => doctor::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_is_explained() {
        fn check(command: &clap::Command) {
            assert!(
                command.get_about().is_some(),
                "{} has no text",
                command.get_name()
            );
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    !help.is_empty(),
                    "{} of {}",
                    arg.get_id(),
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
