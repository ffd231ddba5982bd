//! What is where.

use ratatui::layout::Rect;

use crate::top::model::{Model, Pane};

/// The narrowest terminal, in columns.
pub const WIDTH: u16 = 80;
/// The lowest terminal, in lines.
pub const HEIGHT: u16 = 24;
/// From so many lines on all lists are seen at once.
const ALL_AT_ONCE: u16 = 36;
/// Lines of the header.
const HEADER: u16 = 4;
/// Lines for the chosen row in full.
const DETAIL: u16 = 2;
/// Lines of a list besides its rows: its title and its headings.
pub const FRAME: u16 = 2;

/// Where the parts of the screen are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Totals.
    pub header: Rect,
    /// What is wrong.
    pub banner: Option<Rect>,
    /// All between.
    pub main: Rect,
    /// The lists in it.
    pub panes: Vec<(Pane, Rect)>,
    /// The chosen row in full, below them.
    pub detail: Rect,
    /// Keys.
    pub footer: Rect,
}

impl Layout {
    /// Of a model on a terminal of that size.
    #[must_use]
    pub fn of(model: &Model, area: Rect) -> Self {
        let mut rest = area;
        let header = take(&mut rest, HEADER);
        let banner = super::notice(model).map(|_| take(&mut rest, 1));
        let main = Rect {
            height: rest.height.saturating_sub(1),
            ..rest
        };
        take(&mut rest, main.height);
        let mut below = main;
        let lists = take(&mut below, main.height.saturating_sub(DETAIL));
        let panes = if area.height >= ALL_AT_ONCE {
            stacked(lists, model)
        } else {
            vec![(model.pane, lists)]
        };
        Self {
            header,
            banner,
            main,
            panes,
            detail: below,
            footer: rest,
        }
    }
}

/// Cuts lines off at the top.
fn take(rest: &mut Rect, lines: u16) -> Rect {
    let lines = lines.min(rest.height);
    let cut = Rect {
        height: lines,
        ..*rest
    };
    rest.y += lines;
    rest.height -= lines;
    cut
}

/// One below the other: refusals have as many lines as they need, up to a quarter;
/// transfers a third, sessions the rest.
fn stacked(main: Rect, model: &Model) -> Vec<(Pane, Rect)> {
    let mut rest = main;
    let needed = u16::try_from(model.refusals.len().max(1)).unwrap_or(u16::MAX);
    let reasons = needed.saturating_add(FRAME).min(main.height / 4);
    let transfers = main.height / 3;
    // The gaps between them.
    let sessions = main.height - transfers - reasons - 2;
    let mut panes = Vec::new();
    for (pane, lines) in Pane::ALL.into_iter().zip([sessions, transfers, reasons]) {
        panes.push((pane, take(&mut rest, lines)));
        take(&mut rest, 1);
    }
    panes
}
