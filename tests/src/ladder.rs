//! Two captures drawn side by side, as a ladder: what one end said, and what
//! reached the other. The drawing is that of `ftp-nat explain`.

use anyhow::Result;
pub use ftp_nat::render::ladder::{Ladder, Row, Way};

use crate::lab::capture::{Direction, Sides, Stream, Syn};

/// Draws what was said over control connections to a port, and the first packets
/// of the data connections.
pub fn of(sides: &Sides, port: u16, client: &str, server: &str) -> Result<Ladder> {
    let mut rows = Vec::new();
    for (c, s) in sides.control(port)? {
        rows.extend(rows_of(&c.to_server, &s.to_server, Way::ToServer));
        rows.extend(rows_of(&s.to_client, &c.to_client, Way::ToClient));
    }
    rows.extend(openings(
        &sides.client.data_syns(port),
        &sides.server.data_syns(port),
    ));
    rows.sort_by_key(Row::at);
    Ok(Ladder::new(client, server, rows))
}

/// Pairs lines by their number: neither end can lose or gain one.
fn rows_of(sent: &Stream, received: &Stream, way: Way) -> Vec<Row> {
    let received = received.lines();
    let rows = sent.lines().into_iter().enumerate().map(|(n, line)| {
        let sent = Some(shown(&line.text));
        let arrived = received.get(n).map(|l| shown(&l.text));
        let (client, server) = match way {
            Way::ToServer => (sent, arrived),
            Way::ToClient => (arrived, sent),
        };
        Row::Said {
            at: line.at,
            way,
            client,
            server,
        }
    });
    rows.collect()
}

/// A line without what is nobody's business.
fn shown(text: &str) -> String {
    match text.get(..5) {
        Some(verb) if verb.eq_ignore_ascii_case("PASS ") => format!("{verb}***"),
        _ => text.to_owned(),
    }
}

/// Pairs data SYNs by their first sequence number, which nobody changes.
fn openings(client: &[Syn], server: &[Syn]) -> Vec<Row> {
    let text = |s: &Syn| format!("SYN {} > {}", s.from, s.to);
    let mut rows = Vec::new();
    for (way, senders, receivers) in [
        (Way::ToServer, client, server),
        (Way::ToClient, server, client),
    ] {
        for syn in senders.iter().filter(|s| s.direction == Direction::Sent) {
            let arrived = receivers
                .iter()
                .find(|r| r.direction == Direction::Received && r.seq == syn.seq)
                .map(text);
            let sent = Some(text(syn));
            let (client, server) = match way {
                Way::ToServer => (sent, arrived),
                Way::ToClient => (arrived, sent),
            };
            rows.push(Row::Said {
                at: syn.at,
                way,
                client,
                server,
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("pass secret"), "pass ***");
    }
}
