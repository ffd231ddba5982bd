//! The receiving TCP: a reassembly queue, a window, delayed acknowledgements,
//! SACK and D-SACK (RFC 2018, RFC 2883).

use crate::{
    gateway::{Ack, Packet},
    rng::Rng,
};
use std::collections::BTreeMap;

/// The receiver.
pub struct Far {
    /// What arrived in order.
    pub received: Vec<u8>,
    /// What arrived beyond a hole; `None` is the FIN.
    queue: BTreeMap<usize, Option<u8>>,
    pub fin: bool,
    sack: bool,
    buffer: usize,
    unread: usize,
    delayed_at: Option<usize>,
    /// Drops a segment that overruns the window whole, as Linux does since 6.17.
    strict: bool,
    last_block: usize,
}

impl Far {
    pub fn new(sack: bool, buffer: usize, strict: bool) -> Self {
        Self {
            received: Vec::new(),
            queue: BTreeMap::new(),
            fin: false,
            sack,
            buffer,
            unread: 0,
            delayed_at: None,
            strict,
            last_block: 0,
        }
    }

    /// The next position expected.
    pub fn next(&self) -> usize {
        self.received.len() + usize::from(self.fin)
    }

    pub fn has(&self, at: usize) -> bool {
        at < self.next() || self.queue.contains_key(&at)
    }

    pub fn window(&self) -> usize {
        self.buffer - self.unread.min(self.buffer)
    }

    /// Takes a segment; the acknowledgement it makes far send at once.
    pub fn take(&mut self, packet: &Packet, now: usize) -> Option<Ack> {
        let next = self.next() as i64;
        if packet.end() == packet.at {
            return (packet.at < next).then(|| self.ack(None));
        }
        let edge = next + self.window() as i64;
        if packet.end() <= next {
            let duplicate = (packet.at.max(0), packet.end());
            return Some(self.ack(Some(duplicate)));
        }
        let beyond = packet.end() > edge + i64::from(packet.fin);
        if self.strict && beyond && (packet.at != next || packet.at >= edge) {
            return Some(self.ack(None));
        }
        let hole_before = !self.queue.is_empty();
        let mut duplicate = None;
        let values = packet
            .data
            .iter()
            .map(|b| Some(*b))
            .chain(packet.fin.then_some(None));
        for (i, value) in values.enumerate() {
            let at = packet.at + i as i64;
            if at < next || at > edge || (at == edge && value.is_some()) {
                continue;
            }
            if self.queue.insert(at as usize, value).is_some() {
                let d: &mut (i64, i64) = duplicate.get_or_insert((at, at));
                d.1 = at + 1;
            }
            self.last_block = at as usize;
        }
        while let Some(value) = self.queue.remove(&self.next()) {
            match value {
                Some(byte) => {
                    assert!(!self.fin, "data behind the FIN");
                    self.received.push(byte);
                    self.unread += 1;
                }
                None => self.fin = true,
            }
        }
        let in_order = self.queue.is_empty() && !hole_before && duplicate.is_none();
        if in_order && packet.at == next && !self.fin && self.delayed_at.is_none() {
            self.delayed_at = Some(now + 4);
            return None;
        }
        Some(self.ack(duplicate))
    }

    fn ack(&mut self, duplicate: Option<(i64, i64)>) -> Ack {
        self.delayed_at = None;
        let mut sacks = Vec::new();
        if self.sack {
            let mut blocks: Vec<(i64, i64)> = Vec::new();
            for &at in self.queue.keys() {
                let at = at as i64;
                match blocks.last_mut() {
                    Some(b) if b.1 == at => b.1 = at + 1,
                    _ => blocks.push((at, at + 1)),
                }
            }
            // The block that changed last comes first.
            let last = self.last_block as i64;
            blocks.sort_by_key(|b| !(b.0 <= last && last < b.1));
            sacks.extend(duplicate);
            sacks.extend(blocks);
            sacks.truncate(4);
        }
        Ack {
            at: self.next() as i64,
            window: self.window(),
            sacks,
        }
    }

    pub fn tick(&mut self, now: usize, rng: &mut Rng) -> Option<Ack> {
        if self.unread > 0 && rng.chance(20) {
            let shut = self.window() == 0;
            self.unread -= rng.range(1, self.unread);
            if shut {
                return Some(self.ack(None));
            }
        }
        if self.delayed_at.is_some_and(|at| now >= at) {
            return Some(self.ack(None));
        }
        None
    }
}
