//! Data connections as rows.

use std::net::SocketAddr;

use super::{filter::Row, rates::Both};
use crate::{
    events::SessionId,
    view::{ends::Peer, translations::Translation},
};

/// What a data connection is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    session: SessionId,
    became: SocketAddr,
    peer: Peer,
}

impl Key {
    /// Of one.
    #[must_use]
    pub const fn of(transfer: &Translation) -> Self {
        Self {
            session: transfer.session,
            became: transfer.became,
            peer: transfer.peer,
        }
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
pub fn client(transfer: &Translation) -> Peer {
    if by_client(transfer) {
        transfer.announced.into()
    } else {
        transfer.peer
    }
}

/// The server's end.
#[must_use]
pub fn server(transfer: &Translation) -> Peer {
    if by_client(transfer) {
        transfer.peer
    } else {
        transfer.announced.into()
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
pub fn show(transfer: &Translation, row: &mut Row) {
    row.add(transfer.session);
    row.add(transfer.announced);
    row.add(transfer.became);
    row.add(transfer.peer);
    row.add(transfer.peer_seen);
    row.add(form(transfer));
    row.add(transfer.announcement);
    row.add(transfer.state);
    row.add(transfer.path.unwrap_or_default());
}
