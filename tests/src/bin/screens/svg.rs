//! A terminal's screen as a picture.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// Width and height of a letter, in units of the picture.
const LETTER: (f64, f64) = (8.4, 17.0);
/// Round the screen.
const MARGIN: f64 = 10.0;
const INK: &str = "#d8dee9";
const GROUND: &str = "#1c2128";

/// What letters beside each other have in common.
#[derive(Clone, PartialEq)]
struct Look {
    ink: &'static str,
    ground: Option<&'static str>,
    bold: bool,
}

fn ink(color: Color) -> &'static str {
    match color {
        Color::Idx(1 | 9) => "#f47067",
        Color::Idx(2 | 10) => "#57ab5a",
        Color::Idx(3 | 11) => "#daaa3f",
        Color::Idx(4 | 12) => "#6cb6ff",
        Color::Idx(6 | 14) => "#56d4dd",
        _ => INK,
    }
}

fn look(cell: &Cell) -> Look {
    let ink = match ink(cell.fgcolor()) {
        INK if cell.dim() => "#8b949e",
        ink => ink,
    };
    if cell.inverse() {
        Look {
            ink: GROUND,
            ground: Some(ink),
            bold: cell.bold(),
        }
    } else {
        Look {
            ink,
            ground: None,
            bold: cell.bold(),
        }
    }
}

/// The picture.
pub fn of(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (width, height) = (
        f64::from(columns) * LETTER.0 + 2.0 * MARGIN,
        f64::from(rows) * LETTER.1 + 2.0 * MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" \
         rx=\"6\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            column = run(screen, row, column, &mut svg);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Letters of one look, from a column on; gives the column behind them.
fn run(screen: &Screen, row: u16, from: u16, svg: &mut String) -> u16 {
    let (_, columns) = screen.size();
    let at = |column| screen.cell(row, column);
    let Some(first) = at(from).map(look) else {
        return from + 1;
    };
    let (mut text, mut to) = (String::new(), from);
    while let Some(cell) = at(to).filter(|cell| to < columns && look(cell) == first) {
        let letter = cell.contents();
        text.push_str(if letter.is_empty() { " " } else { letter });
        to += 1;
    }
    let (x, y) = (
        MARGIN + f64::from(from) * LETTER.0,
        MARGIN + f64::from(row) * LETTER.1,
    );
    let width = f64::from(to - from) * LETTER.0;
    // Writing to a string can't fail.
    if let Some(ground) = first.ground {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{ground}\"/>",
            LETTER.1
        );
    }
    if !text.trim().is_empty() {
        let weight = if first.bold {
            " font-weight=\"bold\""
        } else {
            ""
        };
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" xml:space=\"preserve\" \
             fill=\"{}\"{weight}>{text}</text>",
            y + 13.0,
            first.ink
        );
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_keep_their_places_and_colours() {
        let mut parser = vt100::Parser::new(2, 10, 0);
        parser.process(b"a <b>\r\n\x1b[31mred\x1b[0;7mturned");
        let svg = of(parser.screen());
        assert!(svg.contains(">a &lt;b&gt;     </text>"), "{svg}");
        assert!(svg.contains("y=\"40.0\" textLength=\"25.2\""), "{svg}");
        assert!(svg.contains("fill=\"#f47067\">red</text>"), "{svg}");
        assert!(svg.contains("fill=\"#1c2128\">turned</text>"), "{svg}");
        assert_eq!(
            svg.matches("<rect").count(),
            2,
            "the ground, and what is turned"
        );
    }
}
