//! Two captures drawn side by side, as a ladder: what one end said, and what
//! reached the other.

use std::{fmt, time::Duration};

use anyhow::Result;

use crate::lab::capture::{Direction, Sides, Stream, Syn};

/// What a row needs besides the two columns.
const FRAME: usize = 14;
/// Width of each column, where nothing is known of the terminal: 98 in all.
const COLUMN: usize = 42;
/// The least that can be read.
const NARROWEST: usize = 26;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
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

/// One row: the same thing as seen at both ends.
#[derive(Debug, Clone)]
struct Row {
    at: Duration,
    way: Way,
    client: Option<String>,
    server: Option<String>,
}

impl Row {
    fn fate(&self) -> Fate {
        match (&self.client, &self.server) {
            (Some(a), Some(b)) if a == b => Fate::Same,
            (Some(_), Some(_)) => Fate::Changed,
            _ => Fate::Lost,
        }
    }
}

/// A ladder, ready to be printed.
#[derive(Debug, Clone)]
pub struct Ladder {
    client: String,
    server: String,
    rows: Vec<Row>,
    color: bool,
    column: usize,
}

impl Ladder {
    /// Draws what was said over control connections to a port, and the first
    /// packets of the data connections.
    pub fn new(sides: &Sides, port: u16, client: &str, server: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for (c, s) in sides.control(port)? {
            rows.extend(rows_of(&c.to_server, &s.to_server, Way::ToServer));
            rows.extend(rows_of(&s.to_client, &c.to_client, Way::ToClient));
        }
        rows.extend(openings(
            &sides.client.data_syns(port),
            &sides.server.data_syns(port),
        ));
        rows.sort_by_key(|row| row.at);
        Ok(Self {
            client: client.to_owned(),
            server: server.to_owned(),
            rows,
            color: false,
            column: COLUMN,
        })
    }

    /// With colours, for a terminal.
    #[must_use]
    pub fn color(mut self, on: bool) -> Self {
        self.color = on;
        self
    }

    /// Made to fit a terminal.
    #[must_use]
    pub fn fit(mut self, width: usize) -> Self {
        self.column = (width.saturating_sub(FRAME) / 2).clamp(NARROWEST, COLUMN);
        self
    }
}

/// Pairs lines by their number: neither end can lose or gain one.
fn rows_of(sent: &Stream, received: &Stream, way: Way) -> Vec<Row> {
    let received = received.lines();
    let rows = sent.lines().into_iter().enumerate().map(|(n, line)| {
        let sent = Some(shown(&line.text));
        let arrived = received.get(n).map(|l| shown(&l.text));
        let (client, server) = match way {
            Way::ToServer => (sent, arrived),
            Way::ToClient => (arrived, sent),
        };
        Row {
            at: line.at,
            way,
            client,
            server,
        }
    });
    rows.collect()
}

/// A line without what is nobody's business.
fn shown(text: &str) -> String {
    match text.get(..5) {
        Some(verb) if verb.eq_ignore_ascii_case("PASS ") => format!("{verb}***"),
        _ => text.to_owned(),
    }
}

/// Pairs data SYNs by their first sequence number, which nobody changes.
fn openings(client: &[Syn], server: &[Syn]) -> Vec<Row> {
    let text = |s: &Syn| format!("SYN {} > {}", s.from, s.to);
    let mut rows = Vec::new();
    for (way, senders, receivers) in [
        (Way::ToServer, client, server),
        (Way::ToClient, server, client),
    ] {
        for syn in senders.iter().filter(|s| s.direction == Direction::Sent) {
            let arrived = receivers
                .iter()
                .find(|r| r.direction == Direction::Received && r.seq == syn.seq)
                .map(text);
            let sent = Some(text(syn));
            let (client, server) = match way {
                Way::ToServer => (sent, arrived),
                Way::ToClient => (arrived, sent),
            };
            rows.push(Row {
                at: syn.at,
                way,
                client,
                server,
            });
        }
    }
    rows
}

/// Cuts a text into pieces of a column's width, between words where it can.
fn pieces(text: Option<&String>, width: usize) -> Vec<String> {
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
        let column = self.column;
        let rule = "-".repeat(column);
        writeln!(f, "  {:<column$}  gateway   {}", self.client, self.server)?;
        writeln!(f, "  {rule}  -------   {rule}")?;
        for row in &self.rows {
            let (paint, plain) = match (self.color, row.fate()) {
                (false, _) | (_, Fate::Same) => ("", ""),
                (true, Fate::Changed) => ("\x1b[1;32m", "\x1b[0m"),
                (true, Fate::Lost) => ("\x1b[1;31m", "\x1b[0m"),
            };
            let (left, right) = (
                pieces(row.client.as_ref(), column),
                pieces(row.server.as_ref(), column),
            );
            for n in 0..left.len().max(right.len()) {
                let arrow = match (n, row.way, row.fate()) {
                    (0, Way::ToServer, Fate::Same) => "------>",
                    (0, Way::ToServer, Fate::Changed) => "--[*]->",
                    (0, Way::ToServer, Fate::Lost) => "---> X ",
                    (0, Way::ToClient, Fate::Same) => "<------",
                    (0, Way::ToClient, Fate::Changed) => "<-[*]--",
                    (0, Way::ToClient, Fate::Lost) => " X <---",
                    _ => "",
                };
                let at = |side: &[String]| side.get(n).cloned().unwrap_or_default();
                let line = format!(
                    "  {paint}{:<column$}  {arrow:<7}   {}",
                    at(&left),
                    at(&right)
                );
                writeln!(f, "{}{plain}", line.trim_end())?;
            }
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
    fn passwords_and_control_characters_are_not_shown() {
        assert_eq!(shown("pass secret"), "pass ***");
        assert_eq!(cut("a\x1b[1m", 10), ["a.[1m"]);
    }

    #[test]
    fn a_row_shows_what_was_changed_or_lost() {
        let ladder = Ladder {
            client: "client".into(),
            server: "server".into(),
            rows: vec![
                Row {
                    at: Duration::ZERO,
                    way: Way::ToServer,
                    client: Some("PORT 1".into()),
                    server: Some("PORT 2".into()),
                },
                Row {
                    at: Duration::ZERO,
                    way: Way::ToClient,
                    client: None,
                    server: Some("SYN".into()),
                },
            ],
            color: false,
            column: 26,
        };
        let text = ladder.to_string();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "  PORT 1                      --[*]->   PORT 2",
                "                               X <---   SYN",
            ]
        );
    }
}
