//! A ladder: what one end of a connection said, and what reached the other one,
//! side by side.

use std::{fmt, time::Duration};

/// What a row needs besides the two columns.
const FRAME: usize = 14;
/// What a row needs besides, where it says when.
const TIME: usize = 9;
/// Width of each column, where nothing is known of the terminal: 98 in all.
const COLUMN: usize = 42;
/// The least that can be read.
const NARROWEST: usize = 26;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The client.
    ToServer,
    /// The server.
    ToClient,
}

/// What is worth a look in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrived as it was sent.
    Same,
    /// It arrived with another text or address.
    Changed,
    /// It never arrived.
    Lost,
}

/// One row.
#[derive(Debug, Clone)]
pub enum Row {
    /// The same thing as seen at both ends.
    Said {
        /// When, since some beginning.
        at: Duration,
        /// Who said it.
        way: Way,
        /// What the client said or got.
        client: Option<String>,
        /// What the server got or said.
        server: Option<String>,
    },
    /// What the gateway has to say.
    Gateway {
        /// When, since some beginning.
        at: Duration,
        /// What it is.
        text: String,
        /// It is no good news.
        bad: bool,
    },
}

impl Row {
    /// When it was.
    #[must_use]
    pub const fn at(&self) -> Duration {
        match self {
            Self::Said { at, .. } | Self::Gateway { at, .. } => *at,
        }
    }
}

fn fate(client: Option<&String>, server: Option<&String>) -> Fate {
    match (client, server) {
        (Some(a), Some(b)) if a == b => Fate::Same,
        (Some(_), Some(_)) => Fate::Changed,
        _ => Fate::Lost,
    }
}

/// How a line is to be painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Not at all.
    Plain,
    /// Something was changed.
    Changed,
    /// Something went wrong.
    Bad,
    /// Something may go wrong.
    Doubtful,
}

impl Paint {
    /// A text in a terminal's colours.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Changed => 32,
            Self::Bad => 31,
            Self::Doubtful => 33,
        };
        format!("\x1b[1;{code}m{text}\x1b[0m")
    }
}

/// A ladder, ready to be printed.
#[derive(Debug, Clone)]
pub struct Ladder {
    client: String,
    server: String,
    rows: Vec<Row>,
    color: bool,
    times: bool,
    column: usize,
}

impl Ladder {
    /// Of these rows, in their order, between a client and a server.
    #[must_use]
    pub fn new(client: &str, server: &str, rows: Vec<Row>) -> Self {
        Self {
            client: client.to_owned(),
            server: server.to_owned(),
            rows,
            color: false,
            times: false,
            column: COLUMN,
        }
    }

    /// With colours, for a terminal.
    #[must_use]
    pub const fn color(mut self, on: bool) -> Self {
        self.color = on;
        self
    }

    /// With the time of each row.
    #[must_use]
    pub const fn times(mut self, on: bool) -> Self {
        self.times = on;
        self
    }

    /// Made to fit a terminal.
    #[must_use]
    pub fn fit(mut self, width: usize) -> Self {
        let frame = FRAME + if self.times { TIME } else { 0 };
        self.column = (width.saturating_sub(frame) / 2).clamp(NARROWEST, COLUMN);
        self
    }

    /// Its lines, and how to paint them.
    #[must_use]
    pub fn lines(&self) -> Vec<(Paint, String)> {
        let column = self.column;
        let rule = "-".repeat(column);
        let margin = " ".repeat(if self.times { TIME } else { 0 });
        let mut lines = Vec::new();
        let (left, right) = (&self.client, &self.server);
        let (left, right) = (pieces(Some(left), column), pieces(Some(right), column));
        for n in 0..left.len().max(right.len()) {
            let at = |side: &[String]| side.get(n).cloned().unwrap_or_default();
            let gateway = if n == 0 { "gateway" } else { "" };
            let (left, right) = (at(&left), at(&right));
            let line = format!("{margin}  {left:<column$}  {gateway:<7}   {right}");
            lines.push((Paint::Plain, line.trim_end().to_owned()));
        }
        lines.push((Paint::Plain, format!("{margin}  {rule}  -------   {rule}")));
        for row in &self.rows {
            let mut drawn = match row {
                Row::Said {
                    way,
                    client,
                    server,
                    ..
                } => self.said(*way, client.as_ref(), server.as_ref()),
                Row::Gateway { text, bad, .. } => {
                    let paint = if *bad { Paint::Bad } else { Paint::Plain };
                    let width = 2 * column + FRAME - 6;
                    let pieces = pieces(Some(text), width).into_iter().enumerate();
                    pieces
                        .map(|(n, piece)| {
                            (
                                paint,
                                format!("  {} {piece}", if n == 0 { "**" } else { "  " }),
                            )
                        })
                        .collect()
                }
            };
            if self.times {
                for (n, (_, line)) in drawn.iter_mut().enumerate() {
                    let at = if n == 0 {
                        format!("{:>8.3}s", row.at().as_secs_f64())
                    } else {
                        margin.clone()
                    };
                    line.insert_str(0, &at);
                }
            }
            lines.append(&mut drawn);
        }
        lines
    }

