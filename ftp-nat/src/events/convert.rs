//! From a record of the kernel side to an [`Entry`].

use std::net::SocketAddr;

use ftp_nat_common::{
    addr::{Addr, Port},
    event::{End as RawEnd, Event, Mode as RawMode, What},
    session::{CLIENT, SERVER, Session},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Ends, Entry, Happening, SessionId,
    words::{By, End, Form, Mode, Reason, Request},
};

/// Tells the time of day of a monotonic time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The time of day.
    pub now: Timestamp,
    /// The monotonic time at that moment, in ns.
    pub now_ns: u64,
}

impl Clock {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        Self {
            now: Timestamp::now(),
            now_ns: crate::sys::clock::monotonic_ns(),
        }
    }

    /// The time of day that was at a monotonic time.
    #[must_use]
    pub fn at(&self, ns: u64) -> Timestamp {
        let since = |later: u64, earlier: u64| {
            SignedDuration::from_nanos(i64::try_from(later - earlier).unwrap_or(i64::MAX))
        };
        let there = if ns >= self.now_ns {
            self.now.checked_add(since(ns, self.now_ns))
        } else {
            self.now.checked_sub(since(self.now_ns, ns))
        };
        there.unwrap_or(self.now)
    }
}

fn endpoint(addr: Addr, port: Port) -> SocketAddr {
    SocketAddr::new(addr.to_ip(), port.get())
}

impl Ends {
    /// Those of a session.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        let real = |role: usize| endpoint(session.real[role], session.real_port[role]);
        let seen = |role: usize| endpoint(session.seen[role], session.seen_port[role]);
        Self {
            client: real(CLIENT),
            client_seen: seen(CLIENT),
            server: real(SERVER),
            server_seen: seen(SERVER),
        }
    }
}

impl Entry {
    /// What a record says. `None` for one that this version doesn't know.
    #[must_use]
    pub fn of(event: &Event, clock: &Clock) -> Option<Self> {
        Some(Self {
            at: clock.at(event.at_ns),
            session: Some(event.session).filter(|id| *id != 0).map(SessionId),
            what: happening(event)?,
        })
    }
}

fn happening(event: &Event) -> Option<Happening> {
    let at = |n: usize| endpoint(event.addr[n], event.port[n]);
    let by = By::role(event.role);
    let request = || Request::of(event.request());
    let reason = || Reason::number(event.number);
    let ends = || Ends {
        client: at(0),
        client_seen: at(1),
        server: at(2),
        server_seen: at(3),
    };
    let how = || RawEnd::from_number(event.number).map(End::of);
    let form = || Form::of(event.form());
    Some(match event.what()? {
        What::Learned => Happening::SessionLearned {
            ends: ends(),
            midway: event.number != 0,
        },
        What::NotFollowed => Happening::SessionNotFollowed {
            ends: ends(),
            reason: reason()?,
        },
        What::Announced => Happening::Announced {
            by,
            form: form()?,
            said: at(0),
            told: at(1),
            expected: at(2),
        },
        What::NotAnnounced => Happening::NotAnnounced {
            by,
            form: form(),
            said: form().map(|_| at(0)),
            reason: reason()?,
        },
        What::Requested => Happening::Requested { request: request() },
        What::Replied => Happening::Replied {
            code: event.number,
            request: request(),
        },
        What::Changed => Happening::ModeChanged {
            mode: Mode::of(RawMode::from_number(event.number)?),
        },
        What::DataOpened => Happening::DataOpened {
            announced_by: by,
            form: form(),
            from: at(0),
            to: at(1),
            from_seen: at(2),
            to_real: at(3),
        },
        What::DataRefused => Happening::DataRefused {
            announced_by: by,
            form: form(),
            from: at(0),
            to: at(1),
            expected_from: event.addr[2].to_ip(),
            reason: reason()?,
        },
        What::DataEnded => Happening::DataEnded {
            announced_by: by,
            form: form(),
            announcer: at(3),
            peer: at(0),
            bytes_from_announcer: event.bytes[0],
            bytes_to_announcer: event.bytes[1],
            packets_from_announcer: event.packets[0],
            packets_to_announcer: event.packets[1],
            how: how()?,
        },
        What::Withdrawn => Happening::Withdrawn {
            announced_by: by,
            expected: at(2),
        },
        What::Expired => Happening::Expired {
            announced_by: by,
            expected: at(2),
            after_seconds: event.number,
        },
        What::Ended => Happening::SessionEnded { how: how()? },
    })
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::counter::Counter;

    use super::*;

    fn clock() -> Clock {
        Clock {
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            now_ns: 10_000_000_000,
        }
    }

    #[test]
    fn a_monotonic_time_becomes_a_time_of_day() {
        let text = |ns| clock().at(ns).to_string();
        assert_eq!(text(7_500_000_000), "2026-01-02T03:04:02.5Z");
        assert_eq!(text(11_000_000_000), "2026-01-02T03:04:06Z");
    }

    #[test]
    fn every_kind_of_record_is_told_and_comes_back_from_json() {
        for what in What::ALL {
            let mut event = Event::new(what, 7, 10_000_000_000);
            event.form = 1;
            event.number = match what {
                What::NotFollowed | What::NotAnnounced | What::DataRefused => {
                    Counter::RefusedPort as u16
                }
                _ => 1,
            };
            let entry = Entry::of(&event, &clock()).unwrap();
            let json = serde_json::to_string(&entry).unwrap();
            assert!(json.contains(r#""session":"0000000000000007""#), "{json}");
            assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
        }
    }

    #[test]
    fn what_no_version_knows_is_left_out() {
        let mut event = Event::new(What::Changed, 1, 0);
        event.number = 99;
        assert_eq!(Entry::of(&event, &clock()), None);
        event = Event::new(What::NotAnnounced, 1, 0);
        event.number = u16::MAX;
        assert_eq!(Entry::of(&event, &clock()), None);
    }
}
