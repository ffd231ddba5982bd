//! `ftp-nat stats`.

use std::{
    io::{IsTerminal as _, stdout},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use jiff::Zoned;

use super::{PinPath, output};
use crate::{
    render,
    view::{
        Context,
        stats::{Stats, collect},
    },
};

/// Print the counters and how full the tables are.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Print JSON (docs/json.md); with --watch one object per line.
    #[arg(long)]
    json: bool,
    /// Print again and again until interrupted, so many seconds apart
    /// [default: 1 second].
    ///
    /// On a terminal always in the same place, cut to what fits; SINCE is by how much
    /// a counter has grown since the last time.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch: Option<u64>,
    /// Show the counters that stand at 0 too (JSON always has all).
    #[arg(long)]
    all: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let Some(seconds) = options.watch else {
        let stats = read(options)?;
        return if options.json {
            output::json(&stats)
        } else {
            output::text(&render::stats(&stats, None, options.all))
        };
    };
    let mut before: Option<Stats> = None;
    loop {
        let stats = read(options)?;
        if options.json {
            output::json_line(&stats)?;
        } else {
            output::text(&page(&stats, before.as_ref(), seconds, options.all))?;
        }
        before = Some(stats);
        thread::sleep(Duration::from_secs(seconds));
    }
}

/// The maps are opened anew each time: so it is those that are pinned now.
fn read(options: &Options) -> anyhow::Result<Stats> {
    let maps = options.pin_path.maps().context("stats")?;
    collect(&maps, &Context::now()?).context("stats")
}

/// What is printed each time.
fn page(stats: &Stats, before: Option<&Stats>, seconds: u64, all: bool) -> String {
    let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
    let every = if seconds == 1 {
        "every second".to_owned()
    } else {
        format!("every {seconds} seconds")
    };
    // The first time there is nothing to compare with, but the columns stay.
    let text = render::stats(stats, Some(before.unwrap_or(stats)), all);
    let text = format!("ftp-nat stats, {now}, {every}\n\n{text}");
    if !stdout().is_terminal() {
        return format!("{text}\n");
    }
    let size = terminal_size::terminal_size();
    let (columns, lines) = size.map_or((80, 24), |(columns, lines)| {
        (usize::from(columns.0), usize::from(lines.0))
    });
    in_place(&text, columns, lines)
}

/// Over what was printed before: line by line, so that nothing flickers.
fn in_place(text: &str, columns: usize, lines: usize) -> String {
    const TOP: &str = "\x1b[H";
    const REST_OF_LINE: &str = "\x1b[K";
    const REST_OF_SCREEN: &str = "\x1b[J";
    // The cursor is in the last one.
    let room = lines.saturating_sub(1).max(1);
    let all = text.lines().count();
    let mut shown: Vec<String> = text
        .lines()
        .take(room)
        .map(|line| line.chars().take(columns).collect())
        .collect();
    if all > room
        && let Some(last) = shown.last_mut()
    {
        let more = format!("({} more lines than fit here)", all - room + 1);
        *last = more.chars().take(columns).collect();
    }
    let mut out = TOP.to_owned();
    for line in shown {
        out.push_str(&line);
        out.push_str(REST_OF_LINE);
        out.push('\n');
    }
    out.push_str(REST_OF_SCREEN);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_place_of_the_one_before() {
        let text = in_place("abcdef\nb\n", 3, 9);
        assert_eq!(text, "\x1b[Habc\x1b[K\nb\x1b[K\n\x1b[J");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let text = in_place("a\nb\nc\nd\n", 80, 3);
        assert_eq!(
            text,
            "\x1b[Ha\x1b[K\n(3 more lines than fit here)\x1b[K\n\x1b[J"
        );
        assert!(in_place("a\nb\nc\n", 80, 4).contains("c\x1b[K"), "it fits");
        assert!(in_place("a\nb\n", 80, 0).starts_with("\x1b[H"));
    }
}
