//! What can't go on without the programs yet.

use std::fmt;

use ftp_nat_common::{
    session::{SESSION_FIN, SESSION_FIN_SERVER, SESSION_RST, Session},
    translation::{Flow, SECOND},
};

use crate::{
    error::Result,
    maps::{Cursor, Maps, PAGE},
};

/// How long the ends of a connection that is over may still send their last
/// acknowledgement again.
const GRACE_NS: u64 = 3 * SECOND;

/// How many connections need the programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Control connections whose sequence numbers are shifted, or of whose text
    /// something is held or not yet acknowledged.
    pub sessions: u64,
    /// Data connections that run.
    pub transfers: u64,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |n: u64, one: &'static str, more: &'static str| if n == 1 { one } else { more };
        write!(
            f,
            "{} {} with shifted sequence numbers or held text, {} {}",
            self.sessions,
            word(self.sessions, "control connection", "control connections"),
            self.transfers,
            word(self.transfers, "data connection", "data connections"),
        )
    }
}

/// Counts them.
pub fn count(maps: &Maps, now_ns: u64) -> Result<Left> {
    let mut left = Left::default();
    let mut cursor = Cursor::Start;
    while cursor != Cursor::End {
        let page = maps.sessions.page(&mut cursor, PAGE)?;
        left.sessions += page.iter().filter(|(_, s)| needs(s, now_ns)).count() as u64;
    }
    cursor = Cursor::Start;
    while cursor != Cursor::End {
        for (_, flow) in maps.flows.page(&mut cursor, PAGE)? {
            // Each connection has two: the one that goes forth is counted. One
            // direction may be silent while the other is not.
            if flow.flags & ftp_nat_common::translation::FLOW_FORWARD == 0 {
                continue;
            }
            let back = maps.flows.get(&flow.to.reversed())?;
            let lives = runs(&flow, now_ns) || back.is_some_and(|back| runs(&back, now_ns));
            left.transfers += u64::from(lives);
        }
    }
    Ok(left)
}

/// Whether a session would break without the programs.
pub(crate) fn needs(session: &Session, now_ns: u64) -> bool {
    let fins = SESSION_FIN | SESSION_FIN_SERVER;
    let over = session.flags & SESSION_RST != 0 || session.flags & fins == fins;
    let over = over && now_ns.saturating_sub(session.last_ns) > GRACE_NS;
    !over && !session.expired(now_ns) && session.half.iter().any(|half| half.is_needed())
}

fn runs(flow: &Flow, now_ns: u64) -> bool {
    let over = flow.is_closed() && now_ns.saturating_sub(flow.last_ns) > GRACE_NS;
    !over && !flow.expired(now_ns)
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::{
        addr::{Port, Tuple},
        session::SESSION_TRUSTED,
        translation::{FLOW_ESTABLISHED, FLOW_FIN, FLOW_FORWARD, FLOW_PEER_FIN, FLOW_RST},
    };

    use super::*;

    const NOW: u64 = 1_000_000 * SECOND;

    fn add_session(maps: &Maps, id: u64, change: impl FnOnce(&mut Session)) {
        let mut session = Session {
            id,
            flags: SESSION_TRUSTED,
            last_ns: NOW - 10 * SECOND,
            ..Session::default()
        };
        change(&mut session);
        maps.sessions.set(&id, &session).unwrap();
    }

    fn shift(session: &mut Session) {
        let half = &mut session.half[0];
        half.out_nxt = half.in_nxt.plus(1);
    }

    #[test]
    fn only_sessions_that_would_break_are_waited_for() {
        let maps = Maps::in_memory(&[]);
        add_session(&maps, 1, |_| ());
        add_session(&maps, 2, shift);
        add_session(&maps, 3, |s| s.half[1].held_len = 1);
        add_session(&maps, 4, |s| {
            shift(s);
            s.flags |= SESSION_RST;
        });
        add_session(&maps, 5, |s| {
            shift(s);
            s.flags |= SESSION_FIN;
        });
        add_session(&maps, 6, |s| {
            shift(s);
            s.flags |= SESSION_FIN | SESSION_FIN_SERVER;
            s.last_ns = NOW - SECOND;
        });
        add_session(&maps, 7, |s| {
            shift(s);
            s.last_ns = NOW - 25 * 3600 * SECOND;
        });
        // 2 and 3 are alive, 5 is closed by one end only, 6 just now.
        assert_eq!(count(&maps, NOW).unwrap().sessions, 4);
    }

    #[test]
    fn a_data_connection_counts_once_and_until_both_ends_have_closed_it() {
        let maps = Maps::in_memory(&[]);
        let add = |n: u16, flags: u32, idle: [u64; 2]| {
            let forth = Tuple {
                sport: Port::new(n),
                dport: Port::new(1),
                ..Tuple::default()
            };
            let to = Tuple {
                dport: Port::new(2),
                ..forth
            };
            let flow = |to, flags, idle: u64| Flow {
                to,
                flags,
                last_ns: NOW - idle * SECOND,
                ..Flow::default()
            };
            maps.flows
                .set(&forth, &flow(to, flags | FLOW_FORWARD, idle[0]))
                .unwrap();
            maps.flows
                .set(&to.reversed(), &flow(forth.reversed(), flags, idle[1]))
                .unwrap();
        };
        add(1, FLOW_ESTABLISHED, [3600, 3600]);
        add(2, FLOW_ESTABLISHED | FLOW_FIN, [10, 10]);
        add(3, FLOW_ESTABLISHED | FLOW_FIN | FLOW_PEER_FIN, [10, 10]);
        add(4, FLOW_ESTABLISHED | FLOW_FIN | FLOW_PEER_FIN, [10, 1]);
        add(5, FLOW_RST, [10, 10]);
        add(6, FLOW_ESTABLISHED, [3 * 3600, 1]);
        assert_eq!(count(&maps, NOW).unwrap().transfers, 4);
    }

    #[test]
    fn it_is_said_in_words() {
        let left = Left {
            sessions: 1,
            transfers: 2,
        };
        assert_eq!(
            left.to_string(),
            "1 control connection with shifted sequence numbers or held text, 2 data connections"
        );
    }
}
