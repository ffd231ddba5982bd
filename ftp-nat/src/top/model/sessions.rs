//! Control connections as rows.

use super::{filter::Row, verdicts::Short};
use crate::view::sessions::SessionView;

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
pub fn show(session: &SessionView, verdict: Option<&Short>, row: &mut Row) {
    row.add(session.id);
    row.add(session.client);
    row.add(session.client_seen);
    row.add(session.server);
    row.add(session.server_seen);
    row.add(mode(session));
    row.add(session.state);
    row.add(session.last_refusal.unwrap_or_default());
    for interface in [&session.client_interface, &session.server_interface] {
        row.add(interface.as_deref().unwrap_or_default());
    }
    row.add(verdict.map_or("", |verdict| &verdict.says));
}
