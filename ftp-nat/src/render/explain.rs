//! An explanation as text.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    ladder::{Paint, pieces},
    numbers::duration,
};
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

/// A line, in pieces that are painted differently.
pub type Line = Vec<(Paint, String)>;

/// Widths that the verdicts' sentences are cut to.
const WIDEST: usize = 100;
/// Less can't be read, and lines may be broken by the terminal then.
const NARROWEST: usize = 20;

/// Ladders, and what they mean.
#[must_use]
pub fn explanation(explanation: &Explanation, now: Timestamp, style: Style) -> String {
    let zone = TimeZone::system();
    let mut parts: Vec<Vec<Line>> = explanation
        .sessions
        .iter()
        .map(|session| session_lines(session, now, style.width, &zone))
        .collect();
    if !explanation.verdicts.is_empty() {
        parts.push(verdicts(&explanation.verdicts, style.width));
    }
    let mut text = String::new();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        for (paint, piece) in part.iter().flat_map(with_end) {
            let paint = if style.color { *paint } else { Paint::Plain };
            text.push_str(&paint.text(piece));
        }
    }
    text
}

/// The pieces of a line, and its end.
fn with_end(line: &Line) -> impl Iterator<Item = (&Paint, &str)> {
    let pieces = line.iter().map(|(paint, piece)| (paint, piece.as_str()));
    pieces.chain([(&Paint::Plain, "\n")])
}

/// A session: its heading, its ladder, and what it means.
#[must_use]
pub fn session_lines(
    session: &Explained,
    now: Timestamp,
    width: usize,
    zone: &TimeZone,
) -> Vec<Line> {
    let plain = |text: String| vec![(Paint::Plain, text)];
    let mut lines: Vec<Line> = heading(&session.record, now, zone)
        .into_iter()
        .map(plain)
        .collect();
    lines.push(Line::new());
    let ladder = steps::ladder(&session.record).times(true).fit(width);
    let rows = ladder.lines().into_iter();
    lines.extend(rows.map(|(paint, row)| vec![(paint, row.trim_end().to_owned())]));
    lines.push(Line::new());
    lines.extend(verdicts(&session.verdicts, width));
    lines
}

/// When it was, and how much of it is known.
fn heading(record: &Record, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let day = record
        .began
        .to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S");
    let ms = |from: Timestamp, to: Timestamp| {
        u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
    };
    let end = record.ended.map_or_else(
        || format!("open for {}", duration(ms(record.began, now))),
        |ended| format!("ended after {}", duration(ms(record.began, ended))),
    );
    let mut lines = vec![format!("session {}, began {day}, {end}", record.session)];
    if !record.beginning_seen {
        lines.push(
            "It was there before `ftp-nat run` was started: what it did until then is not known."
                .to_owned(),
        );
    }
    lines
}

/// What it means, and what to do.
fn verdicts(verdicts: &[Verdict], width: usize) -> Vec<Line> {
    let width = width.clamp(NARROWEST, WIDEST);
    let mut lines = Vec::new();
    for verdict in verdicts {
        let (word, paint) = match verdict.level {
            Level::Problem => ("PROBLEM", Paint::Bad),
            Level::Warning => ("WARNING", Paint::Doubtful),
            Level::Ok => ("OK", Paint::Changed),
        };
        let times = match verdict.times {
            1 => String::new(),
            n => format!(" (so {n} times; this is the last one)"),
        };
        let says = format!("{word}: {}{times}", verdict.says);
        for (n, line) in pieces(Some(&says), width).into_iter().enumerate() {
            lines.push(match line.strip_prefix(word) {
                Some(rest) if n == 0 => {
                    vec![(paint, word.to_owned()), (Paint::Plain, rest.to_owned())]
                }
                _ => vec![(Paint::Plain, line)],
            });
        }
        for advice in &verdict.advice {
            for (n, line) in pieces(Some(advice), width - 4).into_iter().enumerate() {
                let indent = if n == 0 { "  - " } else { "    " };
                lines.push(vec![(Paint::Plain, format!("{indent}{line}"))]);
            }
        }
    }
    lines
}
