//! What is looked for.

use std::fmt::{Display, Write as _};

/// Words that a row must have, or, those behind `!`, must not have. Case is of no
/// matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
}

impl Filter {
    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether all rows are shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words().next().is_none()
    }

    /// Looks for this.
    pub fn set(&mut self, text: &str) {
        text.clone_into(&mut self.text);
    }

    /// One more letter was typed.
    pub fn push(&mut self, letter: char) {
        if !letter.is_control() && self.text.len() < 100 {
            self.text.push(letter);
        }
    }

    /// The last letter goes.
    pub fn pop(&mut self) {
        self.text.pop();
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let words = self.text.split_whitespace();
        words.filter(|word| *word != "!")
    }

    /// What lets the rows by that it wants.
    #[must_use]
    pub fn sieve(&self) -> Sieve {
        let words = self.words().map(|word| match word.strip_prefix('!') {
            Some(word) => (false, word.to_lowercase()),
            None => (true, word.to_lowercase()),
        });
        Sieve {
            words: words.collect(),
            row: Row::default(),
        }
    }
}

/// The words of a filter, and a row that is looked at.
pub struct Sieve {
    /// Whether the row must have it.
    words: Vec<(bool, String)>,
    row: Row,
}

impl Sieve {
    /// Whether a row is shown; `show` adds its texts.
    pub fn lets_by(&mut self, show: impl FnOnce(&mut Row)) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let row = &mut self.row;
        row.0.clear();
        show(row);
        if row.0.is_ascii() {
            row.0.make_ascii_lowercase();
        } else {
            row.0 = row.0.to_lowercase();
        }
        self.words
            .iter()
            .all(|(wanted, word)| row.0.contains(word) == *wanted)
    }
}

/// The texts of a row.
#[derive(Default)]
pub struct Row(String);

impl Row {
    /// One more.
    pub fn add(&mut self, text: impl Display) {
        // A string takes all that is written to it.
        let _ = write!(self.0, "{text} ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_asked_for() {
        let lets_by = |filter: &str| {
            let mut it = Filter::default();
            it.set(filter);
            it.sieve().lets_by(|row| {
                for text in ["10.10.0.1:40000", "PORT", "no data connection, É"] {
                    row.add(text);
                }
            })
        };
        assert!(lets_by(""));
        assert!(lets_by(" port 10.10"));
        assert!(!lets_by("port 10.11"));
        assert!(lets_by("!pasv"));
        assert!(!lets_by("10.10 !DATA"));
        assert!(lets_by("é"));
        assert!(lets_by("!"), "it was begun to be typed");
        assert!(!lets_by("40000port"), "each word in one text");
    }

    #[test]
    fn it_is_typed_letter_by_letter() {
        let mut filter = Filter::default();
        for letter in "ab\u{7}é".chars() {
            filter.push(letter);
        }
        assert_eq!(filter.text(), "abé");
        filter.pop();
        assert_eq!(filter.text(), "ab");
    }
}
