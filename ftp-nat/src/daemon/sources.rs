//! Puts right what each host has: the kernel side counts up and down, and
//! doesn't see what a sweep removes.

use ftp_nat_common::source::{Source, SourceKey};

use crate::{error::Result, maps::Maps};

/// Makes a host's numbers what was counted. What came or went meanwhile is
/// missed; the next sweep counts it.
pub(super) fn correct(
    maps: &Maps,
    key: &SourceKey,
    found: Source,
    counted: Option<Source>,
) -> Result<()> {
    match counted {
        Some(counted) if counted != found => maps.sources.set(key, &counted),
        Some(_) => Ok(()),
        None => match maps.sources.take(key)? {
            // Something came just now.
            Some(taken) if taken != found => maps.sources.insert(key, &taken).map(drop),
            _ => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::{
        addr::{Addr, Port, Tuple},
        translation::{Expectation, ExpectationKey, FLOW_FORWARD, Flow, Kind},
    };

    use super::*;
    use crate::daemon::sweep::tests::{NOW, add_session, sweep};

    #[test]
    fn what_each_host_has_is_counted_anew() {
        let maps = Maps::in_memory(&[]);
        let host = |last, domain| SourceKey {
            addr: Addr::from_v4([10, 0, 0, last]),
            domain,
        };
        let source = |sessions, expectations| Source {
            sessions,
            expectations,
            encrypted: 0,
        };
        add_session(&maps, 1, 3600, 0);
        add_session(&maps, 2, 3600, 0);
        add_session(&maps, 3, 25 * 3600, 0);
        let waiting = Expectation {
            near: host(5, 0).addr,
            near_domain: 7,
            made_ns: NOW,
            ..Expectation::default()
        };
        maps.expectations
            .set(&ExpectationKey::default(), &waiting)
            .unwrap();
        let client = |n, kind, flags| {
            let key = Tuple {
                src: host(1, 0).addr,
                sport: Port::new(n),
                ..Tuple::default()
            };
            let flow = Flow {
                kind: kind as u8,
                last_ns: NOW,
                flags,
                ..Flow::default()
            };
            maps.flows.set(&key, &flow).unwrap();
        };
        client(1, Kind::Encrypted, FLOW_FORWARD);
        client(2, Kind::Encrypted, FLOW_FORWARD);
        // The answers of one, and what was announced.
        client(3, Kind::Encrypted, 0);
        client(4, Kind::Pasv, FLOW_FORWARD);
        // Wrong in every way: too many, too few, of a host that has none.
        maps.sources.set(&host(1, 0), &source(5, -2)).unwrap();
        maps.sources.set(&host(9, 0), &source(1, 1)).unwrap();
        sweep(&maps);
        let mut all = maps.sources.all().unwrap();
        all.sort_by_key(|(key, _)| key.domain);
        assert_eq!(
            all,
            [
                (
                    host(1, 0),
                    Source {
                        encrypted: 2,
                        ..source(2, 0)
                    }
                ),
                (host(5, 7), source(0, 1))
            ]
        );
    }
}
