//! The session that is looked at.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    events::SessionId,
    explain::{Explained, Surroundings},
    render::{self, ladder::Paint},
    top::reading::Told,
};

/// A line, in pieces that are painted differently.
pub type Line = Vec<(Paint, String)>;

/// What is shown of it.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// Which it is.
    pub session: SessionId,
    /// What is known; `None` until it was told, or where nothing is.
    explained: Option<Explained>,
    asked: bool,
    now: Timestamp,
    lines: Vec<Line>,
    width: usize,
    height: usize,
    /// The first line that is seen.
    offset: usize,
    /// It stays at its end, where the verdict is.
    at_end: bool,
}

impl Ladder {
    /// Of a session, of which nothing was told yet.
    #[must_use]
    pub const fn new(session: SessionId) -> Self {
        Self {
            session,
            explained: None,
            asked: false,
            now: Timestamp::UNIX_EPOCH,
            lines: Vec::new(),
            width: 0,
            height: 1,
            offset: 0,
            at_end: true,
        }
    }

    /// Whether `run` answered.
    #[must_use]
    pub const fn was_asked(&self) -> bool {
        self.asked
    }

    /// Whether there is something to show.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.explained.is_some()
    }

    /// `run` answered.
    pub fn take(&mut self, told: &Told, now: Timestamp, around: &Surroundings) {
        if !told.asked.contains(&self.session) {
            return;
        }
        self.asked = true;
        // What gave way to others is shown as it was.
        if let Some(explained) = super::verdicts::explained(told, self.session, now, around) {
            self.explained = Some(explained);
            self.now = now;
            self.width = 0;
        }
    }

    /// There are so many columns and lines for it.
    pub fn fit(&mut self, width: usize, height: usize, zone: &TimeZone) {
        self.height = height.max(1);
        if width != self.width {
            self.width = width;
            self.lines = match &self.explained {
                Some(explained) => render::session_lines(explained, self.now, width, zone),
                None => Vec::new(),
            };
        }
        self.settle();
    }

    const fn last(&self) -> usize {
        self.lines.len().saturating_sub(self.height)
    }

    fn settle(&mut self) {
        self.offset = if self.at_end {
            self.last()
        } else {
            self.offset.min(self.last())
        };
    }

    /// Goes so many lines down, or up.
    pub fn go(&mut self, lines: isize) {
        self.offset = self.offset.saturating_add_signed(lines).min(self.last());
        self.at_end = self.offset == self.last();
    }

    /// Goes so many screens down, or up.
    pub fn page(&mut self, screens: isize) {
        let lines = isize::try_from(self.height).unwrap_or(isize::MAX);
        self.go(lines.saturating_mul(screens));
    }

    /// The lines that are seen.
    #[must_use]
    pub fn seen(&self) -> &[Line] {
        let end = (self.offset + self.height).min(self.lines.len());
        &self.lines[self.offset.min(end)..end]
    }

    /// Which lines are seen, from 1, and how many there are.
    #[must_use]
    pub fn place(&self) -> (usize, usize, usize) {
        (
            self.offset + 1,
            self.offset + self.seen().len(),
            self.lines.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::sample;

    fn ladder() -> Ladder {
        let mut ladder = Ladder::new(SessionId(1));
        let told = Told {
            asked: vec![SessionId(1)],
            ..sample::told()
        };
        ladder.take(&told, sample::now(), &Surroundings::default());
        ladder
    }

    #[test]
    fn the_verdict_is_seen_first() {
        let mut ladder = ladder();
        ladder.fit(80, 4, &TimeZone::UTC);
        let end = ladder.place();
        assert_eq!(end.1, end.2);
        let text: String = ladder
            .seen()
            .iter()
            .flatten()
            .map(|(_, t)| t.as_str())
            .collect();
        assert!(text.contains("OK: PORT worked"), "{text}");
        ladder.go(-1);
        assert_eq!(ladder.place().0, end.0 - 1);
        ladder.page(-99);
        assert_eq!(ladder.place().0, 1);
        ladder.page(1);
        assert_eq!(ladder.place().0, 5);
        ladder.go(isize::MAX);
        assert_eq!(ladder.place(), end);
    }

    #[test]
    fn it_is_drawn_for_the_width_that_there_is() {
        let mut ladder = ladder();
        ladder.fit(80, 99, &TimeZone::UTC);
        let count = ladder.place().2;
        assert!(
            ladder.seen().iter().all(|line| line
                .iter()
                .map(|(_, t)| t.chars().count())
                .sum::<usize>()
                <= 80)
        );
        ladder.fit(120, 99, &TimeZone::UTC);
        assert!(ladder.place().2 < count, "less is broken into two lines");
    }

    #[test]
    fn what_is_told_of_others_is_no_answer() {
        let mut ladder = Ladder::new(SessionId(7));
        ladder.take(&sample::told(), sample::now(), &Surroundings::default());
        assert!(!ladder.was_asked());
        let told = Told {
            asked: vec![SessionId(7)],
            ..sample::told()
        };
        ladder.take(&told, sample::now(), &Surroundings::default());
        assert!(ladder.was_asked() && !ladder.is_known());
    }
}
