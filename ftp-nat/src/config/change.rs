//! What differs between two configurations.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::shown;

/// An option whose value is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The option, without its dashes: the key in the file.
    pub option: String,
    /// What it was; empty where it had none.
    pub before: String,
    /// What it is to be; empty where it has none.
    pub after: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            option,
            before,
            after,
        } = self;
        write!(f, "{option}: {} -> {}", shown(before), shown(after))
    }
}

/// The options that differ. Both lists have the same options in the same order,
/// as [`super::Keys::values`] gives them.
#[must_use]
pub fn between(before: &[(String, String)], after: &[(String, String)]) -> Vec<Change> {
    let pairs = before.iter().zip(after);
    pairs
        .filter(|((_, before), (_, after))| before != after)
        .map(|((option, before), (_, after))| Change {
            option: option.clone(),
            before: before.clone(),
            after: after.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_said() {
        let values = |port: &str, wan: &str| {
            [("port", port), ("wan", wan), ("mark", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        let changes = between(&values("21", "a"), &values("", "a,b"));
        let said: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["port: 21 -> (none)", "wan: a -> a,b"]);
    }
}
