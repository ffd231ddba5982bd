//! `ftp-nat config`.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Subcommand};

use super::{Cli, given, output};
use crate::{
    config::{self, File, Keys},
    error::Error,
    loader::interfaces,
    sys::links,
};

/// Look at the configuration file.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is wrong with a configuration file, line by line.
    ///
    /// Nothing is loaded or changed. Interfaces that don't exist on this machine
    /// are told of, and are no error of the file.
    Check {
        /// The file.
        #[arg(default_value = config::DEFAULT_PATH)]
        file: PathBuf,
        /// The same, as for `run`.
        #[arg(
            long = "config",
            value_name = "FILE",
            hide = true,
            conflicts_with = "file"
        )]
        as_option: Option<PathBuf>,
    },
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let Action::Check { file, as_option } = &options.action;
    let file = as_option.as_ref().unwrap_or(file);
    let count = File::read(file, &Keys::of(Cli::command()))?.len();
    // As `run` would: what is wrong only together is found too.
    let Some((_, plan)) = given::planned(Some(file)) else {
        return Ok(());
    };
    let plan = plan?;
    let config = &plan.config;
    for domain in &config.domains {
        let is_known = |name: &String| config.wan.contains(name) || config.lan.contains(name);
        // On every machine, unless the command line names more.
        if let Some(name) = domain.interfaces.iter().find(|name| !is_known(name)) {
            let error = Error::DomainOfOther { name: name.clone() };
            log::warn!("`run` with this file alone would be refused: {error}");
        }
    }
    match interfaces::select(&config.wan, &config.lan, &links::all()?) {
        Ok(_) => {}
        // On every machine.
        Err(e @ (Error::InterfaceTwice { .. } | Error::InterfaceBothKinds { .. })) => {
            return Err(anyhow::Error::new(e).context(file.display().to_string()));
        }
        Err(e) => log::warn!(
            "`run` with this file alone would be refused here: {}",
            e.whole()
        ),
    }
    let keys = if count == 1 { "key" } else { "keys" };
    output::text(&format!("{}: good, {count} {keys} set\n", file.display()))
}
