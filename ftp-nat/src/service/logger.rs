//! The log, on stderr.
//!
//! Where stderr is the journal's (sd-daemon(3): `JOURNAL_STREAM`), each line
//! begins with its priority, and the journal has the time. Elsewhere lines
//! have time and level in words.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    sync::{Mutex, PoisonError, RwLock},
    time::Instant,
};

use env_logger::{Builder, fmt::Formatter};
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::limit::{self, Limiter, Verdict};

/// The log of this process.
struct Logger {
    /// `None` before the start.
    inner: RwLock<Option<env_logger::Logger>>,
    limiter: Mutex<Option<(Instant, Limiter)>>,
}

static LOGGER: Logger = Logger {
    inner: RwLock::new(None),
    limiter: Mutex::new(None),
};

/// Starts the log, or changes how much it lets through. `wanted` is the most
/// detailed level; without it the variable `RUST_LOG` decides, and `otherwise`
/// where there is none. Gives the most detailed level that is let through.
pub fn start(wanted: Option<LevelFilter>, otherwise: LevelFilter) -> LevelFilter {
    let mut builder = Builder::new();
    match wanted {
        // What aya does to the object in detail is of use to its developers.
        Some(LevelFilter::Debug) => builder
            .filter_level(LevelFilter::Debug)
            .filter_module("aya", LevelFilter::Info),
        Some(level) => builder.filter_level(level),
        None => builder.filter_level(otherwise).parse_default_env(),
    };
    builder.format_target(false);
    if is_journal() {
        builder.format(for_the_journal);
    }
    let logger = builder.build();
    let level = logger.filter();
    *LOGGER.inner.write().unwrap_or_else(PoisonError::into_inner) = Some(logger);
    // It can't be set twice, and is this one already then.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(level);
    level
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.as_ref().is_some_and(|inner| inner.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let Some(inner) = inner.as_ref().filter(|inner| inner.matches(record)) else {
            return;
        };
        match self.judge(record) {
            Verdict::LeaveOut => return,
            Verdict::Say(0) => {}
            Verdict::Say(left_out) => {
                let text = format!("{left_out} messages like the next one were left out");
                let args = format_args!("{text}");
                let told = Record::builder()
                    .level(record.level())
                    .target(record.target())
                    .args(args)
                    .build();
                inner.log(&told);
            }
        }
        inner.log(record);
    }

    fn flush(&self) {}
}

impl Logger {
    fn judge(&self, record: &Record<'_>) -> Verdict {
        if !limit::is_limited(record.level()) {
            return Verdict::Say(0);
        }
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, limiter) = limiter.get_or_insert_with(|| (Instant::now(), Limiter::default()));
        limiter.judge(limit::kind(record), start.elapsed())
    }
}

/// Says on stderr why the process ends; to the journal as an error.
pub fn fatal(text: &str) {
    if is_journal() {
        let priority = priority(Level::Error);
        text.lines()
            .for_each(|line| eprintln!("<{priority}>{line}"));
    } else {
        eprintln!("{text}");
    }
}

/// Whether stderr goes to the journal.
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    fs::metadata("/dev/fd/2")
        .or_else(|_| fs::metadata("/proc/self/fd/2"))
        .is_ok_and(|meta| stream == *format!("{}:{}", meta.dev(), meta.ino()))
}

/// A line with its priority (sd-daemon(3)); a message of several lines has one
/// before each.
fn for_the_journal(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let priority = priority(record.level());
    for line in record.args().to_string().lines() {
        writeln!(out, "<{priority}>{line}")?;
    }
    Ok(())
}

/// syslog(3)'s: LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
