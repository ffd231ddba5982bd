//! Colours, bars and curves.

use ratatui::style::{Color, Modifier, Style};

use crate::{explain::verdict::Level, render::ladder::Paint, top::model::Setting};

/// How things are painted.
#[derive(Clone, Debug)]
pub struct Paints {
    /// With letters of ASCII alone.
    pub ascii: bool,
    /// What is to be seen first.
    pub strong: Style,
    /// What need not be seen.
    pub faint: Style,
    /// Headings.
    pub heading: Style,
    /// The chosen row.
    pub chosen: Style,
    /// Something is wrong with all.
    pub alarm: Style,
    /// Something doesn't work.
    pub bad: Style,
    /// Something may not work.
    pub doubtful: Style,
    /// It works.
    pub good: Style,
    /// Curves and bars.
    pub curve: Style,
}

impl Paints {
    /// Those of a setting.
    #[must_use]
    pub fn of(setting: &Setting) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let colored = |color| {
            if setting.color { bold.fg(color) } else { bold }
        };
        Self {
            ascii: setting.ascii,
            strong: bold,
            faint: plain.add_modifier(Modifier::DIM),
            heading: if setting.color {
                plain.fg(Color::Cyan)
            } else {
                plain.add_modifier(Modifier::UNDERLINED)
            },
            chosen: plain.add_modifier(Modifier::REVERSED),
            alarm: colored(Color::Red).add_modifier(Modifier::REVERSED),
            bad: colored(Color::Red),
            doubtful: colored(Color::Yellow),
            good: if setting.color {
                plain.fg(Color::Green)
            } else {
                plain
            },
            curve: if setting.color {
                plain.fg(Color::Blue)
            } else {
                plain
            },
        }
    }

    /// For how bad it is.
    #[must_use]
    pub const fn level(&self, level: Level) -> Style {
        match level {
            Level::Problem => self.bad,
            Level::Warning => self.doubtful,
            Level::Ok => self.good,
        }
    }

    /// For a piece of a ladder.
    #[must_use]
    pub fn ladder(&self, paint: Paint) -> Style {
        match paint {
            Paint::Plain => Style::new(),
            Paint::Changed => self.good.add_modifier(Modifier::BOLD),
            Paint::Bad => self.bad,
            Paint::Doubtful => self.doubtful,
        }
    }

    /// The mark of the chosen row, and of the list that keys are for.
    #[must_use]
    pub const fn mark(&self) -> &'static str {
        if self.ascii { ">" } else { "▸" }
    }

    /// The mark of the column that rows are ordered by.
    #[must_use]
    pub const fn arrow(&self, descending: bool) -> &'static str {
        match (self.ascii, descending) {
            (true, true) => "v",
            (true, false) => "^",
            (false, true) => "▾",
            (false, false) => "▴",
        }
    }

    /// The direction of bytes.
    #[must_use]
    pub const fn direction(&self, up: bool) -> &'static str {
        match (self.ascii, up) {
            (true, true) => "^",
            (true, false) => "v",
            (false, true) => "↑",
            (false, false) => "↓",
        }
    }

    /// What stands for what is left out of a text.
    #[must_use]
    pub const fn ellipsis(&self) -> &'static str {
        if self.ascii { "~" } else { "…" }
    }

    /// The last values as a curve of that width, the latest one at the right. Its
    /// height is that of the greatest of them; what is nothing is a blank.
    #[must_use]
    pub fn curve(&self, values: &[u64], width: usize) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];
        let steps = if self.ascii { ASCII } else { BLOCKS };
        let seen = &values[values.len().saturating_sub(width)..];
        let greatest = seen.iter().copied().max().unwrap_or(0);
        let step = |value: u64| match value {
            0 => ' ',
            value => {
                let of_eight = u128::from(value) * 8 / u128::from(greatest);
                let nth = usize::try_from(of_eight).unwrap_or(8);
                steps[nth.saturating_sub(1).min(7)]
            }
        };
        let curve: String = seen.iter().copied().map(step).collect();
        format!("{curve:>width$}")
    }

    /// How full something is, as a bar of that width.
    #[must_use]
    pub fn bar(&self, part: u64, whole: u64, width: usize) -> String {
        let full = if whole == 0 {
            0
        } else {
            let full = u128::from(part) * width as u128 / u128::from(whole);
            usize::try_from(full).unwrap_or(width).min(width)
        };
        // Something is not nothing.
        let full = if part > 0 { full.max(1) } else { 0 };
        let (on, off) = if self.ascii {
            ('#', '.')
        } else {
            ('█', '░')
        };
        let letter = |n| if n < full { on } else { off };
        (0..width).map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::sample::setting;

    fn paints(ascii: bool) -> Paints {
        Paints::of(&Setting { ascii, ..setting() })
    }

    #[test]
    fn a_curve_is_as_high_as_its_greatest_value() {
        let paints = paints(false);
        assert_eq!(paints.curve(&[0, 1, 50, 100], 6), "   ▁▄█");
        assert_eq!(paints.curve(&[100, 0, 0, 7], 2), " █");
        assert_eq!(paints.curve(&[], 3), "   ");
        assert_eq!(paints.curve(&[u64::MAX, u64::MAX / 2], 2), "█▃");
        assert_eq!(super::tests::paints(true).curve(&[1, 100], 2), ".#");
    }

    #[test]
    fn a_bar_is_as_long_as_it_is_full() {
        let paints = paints(false);
        assert_eq!(paints.bar(0, 10, 4), "░░░░");
        assert_eq!(paints.bar(1, 65_536, 4), "█░░░");
        assert_eq!(paints.bar(50, 100, 4), "██░░");
        assert_eq!(paints.bar(120, 100, 4), "████");
        assert_eq!(paints.bar(0, 0, 2), "░░");
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        let plain = Paints::of(&Setting {
            color: false,
            ..setting()
        });
        for style in [
            plain.bad,
            plain.good,
            plain.doubtful,
            plain.alarm,
            plain.curve,
            plain.heading,
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}