    /// The lines of what an end said.
    fn said(
        &self,
        way: Way,
        client: Option<&String>,
        server: Option<&String>,
    ) -> Vec<(Paint, String)> {
        let column = self.column;
        let fate = fate(client, server);
        let paint = match fate {
            Fate::Same => Paint::Plain,
            Fate::Changed => Paint::Changed,
            Fate::Lost => Paint::Bad,
        };
        let (left, right) = (pieces(client, column), pieces(server, column));
        let lines = (0..left.len().max(right.len())).map(|n| {
            let arrow = match (n, way, fate) {
                (0, Way::ToServer, Fate::Same) => "------>",
                (0, Way::ToServer, Fate::Changed) => "--[*]->",
                (0, Way::ToServer, Fate::Lost) => "---> X ",
                (0, Way::ToClient, Fate::Same) => "<------",
                (0, Way::ToClient, Fate::Changed) => "<-[*]--",
                (0, Way::ToClient, Fate::Lost) => " X <---",
                _ => "",
            };
            let at = |side: &[String]| side.get(n).cloned().unwrap_or_default();
            let line = format!("  {:<column$}  {arrow:<7}   {}", at(&left), at(&right));
            (paint, line.trim_end().to_owned())
        });
        lines.collect()
    }
}

/// Cuts a text into pieces of a column's width, between words where it can.
pub(crate) fn pieces(text: Option<&String>, width: usize) -> Vec<String> {
    let text = text.map_or("", String::as_str);
    let mut rest: Vec<char> = text
        .chars()
        .map(|c| if c.is_control() { '.' } else { c })
        .collect();
    let mut pieces = Vec::new();
    while rest.len() > width {
        let space = rest[..=width].iter().rposition(|c| *c == ' ');
        let cut = space.filter(|at| *at > 0).unwrap_or(width);
        let tail = rest.split_off(cut);
        pieces.push(rest.iter().collect());
        rest = tail.into_iter().skip_while(|c| *c == ' ').collect();
    }
    if !rest.is_empty() {
        pieces.push(rest.iter().collect());
    }
    pieces
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (paint, line) in self.lines() {
            let paint = if self.color { paint } else { Paint::Plain };
            writeln!(f, "{}", paint.text(line.trim_end()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, width: usize) -> Vec<String> {
        pieces(Some(&text.to_owned()), width)
    }

    #[test]
    fn long_lines_are_cut_between_words() {
        assert_eq!(
            cut("227 Entering Passive Mode (1,2,3,4,5,6).", 28),
            ["227 Entering Passive Mode", "(1,2,3,4,5,6)."]
        );
        assert_eq!(cut("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(cut("abcd", 4), ["abcd"]);
        assert!(cut("", 4).is_empty());
    }

    #[test]
    fn control_characters_are_not_shown() {
        assert_eq!(cut("a\x1b[1m", 10), ["a.[1m"]);
    }

    fn ladder() -> Ladder {
        let rows = vec![
            Row::Said {
                at: Duration::ZERO,
                way: Way::ToServer,
                client: Some("PORT 1".into()),
                server: Some("PORT 2".into()),
            },
            Row::Said {
                at: Duration::from_millis(1500),
                way: Way::ToClient,
                client: None,
                server: Some("SYN".into()),
            },
            Row::Gateway {
                at: Duration::from_secs(60),
                text: "nobody came".into(),
                bad: true,
            },
        ];
        Ladder::new("client", "server", rows).fit(66)
    }

    #[test]
    fn a_row_shows_what_was_changed_or_lost() {
        let text = ladder().to_string();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "  PORT 1                      --[*]->   PORT 2",
                "                               X <---   SYN",
                "  ** nobody came",
            ]
        );
    }

    #[test]
    fn times_fit_into_eighty_columns() {
        let text = ladder().times(true).fit(80).to_string();
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        let last = text.lines().last().unwrap();
        assert_eq!(last, "  60.000s  ** nobody came");
    }

    #[test]
    fn the_names_of_the_ends_fit_too() {
        let mut ladder = ladder().times(true);
        ladder.client = "client 10.10.0.1:40000 (as 61.144.1.2:50000)".to_owned();
        let text = ladder.fit(80).to_string();
        let lines: Vec<&str> = text.lines().take(3).collect();
        assert_eq!(
            lines,
            [
                "           client 10.10.0.1:40000 (as    gateway   server",
                "           61.144.1.2:50000)",
                "           ----------------------------  -------   ----------------------------",
            ]
        );
    }

    #[test]
    fn only_what_is_worth_a_look_is_painted() {
        let text = ladder().color(true).to_string();
        let painted = |line: &str| line.starts_with('\x1b');
        let lines: Vec<_> = text.lines().map(painted).collect();
        assert_eq!(lines, [false, false, true, true, true]);
    }
}
