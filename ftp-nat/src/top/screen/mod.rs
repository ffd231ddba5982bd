//! Draws the model.
//!
//! | module | holds |
//! |---|---|
//! | [`layout`] | what is where |
//! | [`paint`] | colours, bars and curves |
//! | [`header`] | totals, and how full the tables are |
//! | [`table`] | columns |
//! | [`lists`] | the three lists |
//! | [`detail`] | the chosen row in full |
//! | [`ladder`] | the session that is looked at |
//! | [`help`] | the keys |

pub mod detail;
#[cfg(test)]
mod documented;
pub mod header;
pub mod help;
pub mod ladder;
pub mod layout;
pub mod lists;
pub mod paint;
pub mod table;
#[cfg(test)]
pub(crate) mod tests;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use self::{
    layout::{HEIGHT, Layout, WIDTH},
    paint::Paints,
};
use super::{model::Model, reading::NotServed};

/// Makes the model fit a terminal of that size.
pub fn fit(model: &mut Model, area: Rect) {
    let layout = Layout::of(model, area);
    for (pane, area) in &layout.panes {
        model.fit_pane(*pane, lists::rows_in(*area));
    }
    let main = layout.main;
    let zone = model.setting.zone.clone();
    if let Some(ladder) = &mut model.ladder {
        ladder.fit(main.width.into(), ladder::rows_in(main), &zone);
    }
}

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let paints = Paints::of(&model.setting);
    if area.width < WIDTH || area.height < HEIGHT {
        return too_small(frame, area);
    }
    let layout = Layout::of(model, area);
    header::draw(frame, layout.header, model, &paints);
    if let Some(banner) = layout.banner {
        let text = notice(model).unwrap_or_default();
        frame.render_widget(Paragraph::new(text).style(paints.alarm), banner);
    }
    if model.help {
        help::draw(frame, layout.main, model, &paints);
    } else if let Some(shown) = &model.ladder {
        ladder::draw(frame, layout.main, model, shown, &paints);
    } else {
        lists::draw(frame, &layout, model, &paints);
    }
    footer(frame, layout.footer, model, &paints);
}

/// What is wrong, if something is.
fn notice(model: &Model) -> Option<String> {
    if let Some(why) = &model.no_tables {
        return Some(format!(" Waiting: {why}"));
    }
    if let Some(why) = &model.not_served {
        let why = match why {
            NotServed::NotRunning => "`ftp-nat run` is not running, waiting".to_owned(),
            NotServed::Other(why) => format!("`ftp-nat run` can't be asked: {why}"),
        };
        let since = model.served_at.as_ref().map_or_else(String::new, |at| {
            let at = at.to_zoned(model.setting.zone.clone());
            format!("; verdicts are of {}", at.strftime("%H:%M:%S"))
        });
        return Some(format!(" {why}. FTP goes on{since}."));
    }
    let draining = model.tables.as_ref().is_some_and(|t| t.stats.draining);
    draining.then(|| " `ftp-nat unload` drains: nothing new is helped.".to_owned())
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let lines = [
        "ftp-nat top needs more room:".to_owned(),
        format!("{WIDTH} columns and {HEIGHT} lines."),
        format!("Here are {} and {}.", area.width, area.height),
        "Make it larger, or press q.".to_owned(),
    ];
    let top = area.height.saturating_sub(4) / 2;
    let middle = Rect {
        y: area.y + top,
        height: area.height.min(4),
        ..area
    };
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).centered(), middle);
}

fn footer(frame: &mut Frame<'_>, area: Rect, model: &Model, paints: &Paints) {
    if model.typing.is_some() && !model.help {
        let line = Line::from(vec![
            Span::styled(" filter: ", paints.strong),
            Span::raw(model.filter.text().to_owned()),
            Span::styled(if paints.ascii { "_" } else { "▏" }, paints.strong),
            Span::styled("  (enter keeps it, esc drops it)", paints.faint),
        ]);
        frame.render_widget(Paragraph::new(line), area);
        return;
    }
    let pause = if model.paused { "go on" } else { "pause" };
    let keys: &[(&str, &str)] = if model.help {
        &[("esc", "back"), ("Q", "quit")]
    } else if model.ladder.is_some() {
        &[
            ("esc", "back"),
            ("up/down", "scroll"),
            ("home/end", "top, verdict"),
            ("p", pause),
            ("?", "help"),
            ("Q", "quit"),
        ]
    } else {
        &[
            ("?", "help"),
            ("/", "filter"),
            ("s", "sort"),
            ("r", "reverse"),
            ("enter", "look"),
            ("tab", "next"),
            ("p", pause),
            ("q", "quit"),
        ]
    };
    let mut spans = vec![Span::raw(" ")];
    for (key, what) in keys {
        spans.push(Span::styled((*key).to_owned(), paints.strong));
        spans.push(Span::raw(format!(" {what}  ")));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
