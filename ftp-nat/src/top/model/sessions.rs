//! Control connections as rows.

use super::verdicts::Short;
use crate::{events::SessionId, view::sessions::SessionView};

/// A session's name; 0, which is none, where it can't be read.
#[must_use]
pub fn id(session: &SessionView) -> SessionId {
    session.id.parse().unwrap_or(SessionId(0))
}

/// How data connections are announced in it: by the last announcement.
#[must_use]
pub fn mode(session: &SessionView) -> &'static str {
    if session.encrypted {
        "TLS"
    } else {
        session.announcement.map_or("-", super::mode_of)
    }
}

/// What a filter looks at.
#[must_use]
pub fn texts<'a>(session: &'a SessionView, verdict: Option<&'a Short>) -> [&'a str; 11] {
    [
        &session.id,
        &session.client,
        &session.client_seen,
        &session.server,
        &session.server_seen,
        mode(session),
        session.state,
        session.last_refusal.unwrap_or_default(),
        session.client_interface.as_deref().unwrap_or_default(),
        session.server_interface.as_deref().unwrap_or_default(),
        verdict.map_or("", |verdict| &verdict.says),
    ]
}
