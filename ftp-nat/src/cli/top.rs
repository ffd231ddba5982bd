//! `ftp-nat top`.

use std::{
    env,
    io::{IsTerminal as _, stderr, stdout},
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::tz::TimeZone;

use super::PinPath;
use crate::top::{drive, model::Setting};

/// Show sessions, transfers and refusals as they come and go.
///
/// On the whole terminal, of 80 columns and 24 lines at least. Each session has a
/// verdict; `enter` shows its ladder, in the words of `explain`. `?` explains all
/// keys. A `run` that ends is waited for.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Seconds between two readings.
    ///
    /// Where there is so much to read that it takes more than a tenth of that time,
    /// they are further apart.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval: u64,
    /// Draw with letters of ASCII alone.
    ///
    /// So it is done by itself on the Linux console, and where the locale isn't of
    /// UTF-8. The environment variable NO_COLOR switches colours off.
    #[arg(long)]
    ascii: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    show(options).context("top")
}

fn show(options: &Options) -> anyhow::Result<()> {
    if !stdout().is_terminal() {
        bail!(
            "this needs a terminal to draw on. Into a file or a pipe print `ftp-nat sessions`, \
             `ftp-nat translations`, `ftp-nat stats --watch` or `ftp-nat events --follow`"
        );
    }
    let name = variable("TERM").unwrap_or_default();
    if name == "dumb" {
        bail!("this needs a terminal that can move its cursor, and TERM={name} can't");
    }
    let setting = Setting {
        pin_path: options.pin_path.served()?,
        interval: Duration::from_secs(options.interval),
        ascii: options.ascii || name == "linux" || !is_utf8(),
        color: variable("NO_COLOR").is_none(),
        zone: TimeZone::system(),
    };
    if stderr().is_terminal() {
        // Messages would be in the middle of the screen.
        log::set_max_level(log::LevelFilter::Off);
    }
    drive::run(setting)
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Whether letters beyond ASCII can be read, by locale(7).
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
