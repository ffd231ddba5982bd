//! Events as text.

use jiff::tz::TimeZone;

use super::numbers::bytes;
use crate::events::{
    Ends, Entry, Happening,
    words::{By, Form, Request},
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

/// Why a data connection was let by that nobody announced.
pub(crate) const fn unannounced(form: Option<Form>) -> Option<&'static str> {
    match form {
        Some(Form::Default) => Some("not announced: the default data port"),
        Some(Form::Encrypted) => Some("announced within TLS: a declared port"),
        _ => None,
    }
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
            form,
            ..
        } => {
            let why = unannounced(*form).map_or_else(String::new, |why| format!(" ({why})"));
            if (from, to) == (from_seen, to_real) {
                format!("data connection {from} to {to}{why}")
            } else {
                format!("data connection {from} to {to}, on as {from_seen} to {to_real}{why}")
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ftp_nat_common::{
        counter::Counter,
        event::{End as RawEnd, Event, Mode as RawMode, What},
        line,
        translation::Kind,
    };

    use super::*;
    use crate::events::{
        Clock,
        words::{End, Mode},
    };

    const DOCUMENT: &str = include_str!("../../../docs/events.md");

    /// The first two cells of each row, the first without its ticks.
    fn rows(heading: &str) -> BTreeMap<&'static str, &'static str> {
        let section = DOCUMENT.split(heading).nth(1);
        let section = section.unwrap_or_else(|| panic!("no {heading}"));
        let table = section
            .trim_start()
            .lines()
            .skip_while(|l| !l.starts_with('|'));
        let rows = table.take_while(|line| line.starts_with('|'));
        rows.filter_map(|row| {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name, cells.next()?))
        })
        .collect()
    }

    fn name(of: impl serde::Serialize) -> String {
        let value = serde_json::to_value(of).unwrap();
        value.as_str().unwrap().to_owned()
    }

    fn owned(rows: BTreeMap<&str, &str>) -> BTreeMap<String, String> {
        let pairs = rows.into_iter();
        pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    /// An event of each kind, between hosts that the other documents know.
    fn samples() -> BTreeMap<String, String> {
        use ftp_nat_common::addr::{Addr, Port};
        let at = |a, b, c, d, port| (Addr::from_v4([a, b, c, d]), Port::new(port));
        let client = at(10, 10, 0, 1, 40_000);
        let (seen, server) = (at(61, 144, 1, 2, 40_000), at(61, 144, 1, 100, 21));
        let (said, told) = (at(10, 10, 0, 1, 48_181), at(61, 144, 1, 2, 21_533));
        let from = at(61, 144, 1, 100, 20);
        let mut all = BTreeMap::new();
        for what in What::ALL {
            let mut event = Event::new(what, 1, 0);
            event.form = Kind::Port as u8;
            event.request = line::Request::Transfer as u8;
            let (ends, number) = match what {
                What::Learned => ([client, seen, server, server], 0),
                What::NotFollowed => (
                    [client, seen, server, server],
                    Counter::SessionsTableFull as u16,
                ),
                What::Announced => ([said, told, told, told], 0),
                What::NotAnnounced => {
                    let foreign = at(10, 10, 0, 77, 48_181);
                    ([foreign; 4], Counter::RefusedForeignAddress as u16)
                }
                What::DataRefused => {
                    let other = at(61, 144, 1, 101, 20);
                    ([other, told, from, from], Counter::RefusedDataSource as u16)
                }
                What::Replied => ([from; 4], 226),
                What::Expired => ([told; 4], 60),
                What::Withdrawn => ([told; 4], 0),
                What::DataOpened | What::DataEnded => ([from, told, from, said], 1),
                What::Requested | What::Changed | What::Ended => ([from; 4], 1),
            };
            event.number = number;
            event.addr = ends.map(|(addr, _)| addr);
            event.port = ends.map(|(_, port)| port);
            (event.packets, event.bytes) = ([40, 80], [2_080, 104_160]);
            let entry = Entry::of(&event, &Clock::now()).unwrap();
            let value = serde_json::to_value(&entry).unwrap();
            let name = value["event"].as_str().unwrap().to_owned();
            all.insert(name, sentence(&entry.what));
        }
        all.insert("lost".to_owned(), "(7 events were lost)".to_owned());
        all
    }

    #[test]
    fn the_document_has_every_event_as_it_is_printed() {
        assert_eq!(owned(rows("## What happens")), samples());
    }

    #[test]
    fn the_document_has_every_word() {
        let requests = (0..64).map(line::Request::from_bits).map(Request::of);
        let requests = requests.map(|r| (name(r), r.said().to_owned()));
        assert_eq!(owned(rows("A request,")), requests.collect());
        let modes = (0..).skip(1).map_while(RawMode::from_number).map(Mode::of);
        let modes = modes.map(|m| (name(m), m.said().to_owned()));
        assert_eq!(owned(rows("How a session goes on:")), modes.collect());
        let ends = (0..).skip(1).map_while(RawEnd::from_number).map(End::of);
        let ends = ends.map(|e| (name(e), e.said().to_owned()));
        assert_eq!(owned(rows("How a connection ended:")), ends.collect());
        let forms = (0..64).map(Kind::from_byte).filter_map(Form::of).map(name);
        let written = rows("The form of an announcement:").into_keys();
        let forms: std::collections::BTreeSet<_> = forms.collect();
        assert_eq!(
            written
                .map(str::to_owned)
                .collect::<std::collections::BTreeSet<_>>(),
            forms
        );
    }
}
