//! What is known of one session.

use std::{collections::VecDeque, net::IpAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::events::{Ends, Entry, Happening, SessionId};

/// A session and what happened in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub session: SessionId,
    /// Who talks.
    #[serde(flatten)]
    pub ends: Option<Ends>,
    /// When it was learned.
    pub began: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// Whether all was seen from the moment it was learned. Not so where `run` was
    /// started later, or where events were lost.
    pub beginning_seen: bool,
    /// Entries between the first and the last ones that are not kept any more.
    pub omitted: u64,
    /// What happened.
    pub entries: VecDeque<Entry>,
}

impl Record {
    /// Entries of the beginning that stay when later ones give way: the greeting,
    /// the log-in, the first transfer.
    pub(crate) const FIRST: usize = 16;

    /// A session that begins with an entry.
    pub(super) fn beginning(id: SessionId, entry: Entry) -> Self {
        let ends = match &entry.what {
            Happening::SessionLearned { ends, .. } => Some(ends.clone()),
            _ => None,
        };
        Self {
            session: id,
            ends,
            began: entry.at,
            ended: None,
            beginning_seen: true,
            omitted: 0,
            entries: VecDeque::from([entry]),
        }
    }

    /// A session whose beginning was not seen.
    pub(super) const fn seeded(id: SessionId, ends: Ends, began: Timestamp) -> Self {
        Self {
            session: id,
            ends: Some(ends),
            began,
            ended: None,
            beginning_seen: false,
            omitted: 0,
            entries: VecDeque::new(),
        }
    }

    /// Appends an entry; of more than `most`, one in the middle goes.
    pub(super) fn add(&mut self, entry: Entry, most: usize) {
        match &entry.what {
            Happening::SessionLearned { ends, .. } => {
                self.ends = Some(ends.clone());
                self.beginning_seen |= self.entries.is_empty();
            }
            Happening::SessionEnded { .. } => {
                self.ended.get_or_insert(entry.at);
            }
            _ => {}
        }
        self.entries.push_back(entry);
        while self.entries.len() > most.max(Self::FIRST + 1) {
            // Those before it move up: fewer than those behind it.
            self.entries.remove(Self::FIRST);
            self.omitted += 1;
        }
    }

    /// Whether it is of a client, by its own address or by the one seen of it.
    #[must_use]
    pub fn is_of(&self, address: IpAddr) -> bool {
        self.ends
            .as_ref()
            .is_some_and(|e| [e.client.ip(), e.client_seen.ip()].contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        events::words::Request,
        history::tests::{entry, learned},
    };

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let mut record = Record::beginning(SessionId(1), learned(1, 0));
        for second in 1..50 {
            let request = Request::Transfer;
            record.add(entry(1, second, Happening::Requested { request }), 20);
        }
        assert_eq!((record.entries.len(), record.omitted), (20, 30));
        let seconds: Vec<_> = record
            .entries
            .iter()
            .map(|e| e.at.as_second() % 100)
            .collect();
        assert_eq!(
            seconds[..16],
            std::array::from_fn::<i64, 16, _>(|n| n as i64)
        );
        assert_eq!(seconds[16..], [46, 47, 48, 49]);
    }
}
