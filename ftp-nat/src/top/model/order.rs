//! In which order rows can stand.

use super::{mode_of, rates::Rates, reasons::Reason, sessions, transfers, verdicts::Verdicts};
use crate::{
    explain::verdict::Level,
    view::{ends::Peer, sessions::SessionView, translations::Translation},
};

/// By what rows are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// How long it has been there.
    Age,
    /// The client's address.
    Client,
    /// The server's address.
    Server,
    /// The form of the announcement.
    Mode,
    /// The state.
    State,
    /// How long it has been silent.
    Idle,
    /// How many data connections it had.
    Data,
    /// How many announcements were refused.
    Refused,
    /// How bad the verdict is.
    Verdict,
    /// How fast it is.
    Rate,
    /// How many bytes it had.
    Bytes,
    /// How often within the last minute.
    Lately,
    /// How often in all.
    Count,
    /// The name.
    Name,
}

impl By {
    /// Those of sessions, the usual one first.
    pub const OF_SESSIONS: &'static [Self] = &[
        Self::Age,
        Self::Verdict,
        Self::Client,
        Self::Server,
        Self::Mode,
        Self::State,
        Self::Idle,
        Self::Data,
        Self::Refused,
    ];
    /// Those of transfers.
    pub const OF_TRANSFERS: &'static [Self] = &[
        Self::Rate,
        Self::Bytes,
        Self::Client,
        Self::Server,
        Self::Mode,
        Self::State,
        Self::Age,
    ];
    /// Those of reasons.
    pub const OF_REASONS: &'static [Self] = &[Self::Lately, Self::Count, Self::Name];

    /// Its name on the screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Client => "client",
            Self::Server => "server",
            Self::Mode => "mode",
            Self::State => "state",
            Self::Idle => "idle",
            Self::Data => "data",
            Self::Refused => "refused",
            Self::Verdict => "verdict",
            Self::Rate => "rate",
            Self::Bytes => "bytes",
            Self::Lately => "last minute",
            Self::Count => "count",
            Self::Name => "reason",
        }
    }

    /// Whether the largest comes first, unless it is reversed.
    #[must_use]
    pub const fn is_descending(self) -> bool {
        matches!(
            self,
            Self::Data | Self::Refused | Self::Rate | Self::Bytes | Self::Lately | Self::Count
        )
    }
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u64),
    Text(&'static str),
    /// IPv4 before IPv6, by number.
    Address(Peer),
}

/// Puts rows in order: which they are, by what they are compared.
fn sort(rows: &mut [usize], by: By, reversed: bool, value: impl Fn(usize) -> Value) {
    rows.sort_by_cached_key(|row| value(*row));
    if by.is_descending() != reversed {
        rows.reverse();
    }
}

/// Sessions.
pub fn sessions(
    rows: &mut [usize],
    all: &[SessionView],
    verdicts: &Verdicts,
    by: By,
    reversed: bool,
) {
    sort(rows, by, reversed, |row| {
        let session = &all[row];
        match by {
            By::Client => Value::Address(session.client.into()),
            By::Server => Value::Address(session.server.into()),
            By::Mode => Value::Text(sessions::mode(session)),
            By::State => Value::Text(session.state),
            By::Idle => Value::Number(session.idle_ms),
            By::Data => Value::Number(session.data_connections.into()),
            By::Refused => Value::Number(session.refusals.into()),
            By::Verdict => Value::Number(match verdicts.of(session.id) {
                Some(short) => match short.level {
                    Level::Problem => 0,
                    Level::Warning => 1,
                    Level::Ok => 2,
                },
                None => 3,
            }),
            _ => Value::Number(session.age_ms),
        }
    });
}

/// Data connections.
pub fn transfers(rows: &mut [usize], all: &[Translation], rates: &Rates, by: By, reversed: bool) {
    sort(rows, by, reversed, |row| {
        let transfer = &all[row];
        match by {
            By::Client => Value::Address(transfers::client(transfer)),
            By::Server => Value::Address(transfers::server(transfer)),
            By::Mode => Value::Text(mode_of(transfer.announcement)),
            By::State => Value::Text(transfer.state),
            By::Bytes => Value::Number(transfers::bytes(transfer).sum()),
            By::Age => Value::Number(transfer.age_ms),
            _ => Value::Number(
                rates
                    .latest(&transfers::Key::of(transfer))
                    .map_or(0, super::rates::Both::sum),
            ),
        }
    });
}

/// Reasons.
pub fn reasons(rows: &mut [usize], all: &[Reason], by: By, reversed: bool) {
    // What is equal otherwise stands by its count.
    rows.sort_by_cached_key(|row| all[*row].count);
    sort(rows, by, reversed, |row| {
        let reason = &all[row];
        match by {
            By::Name => Value::Text(reason.counter.name()),
            By::Count => Value::Number(reason.count),
            _ => Value::Number(reason.lately),
        }
    });
}
