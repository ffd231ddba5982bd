//! `sessions` as text.

use std::net::SocketAddr;

use super::{numbers::duration, table::Table};
use crate::view::{
    ends::Name,
    sessions::{SessionView, Sessions},
};

/// One line per session.
#[must_use]
pub fn sessions(sessions: &Sessions) -> String {
    if sessions.sessions.is_empty() {
        return "no sessions\n".to_owned();
    }
    let mut table = Table::new([
        "CLIENT", "SERVER", "MODE", "STATE", ">AGE", ">IDLE", ">ANN", ">REF", ">DATA", ">SHIFT",
        "NOTES",
    ]);
    for session in &sessions.sessions {
        table.push([
            seen(session.client, session.client_seen),
            seen(session.server, session.server_seen),
            session.data_mode.name().to_owned(),
            session.state.to_owned(),
            duration(session.age_ms),
            duration(session.idle_ms),
            session.announcements.to_string(),
            session.refusals.to_string(),
            session.data_connections.to_string(),
            format!("{:+}/{:+}", session.shift.client, session.shift.server),
            notes(session),
        ]);
    }
    table.render()
}

/// An address, and how the other end sees it where that differs.
fn seen(real: SocketAddr, seen: SocketAddr) -> String {
    if real == seen {
        real.to_string()
    } else {
        format!("{real} as {seen}")
    }
}

fn notes(session: &SessionView) -> String {
    let mut notes = Vec::new();
    notes.extend(match (&session.client_domain, &session.server_domain) {
        (None, None) => None,
        (client, server) if client == server => client.as_ref().map(|d| format!("domain {d}")),
        (client, server) => {
            let name = |d: &Option<Name>| d.clone().unwrap_or_else(|| "0".into());
            Some(format!("domain {} to {}", name(client), name(server)))
        }
    });
    if !session.trusted {
        notes.push("untrusted".to_owned());
    }
    if session.flags.has("epsv_all") {
        notes.push("EPSV ALL".to_owned());
    }
    notes.extend(
        session
            .last_refusal
            .map(|reason| format!("last refusal: {reason}")),
    );
    notes.join(", ")
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::session::{SESSION_EPSV_ALL, Session};

    use super::*;
    use crate::{
        maps::Maps,
        view::{
            self,
            sessions::tests::{context, sample},
        },
    };

    #[test]
    fn a_session_is_one_line() {
        let maps = Maps::in_memory(&[]);
        assert_eq!(
            sessions(&view::sessions::collect(&maps, &context()).unwrap()),
            "no sessions\n"
        );
        maps.sessions.set(&7, &sample()).unwrap();
        let text = sessions(&view::sessions::collect(&maps, &context()).unwrap());
        let line = text.lines().nth(1).unwrap_or_default();
        assert!(
            line.starts_with("10.10.0.1:40000 as 61.144.1.2:50000  61.144.1.100:21"),
            "{text}"
        );
        assert!(line.contains("active  closing   3s    1s"), "{text}");
        assert!(
            line.ends_with("-2/+0  last refusal: refused_port"),
            "{text}"
        );
    }

    #[test]
    fn that_nothing_was_announced_is_said() {
        let maps = Maps::in_memory(&[]);
        let session = Session {
            last_kind: 0,
            refusals: 0,
            last_refusal: 0,
            data_connections: 0,
            flags: sample().flags | SESSION_EPSV_ALL,
            ..sample()
        };
        maps.sessions.set(&7, &session).unwrap();
        let text = sessions(&view::sessions::collect(&maps, &context()).unwrap());
        let line = text.lines().nth(1).unwrap_or_default();
        assert!(line.contains("  none yet  closing"), "{text}");
        assert!(line.ends_with("  EPSV ALL"), "{text}");
    }
}
