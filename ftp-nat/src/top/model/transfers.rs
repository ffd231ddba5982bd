//! Data connections as rows.

use super::rates::Both;
use crate::view::translations::Translation;

/// What a data connection is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// Of one.
    #[must_use]
    pub fn of(transfer: &Translation) -> Self {
        let Translation {
            session,
            became,
            peer,
            ..
        } = transfer;
        Self(format!("{session} {became} {peer}"))
    }
}

/// Whether its connection has not come yet.
#[must_use]
pub fn is_pending(transfer: &Translation) -> bool {
    transfer.path.is_none()
}

fn by_client(transfer: &Translation) -> bool {
    transfer.announced_by == "client"
}

/// The client's end.
#[must_use]
pub fn client(transfer: &Translation) -> &str {
    if by_client(transfer) {
        &transfer.announced
    } else {
        &transfer.peer
    }
}

/// The server's end.
#[must_use]
pub fn server(transfer: &Translation) -> &str {
    if by_client(transfer) {
        &transfer.peer
    } else {
        &transfer.announced
    }
}

/// Its bytes so far.
#[must_use]
pub fn bytes(transfer: &Translation) -> Both {
    let (from, to) = (transfer.bytes_from_announcer, transfer.bytes_to_announcer);
    if by_client(transfer) {
        Both { up: from, down: to }
    } else {
        Both { up: to, down: from }
    }
}

/// How it was announced, as the client asked for it.
#[must_use]
pub fn form(transfer: &Translation) -> &'static str {
    super::mode_of(transfer.announcement)
}

/// What a filter looks at.
#[must_use]
pub fn texts(transfer: &Translation) -> [&str; 9] {
    [
        &transfer.session,
        &transfer.announced,
        &transfer.became,
        &transfer.peer,
        &transfer.peer_seen,
        form(transfer),
        transfer.announcement,
        transfer.state,
        transfer.path.unwrap_or_default(),
    ]
}
