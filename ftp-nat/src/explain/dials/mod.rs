//! Control connections that were dialled and became no sessions: what the kernel
//! side noted of their handshakes tells how far they got.

pub mod way;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use ftp_nat_common::{
    addr::{Addr, Port, Tuple},
    pairing::{ANSWERED, Candidate, PairingKey, SYN, Sighting},
    tcp::flag,
};

use jiff::{SignedDuration, Timestamp};

use self::way::Way;
use crate::history::Found;

/// How long ago a handshake may have been to be worth a word, in ns.
const LATELY_NS: u64 = 300_000_000_000;

/// A packet needs less than this from one hook to the other, in ns.
const ON_THE_WAY_NS: u64 = 1_000_000;

/// A handshake takes less than this where all is well, in ns.
const GOING_ON_NS: u64 = 1_000_000_000;

/// A connection that somebody dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The client's own endpoint.
    pub client: SocketAddr,
    /// What it dialled.
    pub server: SocketAddr,
    /// How long ago it, or the answer to it, was seen last, in ns.
    pub ago_ns: u64,
    /// The interface that it came in by, by its index.
    pub came_by: u32,
    /// How far it got.
    pub stage: Stage,
}

/// How far a handshake got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its SYN came in, and left by no interface that is named.
    NotForwarded(Way),
    /// The SYN left, and no answer came that fits it.
    NotAnswered(Passed),
    /// The SYN-ACK came, and did not go on to the client.
    AnswerNotForwarded(Passed),
    /// The SYN-ACK went on to the client, which did not acknowledge it.
    NotCompleted(Passed),
}

/// A SYN as it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// By which interface, by its index.
    pub by: u32,
    /// The client, as it is seen from there.
    pub client: SocketAddr,
    /// Where it was sent to.
    pub server: SocketAddr,
}

/// Those of the last minutes, the latest one first. `is_watched`: whether a port is
/// looked at; `now_ns` as the kernel side has it.
#[must_use]
pub fn of(
    sightings: &[(PairingKey, Sighting)],
    candidates: &[(Tuple, Candidate)],
    is_watched: impl Fn(u16) -> bool,
    now_ns: u64,
) -> Vec<Dial> {
    let mut known: HashMap<Tuple, &Candidate> = HashMap::new();
    for (_, candidate) in candidates {
        // While it is answered there are two of the same.
        let entry = known.entry(candidate.before).or_insert(candidate);
        if candidate.state == ANSWERED {
            *entry = candidate;
        }
    }
    // By what they acknowledge: the client's number is the same on both sides.
    let answers: HashMap<u32, &Sighting> = sightings
        .iter()
        .filter(|(key, _)| key.flags == u32::from(flag::SYN | flag::ACK))
        .map(|(key, sighting)| (key.ack, sighting))
        .collect();
    let mut dials: Vec<Dial> = sightings
        .iter()
        .filter(|(key, seen)| {
            // One with data is entered twice.
            key.flags == u32::from(flag::SYN)
                && key.seq == seen.seq
                && seen.poisoned == 0
                && is_watched(seen.tuple.dport.get())
        })
        .filter_map(|(_, seen)| {
            let answer = answers.get(&seen.seq.wrapping_add(1)).copied();
            let candidate = known.get(&seen.tuple).copied();
            let candidate = candidate.filter(|c| c.client_isn == seen.seq);
            let ago_ns = now_ns.saturating_sub(seen.at_ns);
            let dial = Dial {
                client: endpoint(seen.tuple.src, seen.tuple.sport),
                server: endpoint(seen.tuple.dst, seen.tuple.dport),
                ago_ns,
                came_by: seen.ifindex,
                stage: stage(candidate, answer)?,
            };
            (ON_THE_WAY_NS..LATELY_NS).contains(&ago_ns).then_some(dial)
        })
        .collect();
    dials.sort_by_key(|dial| dial.ago_ns);
    dials
}

/// Not more than this many are looked at.
const CHOSEN: usize = 8;

/// Those that are worth a word beside the sessions that were found, the best first.
/// Whoever asks about everybody isn't told of strangers outside who knock at a door
/// while there is something else to tell of.
#[must_use]
pub fn choose<'a>(
    dials: &'a [Dial],
    client: Option<IpAddr>,
    found: &Found,
    is_inside: impl Fn(u32) -> bool,
    now: Timestamp,
) -> Vec<&'a Dial> {
    let is_meant = |dial: &Dial| match (client, &dial.stage) {
        (None, _) => found.sessions.is_empty() || is_inside(dial.came_by),
        (Some(client), Stage::NotForwarded(_)) => dial.client.ip() == client,
        (
            Some(client),
            Stage::NotAnswered(passed)
            | Stage::AnswerNotForwarded(passed)
            | Stage::NotCompleted(passed),
        ) => dial.client.ip() == client || passed.client.ip() == client,
    };
    let is_news = |dial: &Dial| {
        let ago = SignedDuration::from_nanos(i64::try_from(dial.ago_ns).unwrap_or(i64::MAX));
        let mut later = found.sessions.iter();
        // A handshake that is going on is none that failed.
        found.sessions.is_empty()
            || dial.ago_ns > GOING_ON_NS && !later.any(|session| now - ago <= session.began)
    };
    let mut chosen: Vec<_> = dials
        .iter()
        .filter(|dial| is_meant(dial) && is_news(dial))
        .collect();
    chosen.sort_by_key(|dial| (!is_inside(dial.came_by), dial.ago_ns));
    chosen.truncate(CHOSEN);
    chosen
}

