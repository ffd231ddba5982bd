//! The rows of a session's ladder. What was said is written again from its
//! numbers: the text itself is not known here.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    events::{
        Happening,
        words::{By, Form, Mode, Request},
    },
    history::Record,
    render::{
        ladder::{Ladder, Row, Way},
        sentence, unannounced,
    },
};

/// The ladder of a session.
#[must_use]
pub fn ladder(record: &Record) -> Ladder {
    let (client, server) = match &record.ends {
        Some(ends) => (
            seen("client", ends.client, ends.client_seen),
            seen("server", ends.server, ends.server_seen),
        ),
        None => ("client".to_owned(), "server".to_owned()),
    };
    let mut rows: Vec<Row> = Vec::new();
    for (n, entry) in record.entries.iter().enumerate() {
        if n == Record::FIRST && record.omitted > 0 {
            rows.push(Row::Gateway {
                at: rows.last().map_or(Duration::ZERO, Row::at),
                text: format!("{} events are left out here", record.omitted),
                bad: false,
            });
        }
        rows.extend(rows_of(since(record.began, entry.at), &entry.what));
    }
    Ladder::new(&client, &server, rows)
}

fn seen(end: &str, real: SocketAddr, seen: SocketAddr) -> String {
    if real == seen {
        format!("{end} {real}")
    } else {
        format!("{end} {real} (as {seen})")
    }
}

fn since(began: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(began)).unwrap_or_default()
}

/// What an announcement looks like.
fn announcement(form: Form, at: SocketAddr) -> String {
    let numbers = |ip: IpAddr| {
        let [high, low] = at.port().to_be_bytes();
        let ip = ip.to_string().replace('.', ",");
        format!("{ip},{high},{low}")
    };
    match form {
        Form::Port => format!("PORT {}", numbers(at.ip())),
        Form::Pasv => format!("227 ... ({})", numbers(at.ip())),
        Form::Encrypted | Form::Default => format!("({} {at})", form.name()),
        Form::Epsv => format!("229 ... (|||{}|)", at.port()),
        Form::Eprt => {
            let family = if at.is_ipv4() { 1 } else { 2 };
            format!("EPRT |{family}|{}|{}|", at.ip(), at.port())
        }
    }
}

/// The same thing at both ends.
fn said(at: Duration, by: By, sent: String, got: String) -> Row {
    let (way, client, server) = match by {
        By::Client => (Way::ToServer, sent, got),
        By::Server => (Way::ToClient, got, sent),
    };
    Row::Said {
        at,
        way,
        client: Some(client),
        server: Some(server),
    }
}

/// The row of what happened, and one that tells why where the first doesn't.
fn rows_of(at: Duration, what: &Happening) -> impl Iterator<Item = Row> {
    let why = match what {
        Happening::DataOpened { form, .. } => unannounced(*form).map(|why| (why.to_owned(), false)),
        Happening::NotAnnounced {
            said: Some(_),
            reason,
            ..
        } => Some((format!("not followed: {}", reason.sentence()), true)),
        Happening::DataRefused {
            expected_from,
            reason,
            ..
        } => Some((
            format!(
                "refused, {expected_from} was expected: {}",
                reason.sentence()
            ),
            true,
        )),
        _ => None,
    };
    let why = why.map(|(text, bad)| Row::Gateway { at, text, bad });
    row(at, what).into_iter().chain(why)
}

fn row(at: Duration, what: &Happening) -> Option<Row> {
    let both = |by, text: String| Some(said(at, by, text.clone(), text));
    let note = |bad| {
        Some(Row::Gateway {
            at,
            text: sentence(what),
            bad,
        })
    };
    match what {
        Happening::SessionLearned { midway: false, .. } => None,
        Happening::Announced {
            by,
            form,
            said: from,
            told,
            ..
        } => Some(said(
            at,
            *by,
            announcement(*form, *from),
            announcement(*form, *told),
        )),
        Happening::Requested { request } => both(By::Client, request.said().to_owned()),
        Happening::Replied { code, request } => both(
            By::Server,
            match request {
                Request::None | Request::Other => code.to_string(),
                Request::Transfer => format!("{code} (to the transfer)"),
                request => format!("{code} (to {})", request.said()),
            },
        ),
        Happening::DataOpened {
            announced_by,
            from,
            to,
            from_seen,
            to_real,
            ..
        } => {
            let text = |from: &SocketAddr, to: &SocketAddr| format!("SYN {from} > {to}");
            Some(said(
                at,
                announced_by.other(),
                text(from, to),
                text(from_seen, to_real),
            ))
        }
        Happening::DataRefused {
            announced_by,
            from,
            to,
            ..
        } => {
            let text = Some(format!("SYN {from} > {to}"));
            let (way, client, server) = match announced_by {
                By::Client => (Way::ToClient, None, text),
                By::Server => (Way::ToServer, text, None),
            };
            Some(Row::Said {
                at,
                way,
                client,
                server,
            })
        }
        Happening::NotAnnounced {
            by,
            form: Some(form),
            said: Some(from),
            ..
        } => both(*by, announcement(*form, *from)),
        Happening::Expired { .. }
        | Happening::NotAnnounced { .. }
        | Happening::ModeChanged { mode: Mode::NotFtp } => note(true),
        _ => note(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{
        History, Limits, Which,
        tests::{entry, learned},
    };

    #[test]
    fn what_is_left_out_is_told_in_its_place() {
        let mut history = History::new(Limits {
            entries: 20,
            ..Limits::default()
        });
        history.note(learned(1, 0));
        for second in 1..=50 {
            let request = Request::Transfer;
            history.note(entry(1, second, Happening::Requested { request }));
        }
        let found = history.find(&Which::Last { last: 1 });
        let text = ladder(&found.sessions[0]).to_string();
        let mut rows = text
            .lines()
            .skip_while(|row| !row.contains("-------   "))
            .skip(1);
        // The first of the 16 that stay has no row.
        let place = rows.position(|row| row.contains("31 events are left out here"));
        assert_eq!(place, Some(15), "{text}");
    }
}
