//! The keys, and what is shown.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{paint::Paints, table::put};
use crate::top::model::Model;

/// Keys, and what they do.
const KEYS: &[(&str, &str)] = &[
    (
        "up, down, j, k",
        "choose a row; page up, page down, home, end too",
    ),
    (
        "enter",
        "look closer: the ladder of a session, or of a transfer's,",
    ),
    (
        "",
        "as `ftp-nat explain` draws it; the sessions with a refusal",
    ),
    (
        "tab, 1, 2, 3",
        "the next list; sessions, transfers, refusals",
    ),
    (
        "/",
        "show only rows with these words; !word: only rows without it",
    ),
    ("esc", "back; show all rows again"),
    ("s, S", "order by the next column, by the one before"),
    ("r", "the other way round"),
    ("p, space", "pause, go on"),
    ("ctrl-l, ctrl-z", "draw all anew; stop until `fg`"),
    ("q, ctrl-c", "quit (Q from anywhere)"),
];

/// What needs an explanation.
const WORDS: &[(&str, &str)] = &[
    (
        "MODE",
        "the form of the last announcement; TLS: it can't be read",
    ),
    (
        "VERDICT",
        "what matters most of what `explain` says; xN: so N times",
    ),
    (
        "RATE",
        "bytes of IP packets in a second, and which way most of them go",
    ),
    (
        "Waiting",
        "announced data connections that have not come yet",
    ),
];

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, paints: &Paints) {
    let buffer = frame.buffer_mut();
    let title = format!("{}Help", paints.mark());
    put(
        Line::from(Span::styled(title, paints.strong)),
        area,
        0,
        None,
        buffer,
    );
    let mut nth = 1;
    let mut line = |name: &str, text: &str| {
        let line = Line::from(vec![
            Span::styled(format!("  {name:<15}"), paints.strong),
            Span::raw(text.to_owned()),
        ]);
        put(line, area, nth, None, buffer);
        nth += 1;
    };
    for (keys, text) in KEYS {
        line(keys, text);
    }
    line("", "");
    for (word, text) in WORDS {
        line(word, text);
    }
    let pins = model.setting.pin_path.display().to_string();
    line("Pins", &pins);
}
