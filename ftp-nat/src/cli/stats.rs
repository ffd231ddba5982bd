//! `ftp-nat stats`.

use std::{
    io::{IsTerminal as _, stdout},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;

use super::{PinPath, output};
use crate::{
    render,
    view::{Context, stats::collect},
};

/// Print the counters and how full the tables are.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Print JSON (docs/json.md); with --watch one object per line.
    #[arg(long)]
    json: bool,
    /// Print again and again until interrupted.
    #[arg(long)]
    watch: bool,
    /// Seconds between two prints of --watch.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Show the counters that stand at 0 too (JSON always has all).
    #[arg(long)]
    all: bool,
}

/// Clears the screen and moves to its top.
const CLEAR: &str = "\x1b[2J\x1b[H";

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let maps = options.pin_path.maps().context("stats")?;
    loop {
        let stats = collect(&maps, &Context::now()?).context("stats")?;
        match (options.json, options.watch) {
            (true, true) => output::json_line(&stats)?,
            (true, false) => output::json(&stats)?,
            (false, watch) => {
                let clear = if watch && stdout().is_terminal() {
                    CLEAR
                } else {
                    ""
                };
                output::text(&format!("{clear}{}", render::stats(&stats, options.all)))?;
            }
        }
        if !options.watch {
            return Ok(());
        }
        thread::sleep(Duration::from_secs(options.interval));
    }
}
