//! How much is said on stderr.

use clap::{ArgAction, Args, ValueEnum};
use log::LevelFilter;

use crate::service::logger;

#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct Options {
    /// Say more on stderr: once for debug, twice for trace.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with_all = ["quiet", "log_level"])]
    verbose: u8,
    /// Say less on stderr: once for warnings and errors, twice for errors only.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "log_level")]
    quiet: u8,
    /// The most detailed messages on stderr.
    ///
    /// Default: info for `run`, warn for all others. It goes for the messages of
    /// the kernel side too: those below it cost nothing there. The environment
    /// variable RUST_LOG has finer filters (module=level,...); these options win.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<Level>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Options {
    /// Starts the log; gives the most detailed level that is let through.
    pub(super) fn start(&self, quiet_verb: bool) -> LevelFilter {
        let default = if quiet_verb {
            LevelFilter::Warn
        } else {
            LevelFilter::Info
        };
        logger::start(self.level(), default)
    }

    /// The level that the options ask for, or `otherwise`.
    pub(super) fn level_or(&self, otherwise: LevelFilter) -> LevelFilter {
        self.level().unwrap_or(otherwise)
    }

    /// The level that the options ask for, if they do.
    fn level(&self) -> Option<LevelFilter> {
        match (self.log_level, self.verbose, self.quiet) {
            (Some(level), ..) => Some(match level {
                Level::Off => LevelFilter::Off,
                Level::Error => LevelFilter::Error,
                Level::Warn => LevelFilter::Warn,
                Level::Info => LevelFilter::Info,
                Level::Debug => LevelFilter::Debug,
                Level::Trace => LevelFilter::Trace,
            }),
            (None, 0, 0) => None,
            (None, 1, 0) => Some(LevelFilter::Debug),
            (None, _, 0) => Some(LevelFilter::Trace),
            (None, _, 1) => Some(LevelFilter::Warn),
            (None, ..) => Some(LevelFilter::Error),
        }
    }
}
