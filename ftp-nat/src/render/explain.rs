//! An explanation as text.

use jiff::{Timestamp, tz::TimeZone};

use super::{ladder::pieces, numbers::duration};
use crate::{
    explain::{Explained, Explanation, Verdict, steps, verdict::Level},
    history::Record,
};

/// How an explanation is shown.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// With colours.
    pub color: bool,
}

/// Widths that the verdicts' sentences are cut to.
const WIDEST: usize = 100;

/// Ladders, and what they mean.
#[must_use]
pub fn explanation(explanation: &Explanation, now: Timestamp, style: Style) -> String {
    let mut text = String::new();
    for session in &explanation.sessions {
        if !text.is_empty() {
            text.push('\n');
        }
        one(session, now, style, &mut text);
    }
    if !explanation.verdicts.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        verdicts(&explanation.verdicts, style, &mut text);
    }
    text
}

fn one(session: &Explained, now: Timestamp, style: Style, text: &mut String) {
    text.push_str(&heading(&session.record, now));
    text.push_str("\n\n");
    let ladder = steps::ladder(&session.record)
        .color(style.color)
        .times(true)
        .fit(style.width);
    text.push_str(&ladder.to_string());
    text.push('\n');
    verdicts(&session.verdicts, style, text);
}

/// When it was, and how much of it is known.
fn heading(record: &Record, now: Timestamp) -> String {
    let day = record
        .began
        .to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S");
    let ms = |from: Timestamp, to: Timestamp| {
        u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
    };
    let end = record.ended.map_or_else(
        || format!("open for {}", duration(ms(record.began, now))),
        |ended| format!("ended after {}", duration(ms(record.began, ended))),
    );
    let known = if record.beginning_seen {
        ""
    } else {
        "\nIt was there before `ftp-nat run` was started: what it did until then is not known."
    };
    format!("session {}, began {day}, {end}{known}", record.session)
}

fn verdicts(verdicts: &[Verdict], style: Style, text: &mut String) {
    let width = style.width.min(WIDEST);
    for verdict in verdicts {
        let (word, color) = match verdict.level {
            Level::Problem => ("PROBLEM", "\x1b[1;31m"),
            Level::Warning => ("WARNING", "\x1b[1;33m"),
            Level::Ok => ("OK", "\x1b[1;32m"),
        };
        let times = match verdict.times {
            1 => String::new(),
            n => format!(" (so {n} times; this is the last one)"),
        };
        let says = format!("{word}: {}{times}", verdict.says);
        for (n, line) in pieces(Some(&says), width).into_iter().enumerate() {
            let line = match (n, style.color) {
                (0, true) => line.replacen(word, &format!("{color}{word}\x1b[0m"), 1),
                _ => line,
            };
            text.push_str(&line);
            text.push('\n');
        }
        for advice in &verdict.advice {
            for (n, line) in pieces(Some(advice), width - 4).into_iter().enumerate() {
                text.push_str(if n == 0 { "  - " } else { "    " });
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
}
