//! Rows of cells in columns.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget as _,
};

use super::paint::Paints;
use crate::top::model::order::By;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// How wide it is.
    pub width: usize,
    /// Its cells stand at its right.
    pub right: bool,
    /// What its rows are ordered by, if they are ordered by it.
    pub by: Option<By>,
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub const fn text(heading: &'static str, width: usize, by: Option<By>) -> Self {
        Self {
            heading,
            width,
            right: false,
            by,
        }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn number(heading: &'static str, width: usize, by: Option<By>) -> Self {
        Self {
            heading,
            width,
            right: true,
            by,
        }
    }
}

/// A cell.
pub struct Cell(pub String, pub Style);

impl Cell {
    /// One that isn't painted.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(text.into(), Style::new())
    }
}

/// Cuts a text out in its middle, so that it isn't longer than that: of an endpoint
/// the beginning of the address and the port matter.
#[must_use]
pub fn shorten(text: &str, width: usize, paints: &Paints) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let tail = kept / 2;
    let head: String = letters[..kept - tail].iter().collect();
    let tail: String = letters[letters.len() - tail..].iter().collect();
    format!("{head}{}{tail}", paints.ellipsis())
}

/// A row: cells, each as wide as its column, a blank between them.
pub fn row<'a>(columns: &[Column], cells: Vec<Cell>, paints: &Paints) -> Line<'a> {
    let mut spans = Vec::new();
    for (column, Cell(text, style)) in columns.iter().zip(cells) {
        let text = shorten(&text, column.width, paints);
        let blanks = " ".repeat(column.width - text.chars().count());
        let text = if column.right {
            format!("{blanks}{text} ")
        } else {
            format!("{text}{blanks} ")
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// The headings; the column that rows are ordered by has an arrow.
pub fn headings<'a>(columns: &[Column], by: By, reversed: bool, paints: &Paints) -> Line<'a> {
    let mut spans = Vec::new();
    for column in columns {
        let width = column.width;
        let heading = column.heading;
        let arrow = if column.by == Some(by) {
            paints.arrow(by.is_descending() != reversed)
        } else {
            " "
        };
        let text = if column.right {
            format!("{heading:>width$}{arrow}")
        } else {
            let text = format!("{heading}{arrow}");
            format!("{text:<0$}", width + 1)
        };
        let style = if column.by == Some(by) {
            paints.heading.patch(paints.strong)
        } else {
            paints.heading
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// Puts a line into a buffer, over all of its width where it has a style.
pub fn put(line: Line<'_>, area: Rect, nth: u16, style: Option<Style>, buffer: &mut Buffer) {
    if nth >= area.height {
        return;
    }
    let place = Rect {
        y: area.y + nth,
        height: 1,
        ..area
    };
    line.render(place, buffer);
    if let Some(style) = style {
        buffer.set_style(place, style);
    }
}
