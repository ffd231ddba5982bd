//! What is looked for.

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

    /// Whether a row of these texts is shown.
    pub fn lets_by<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        if self.is_empty() {
            return true;
        }
        let mut row = String::new();
        for text in texts {
            row.push_str(&text.to_lowercase());
            row.push(' ');
        }
        self.words().all(|word| match word.strip_prefix('!') {
            Some(word) => !row.contains(&word.to_lowercase()),
            None => row.contains(&word.to_lowercase()),
        })
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
            it.lets_by(["10.10.0.1:40000", "PORT", "no data connection"])
        };
        assert!(lets_by(""));
        assert!(lets_by(" port 10.10"));
        assert!(!lets_by("port 10.11"));
        assert!(lets_by("!pasv"));
        assert!(!lets_by("10.10 !DATA"));
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
