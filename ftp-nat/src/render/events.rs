//! Events as text.

use jiff::tz::TimeZone;

use super::numbers::bytes;
use crate::events::{
    Ends, Entry, Happening,
    words::{By, Request},
};

/// One line: the time of day, the session, what happened.
#[must_use]
pub fn event(entry: &Entry) -> String {
    let at = entry
        .at
        .to_zoned(TimeZone::system())
        .strftime("%H:%M:%S%.3f");
    let session = entry
        .session
        .map_or_else(|| "-".repeat(16), |id| id.to_string());
    format!("{at} {session} {}\n", sentence(&entry.what))
}

fn who(ends: &Ends) -> String {
    let mut text = format!("{} to {}", ends.client, ends.server);
    if ends.client != ends.client_seen {
        text.push_str(&format!(", client seen as {}", ends.client_seen));
    }
    if ends.server != ends.server_seen {
        text.push_str(&format!(", server seen as {}", ends.server_seen));
    }
    text
}

/// What happened, in a sentence without its end.
pub(crate) fn sentence(what: &Happening) -> String {
    match what {
        Happening::SessionLearned { ends, midway } => {
            let how = if *midway { " (picked up midway)" } else { "" };
            format!("session: {}{how}", who(ends))
        }
        Happening::SessionNotFollowed { ends, reason } => {
            format!("session not followed: {}: {}", who(ends), reason.sentence())
        }
        Happening::Announced {
            by,
            form,
            said,
            told,
            ..
        } => {
            let form = form.name();
            if said == told {
                format!("{} announced {said} by {form}", by.name())
            } else {
                let other = by.other().name();
                format!(
                    "{} announced {said} by {form}, {other} is told {told}",
                    by.name()
                )
            }
        }
        Happening::NotAnnounced {
            by, said, reason, ..
        } => {
            let said = said.map_or_else(String::new, |said| format!(" of {said}"));
            format!(
                "announcement{said} by {} not followed: {}",
                by.name(),
                reason.sentence()
            )
        }
        Happening::Requested { request } => format!("client says {}", request.said()),
        Happening::Replied { code, request } => match request {
            Request::None => format!("server says {code}"),
            request => format!("server says {code} to {}", request.said()),
        },
        Happening::ModeChanged { mode } => mode.said().to_owned(),
        Happening::DataOpened {
            from,
            to,
            from_seen,
            to_real,
            ..
        } => {
            if (from, to) == (from_seen, to_real) {
                format!("data connection {from} to {to}")
            } else {
                format!("data connection {from} to {to}, on as {from_seen} to {to_real}")
            }
        }
        Happening::DataRefused {
            from,
            to,
            expected_from,
            reason,
            ..
        } => format!(
            "data connection {from} to {to} refused, {expected_from} was expected: {}",
            reason.sentence()
        ),
        Happening::DataEnded {
            announced_by,
            announcer,
            peer,
            bytes_from_announcer,
            bytes_to_announcer,
            how,
            ..
        } => {
            let (client, server, up, down) = match announced_by {
                By::Client => (announcer, peer, bytes_from_announcer, bytes_to_announcer),
                By::Server => (peer, announcer, bytes_to_announcer, bytes_from_announcer),
            };
            format!(
                "data connection of {client} and {server} ended ({}): {} up, {} down",
                how.said(),
                bytes(*up),
                bytes(*down)
            )
        }
        Happening::Withdrawn { expected, .. } => {
            format!("nobody is waited for any more at {expected}")
        }
        Happening::Expired {
            expected,
            after_seconds,
            ..
        } => format!("nobody came to {expected} within {after_seconds} s"),
        Happening::SessionEnded { how } => format!("session ended: {}", how.said()),
    }
}
