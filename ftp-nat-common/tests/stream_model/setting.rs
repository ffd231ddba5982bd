//! What a test varies, and what passes the gateway.

use crate::{
    reference::{Plan, World, plan},
    rng::mix,
};
use std::{collections::BTreeSet, net::IpAddr};

/// A segment on the way from near to far. `at` counts from the stream's first
/// byte and is negative for a keep-alive before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub at: i64,
    pub data: Vec<u8>,
    pub fin: bool,
}

impl Packet {
    /// Behind the last byte or the FIN.
    pub fn end(&self) -> i64 {
        self.at + self.data.len() as i64 + i64::from(self.fin)
    }
}

/// An acknowledgement on the way from far to near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub at: i64,
    pub window: usize,
    pub sacks: Vec<(i64, i64)>,
}

/// What happened to a stream on its way, by offsets.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Where announcements had to be let by.
    pub exempt: BTreeSet<usize>,
    /// Ends of announcements that the engine asked a port for: in a live
    /// stream only these are edited.
    pub asked: BTreeSet<usize>,
    /// See [`World::lost`].
    pub lost: BTreeSet<usize>,
}

/// What a test varies.
#[derive(Clone, Debug)]
pub struct Setting {
    pub role: usize,
    pub v6: bool,
    pub isn: u32,
    pub salt: u64,
    pub capacity: usize,
    pub passive: usize,
    /// No table of edits can be had.
    pub no_edits: bool,
    /// Nobody reads what the session says: segments may pass out of order.
    pub unread: bool,
    /// Requests come while the stream runs: what is edited is only known once
    /// the engine has decided it.
    pub live: bool,
}

impl Setting {
    pub fn own(&self) -> IpAddr {
        if self.v6 {
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()
        } else {
            [10, 10, 0, 1].into()
        }
    }

    pub fn seen(&self) -> IpAddr {
        match (self.v6, self.salt % 3) {
            (true, 0) => [0x2001, 0xdb8, 1, 2, 3, 4, 5, 6].into(),
            (true, _) => [1, 0, 0, 0, 0, 0, 0, 1].into(),
            (_, 0) => [1, 2, 3, 4].into(),
            (_, 1) => [10, 10, 0, 1].into(),
            _ => [161, 144, 101, 202].into(),
        }
    }

    /// The external port, chosen by where the announcement ends.
    pub fn port(&self, release: usize, near_port: u16) -> Option<u16> {
        let n = mix(self.salt ^ (release as u64) << 20 ^ u64::from(near_port));
        match n % 16 {
            0 => None,
            1..=6 => Some(near_port),
            7..=9 => Some(1024 + (n >> 8) as u16 % 256),
            _ => Some(1024 + ((n >> 8) % 64_512) as u16),
        }
    }

    /// What far must get of `stream`, given what happened to it.
    pub fn plan(&self, stream: &[u8], seen: &Seen) -> Plan {
        let Seen {
            exempt,
            asked,
            lost,
        } = seen;
        let passive = if self.unread { 0 } else { self.passive };
        plan(
            stream,
            &World {
                client: self.role == 0,
                own: self.own(),
                seen: self.seen(),
                passive: if self.live { usize::MAX } else { passive },
                port: &|release, port| {
                    let wanted = !self.live || asked.contains(&release);
                    self.port(release, port).filter(|_| wanted)
                },
                exempt: &|line, at| self.no_edits || exempt.range(line..=at).next().is_some(),
                lost,
            },
        )
    }
}