/// `None`: it became a session, or something else stands for it.
fn stage(candidate: Option<&Candidate>, answer: Option<&Sighting>) -> Option<Stage> {
    let Some(candidate) = candidate else {
        // One that is made leaves its SYN-ACK behind.
        return answer
            .is_none()
            .then_some(Stage::NotForwarded(Way::Unknown));
    };
    let after = &candidate.after;
    let passed = Passed {
        by: candidate.server_ifindex,
        client: endpoint(after.src, after.sport),
        server: endpoint(after.dst, after.dport),
    };
    match candidate.state {
        SYN if answer.is_some() => Some(Stage::AnswerNotForwarded(passed)),
        SYN => Some(Stage::NotAnswered(passed)),
        ANSWERED => Some(Stage::NotCompleted(passed)),
        _ => None,
    }
}

fn endpoint(addr: Addr, port: Port) -> SocketAddr {
    SocketAddr::new(addr.to_ip(), port.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000_000;
    const ISN: u32 = 0xffff_ffff;

    fn tuple(from: &str, to: &str) -> Tuple {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        Tuple {
            src: from.ip().into(),
            dst: to.ip().into(),
            sport: Port::new(from.port()),
            dport: Port::new(to.port()),
            domain: 0,
        }
    }

    fn before() -> Tuple {
        tuple("10.10.0.1:40000", "61.144.1.100:21")
    }

    fn after() -> Tuple {
        tuple("61.144.1.2:40000", "61.144.1.100:21")
    }

    fn sighting(flags: u8, seq: u32, ack: u32, tuple: Tuple) -> (PairingKey, Sighting) {
        let key = PairingKey {
            seq,
            ack,
            flags: flags.into(),
        };
        let sighting = Sighting {
            tuple,
            at_ns: NOW - 1_000_000_000,
            ifindex: 3,
            seq,
            ..Sighting::default()
        };
        (key, sighting)
    }

    fn syn() -> (PairingKey, Sighting) {
        sighting(flag::SYN, ISN, 0, before())
    }

    fn syn_ack() -> (PairingKey, Sighting) {
        let flags = flag::SYN | flag::ACK;
        sighting(flags, 5, ISN.wrapping_add(1), after().reversed())
    }

    fn candidate(state: u32) -> (Tuple, Candidate) {
        let candidate = Candidate {
            before: before(),
            after: after(),
            server_ifindex: 4,
            client_isn: ISN,
            state,
            ..Candidate::default()
        };
        let key = if state == SYN {
            after().reversed()
        } else {
            before()
        };
        (key, candidate)
    }

    fn stages(
        sightings: &[(PairingKey, Sighting)],
        candidates: &[(Tuple, Candidate)],
    ) -> Vec<Stage> {
        let dials = of(sightings, candidates, |port| port == 21, NOW);
        dials.into_iter().map(|dial| dial.stage).collect()
    }

    fn passed() -> Passed {
        Passed {
            by: 4,
            client: "61.144.1.2:40000".parse().unwrap(),
            server: "61.144.1.100:21".parse().unwrap(),
        }
    }

    #[test]
    fn a_handshake_is_told_by_how_far_it_got() {
        let never_left = [Stage::NotForwarded(Way::Unknown)];
        assert_eq!(stages(&[syn()], &[]), never_left);
        let left = [candidate(SYN)];
        assert_eq!(stages(&[syn()], &left), [Stage::NotAnswered(passed())]);
        assert_eq!(
            stages(&[syn(), syn_ack()], &left),
            [Stage::AnswerNotForwarded(passed())]
        );
        let both = [candidate(ANSWERED), candidate(SYN)];
        assert_eq!(
            stages(&[syn(), syn_ack()], &both),
            [Stage::NotCompleted(passed())]
        );
        assert!(stages(&[syn(), syn_ack()], &[]).is_empty(), "a session");
    }

    #[test]
    fn what_is_old_or_on_its_way_or_not_watched_is_left_out() {
        let at = |at_ns: u64| {
            let (key, seen) = syn();
            stages(&[(key, Sighting { at_ns, ..seen })], &[]).len()
        };
        assert_eq!(at(NOW - ON_THE_WAY_NS), 1);
        assert_eq!(at(NOW - 1), 0);
        assert_eq!(at(NOW - LATELY_NS), 0);
        let (key, seen) = syn();
        let tuple = tuple("10.10.0.1:40000", "61.144.1.100:22");
        assert!(stages(&[(key, Sighting { tuple, ..seen })], &[]).is_empty());
        let poisoned = Sighting {
            poisoned: 1,
            ..seen
        };
        assert!(stages(&[(key, poisoned)], &[]).is_empty());
    }

    #[test]
    fn a_candidate_of_an_older_handshake_does_not_count() {
        let (key, old) = candidate(SYN);
        let client_isn = 7;
        let old = (key, Candidate { client_isn, ..old });
        assert_eq!(
            stages(&[syn()], &[old]),
            [Stage::NotForwarded(Way::Unknown)]
        );
    }
}
