//! far's acknowledgements.

use super::{Connection, script::Said};
use crate::gateway::Ack;
use ftp_nat_common::stream::HALF_FROZEN;

/// What far said that it has.
#[derive(Default)]
pub(super) struct Claims {
    una: i64,
    blocks: Vec<(i64, i64)>,
}

impl Claims {
    fn has(&self, at: usize) -> bool {
        let at = at as i64;
        at < self.una || self.blocks.iter().any(|b| (b.0..b.1).contains(&at))
    }
}

impl Connection {
    /// An acknowledgement from anywhere: of what was sent, of what was not.
    pub(super) fn acknowledge(&mut self, said: &Said) {
        let half = self.gateway.half();
        let mark = if said.from_next {
            half.out_nxt
        } else {
            half.far_una
        };
        let at = self.gateway.offset(mark) + said.distance;
        let sent = self.sent();
        let blocks = said.blocks.iter().map(|&(start, len)| {
            let start = at + start;
            // A block of what was never sent says nothing that could be true.
            (start.min(sent), (start + len).min(sent))
        });
        let sacks = blocks.collect();
        self.far_says(&Ack {
            at,
            window: 1000,
            sacks,
        });
    }

    /// Behind the last output position that can have been sent: bytes that
    /// overtook a hole lie beyond what comes next.
    fn sent(&self) -> i64 {
        let half = self.gateway.half();
        let ahead = if half.flags & HALF_FROZEN == 0 {
            0
        } else {
            half.frozen.since(half.in_nxt).max(0)
        };
        self.gateway.offset(half.out_nxt) + i64::from(ahead)
    }

    /// Lets an acknowledgement through to near, if the engine believes it.
    pub(super) fn far_says(&mut self, ack: &Ack) {
        let una = self.claims.una;
        self.claims.una = una.max(ack.at);
        self.claims.blocks.extend(&ack.sacks);
        let claims = &self.claims;
        match self.gateway.maybe_acks(ack, self.max, |at| claims.has(at)) {
            Some(told) => self.una = self.una.max(told.at.max(0) as usize),
            None => self.claims.una = una,
        }
    }
}
