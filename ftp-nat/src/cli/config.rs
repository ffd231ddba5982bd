//! `ftp-nat config`.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Subcommand};

use super::{Cli, given, output};
use crate::{
    config::{self, File, Keys},
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
    },
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let Action::Check { file } = &options.action;
    let count = File::read(file, &Keys::of(Cli::command()))?.len();
    // As `run` would: what is wrong only together is found too.
    let Some((_, plan)) = given::planned(Some(file)) else {
        return Ok(());
    };
    let plan = plan?;
    let config = &plan.config;
    if let Err(e) = interfaces::select(&config.wan, &config.lan, &links::all()?) {
        log::warn!(
            "`run` with this file alone would be refused here: {}",
            e.whole()
        );
    }
    let keys = if count == 1 { "key" } else { "keys" };
    output::text(&format!("{}: good, {count} {keys} set\n", file.display()))
}
