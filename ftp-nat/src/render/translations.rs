//! `translations` as text.

use super::{
    numbers::{bytes, duration},
    table::Table,
};
use crate::view::translations::Translations;

/// One line per announced data connection.
#[must_use]
pub fn translations(translations: &Translations) -> String {
    if translations.translations.is_empty() {
        return "no translations\n".to_owned();
    }
    let mut table = Table::new([
        "STATE",
        "BY",
        "SAID",
        "ANNOUNCED",
        "BECAME",
        "PEER",
        "PATH",
        ">AGE",
        ">LEFT",
        ">SENT",
        ">RECEIVED",
    ]);
    for t in &translations.translations {
        table.push([
            t.state.to_owned(),
            t.announced_by.to_owned(),
            t.announcement.to_owned(),
            t.announced.to_string(),
            t.became.to_string(),
            t.peer.to_string(),
            t.path.unwrap_or("-").to_owned(),
            duration(t.age_ms),
            duration(t.expires_in_ms),
            bytes(t.bytes_from_announcer),
            bytes(t.bytes_to_announcer),
        ]);
    }
    let mut text = table.render();
    text.push_str("(SENT and RECEIVED are the announcer's; LEFT is the time until a silent one is given up)\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{
        self,
        sessions::tests::context,
        translations::{Which, tests::sample},
    };

    #[test]
    fn a_translation_is_one_line() {
        let all = view::translations::collect(&sample(), &context(), Which::All).unwrap();
        let text = translations(&all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].starts_with("established  client  PORT  10.10.0.1:4000  61.144.1.2:5000"));
        assert!(lines[1].ends_with("90.0 kB     500 B"), "{text}");
        assert!(lines[2].starts_with("pending "), "{text}");
    }
}
