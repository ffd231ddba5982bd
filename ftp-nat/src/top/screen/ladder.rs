//! The session that is looked at, in the words of `explain`.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{paint::Paints, table::put};
use crate::top::model::{Model, ladder::Ladder};

/// How many lines of it are seen.
#[must_use]
pub fn rows_in(area: Rect) -> usize {
    area.height.saturating_sub(1).into()
}

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, ladder: &Ladder, paints: &Paints) {
    let buffer = frame.buffer_mut();
    let title = format!("{}ftp-nat explain {}", paints.mark(), ladder.session);
    let (first, last, all) = ladder.place();
    let place = if all > rows_in(area) {
        format!("   lines {first} to {last} of {all}")
    } else {
        String::new()
    };
    let title = Line::from(vec![Span::styled(title, paints.strong), Span::raw(place)]);
    put(title, area, 0, None, buffer);
    if !ladder.is_known() {
        let text = if model.not_served.is_some() {
            "  what happened is in the memory of `ftp-nat run`, which is not running"
        } else if ladder.was_asked() {
            "  nothing is known of it: it was not heard of lately, and gave way to others"
        } else {
            "  reading ..."
        };
        put(
            Line::from(Span::styled(text, paints.faint)),
            area,
            2,
            None,
            buffer,
        );
        return;
    }
    for (n, line) in ladder.seen().iter().enumerate() {
        let pieces = line
            .iter()
            .map(|(paint, text)| Span::styled(text.clone(), paints.ladder(*paint)));
        let nth = u16::try_from(n + 1).unwrap_or(u16::MAX);
        put(Line::from_iter(pieces), area, nth, None, buffer);
    }
}
