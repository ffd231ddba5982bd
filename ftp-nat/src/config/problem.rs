//! What is wrong with a configuration file.

use std::{fmt, path::PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, and what to do.
    pub what: String,
}

/// All that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file.
    pub path: PathBuf,
    /// In the order of lines; not empty.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if let [Problem { line, what }] = &self.list[..] {
            return write!(f, "{path}:{line}: {what}");
        }
        write!(f, "{} things are wrong with {path}:", self.list.len())?;
        for Problem { line, what } in &self.list {
            write!(f, "\n{path}:{line}: {what}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The line, from 1, of a place in `text` that is given in bytes.
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// The text of a file: TOML is UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Problem {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            what: "this is not UTF-8, which TOML is written in: save the file as UTF-8".to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let text = "a\nb\n\nc";
        let lines: Vec<_> = (0..=9).map(|at| line(text, at)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 3, 4, 4, 4, 4, 4]);
    }
}
