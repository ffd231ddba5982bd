//! The sending TCP: it segments, waits, resends and probes as real ones do,
//! in every way that is allowed and in some that are not nice.

use crate::{
    gateway::{Ack, Packet},
    rng::Rng,
};

/// How this sender behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    pub mss: usize,
    pub nagle: bool,
    pub sack: bool,
    pub fin: bool,
    /// Keep-alives carry one byte of garbage (RFC 1122 section 4.2.3.6).
    pub garbage: bool,
    /// Keep-alives and window probes are sent at all.
    pub keep_alive: bool,
    /// How often, in percent of ticks, something is resent for no reason.
    pub restless: usize,
    /// The largest write of the application, in bytes.
    pub write: usize,
    /// Ticks between writes.
    pub pause: usize,
}

const RTO: usize = 24;

/// The sender.
pub struct Near {
    habits: Habits,
    stream: Vec<u8>,
    written: usize,
    pub una: usize,
    nxt: usize,
    /// How far anything was ever sent, the FIN counted.
    pub max: usize,
    sacked: Vec<bool>,
    /// First position beyond the window.
    edge: usize,
    cwnd: usize,
    rto_at: Option<usize>,
    backoff: usize,
    duplicates: usize,
    write_at: usize,
}

impl Near {
    pub fn new(habits: Habits, stream: &[u8], window: usize) -> Self {
        Self {
            sacked: vec![false; stream.len() + 1],
            habits,
            stream: stream.to_vec(),
            written: 0,
            una: 0,
            nxt: 0,
            max: 0,
            edge: window,
            cwnd: 4,
            rto_at: None,
            backoff: 0,
            duplicates: 0,
            write_at: 0,
        }
    }

    fn total(&self) -> usize {
        self.stream.len() + usize::from(self.habits.fin)
    }

    /// Its state in a line.
    pub fn state(&self) -> String {
        let Self {
            una,
            nxt,
            max,
            edge,
            cwnd,
            rto_at,
            written,
            ..
        } = self;
        format!("una {una} nxt {nxt} max {max} edge {edge} cwnd {cwnd} rto {rto_at:?} of {written}")
    }

    pub fn finished(&self) -> bool {
        self.una == self.total()
    }

    fn segment(&self, from: usize, to: usize) -> Packet {
        let end = to.min(self.stream.len());
        Packet {
            at: from as i64,
            data: self.stream[from.min(end)..end].to_vec(),
            fin: to > self.stream.len(),
        }
    }

    pub fn acked(&mut self, ack: &Ack, now: usize, rng: &mut Rng, out: &mut Vec<Packet>) {
        assert!(
            ack.at <= self.max as i64,
            "near was told {} but sent only {}",
            ack.at,
            self.max
        );
        if self.habits.sack {
            for &(start, end) in &ack.sacks {
                for at in start.max(0) as usize..end.max(0) as usize {
                    self.sacked[at] = true;
                }
            }
        }
        if ack.at > self.una as i64 {
            self.una = ack.at as usize;
            self.nxt = self.nxt.max(self.una);
            self.cwnd += 1;
            self.backoff = 0;
            self.duplicates = 0;
            self.rto_at = None;
        } else if ack.at == self.una as i64 && self.una < self.max {
            self.duplicates += 1;
            if self.duplicates == 3 {
                self.resend(rng, out);
            }
        }
        if ack.at >= self.una as i64 {
            self.edge = ack.at as usize + ack.window;
        }
        self.send(now, rng, out);
    }

    /// Resends the first hole, in a segment of any length.
    fn resend(&mut self, rng: &mut Rng, out: &mut Vec<Packet>) {
        let Some(from) = (self.una..self.max).find(|at| !self.sacked[*at]) else {
            return;
        };
        // Linux sends neighbours collapsed, others cut anew.
        let longest = if rng.chance(25) {
            rng.range(1, self.habits.mss)
        } else {
            self.habits.mss
        };
        let to = (from..self.max.min(from + longest))
            .find(|at| self.sacked[*at])
            .unwrap_or(self.max.min(from + longest));
        out.push(self.segment(from, to));
    }

    fn send(&mut self, now: usize, rng: &mut Rng, out: &mut Vec<Packet>) {
        let end = if self.written == self.stream.len() {
            self.total()
        } else {
            self.written
        };
        loop {
            while self.nxt < self.max && self.sacked[self.nxt] {
                self.nxt += 1;
            }
            let flying = self.nxt - self.una;
            let window = self.edge.saturating_sub(self.nxt);
            if self.nxt >= end || window == 0 || flying >= self.cwnd * self.habits.mss {
                break;
            }
            let mut to = end.min(self.nxt + self.habits.mss).min(self.nxt + window);
            let small = to - self.nxt < self.habits.mss;
            if self.habits.nagle && flying > 0 && small && self.nxt >= self.max && to < self.total()
            {
                break;
            }
            if rng.chance(10) {
                to = self.nxt + rng.range(1, to - self.nxt);
            }
            if let Some(hole) = (self.nxt..to.min(self.max)).find(|at| self.sacked[*at]) {
                to = hole;
            }
            out.push(self.segment(self.nxt, to));
            self.nxt = to;
            self.max = self.max.max(to);
        }
        if self.una < self.max && self.rto_at.is_none() {
            self.rto_at = Some(now + (RTO << self.backoff.min(3)));
        }
    }

    pub fn tick(&mut self, now: usize, rng: &mut Rng, out: &mut Vec<Packet>) {
        if self.written < self.stream.len() && now >= self.write_at {
            self.written += rng
                .range(1, self.habits.write)
                .min(self.stream.len() - self.written);
            self.write_at = now + rng.below(self.habits.pause + 1);
        }
        self.send(now, rng, out);
        if self.rto_at.is_some_and(|at| now >= at) {
            self.rto_at = None;
            if self.una < self.max {
                self.backoff += 1;
                self.cwnd = 1;
                // The left edge is sent again though it was reported (RFC 2018 section 8).
                if self.sacked.get(self.una) == Some(&true) {
                    self.sacked.fill(false);
                }
                // The first segment goes out whatever the window is: it may have shrunk.
                self.resend(rng, out);
                if !self.habits.sack || rng.chance(50) {
                    self.nxt = out
                        .last()
                        .map_or(self.una, |p| p.end() as usize)
                        .min(self.max);
                }
                self.send(now, rng, out);
                self.rto_at = Some(now + (RTO << self.backoff.min(3)));
            }
        }
        if self.habits.restless > 0 && rng.chance(self.habits.restless) {
            self.disturb(rng, out);
        }
        // A shut window is probed in any case, or nobody would open it again.
        let shut = self.una == self.max && !self.finished() && self.edge <= self.una;
        if shut && now.is_multiple_of(RTO) {
            if rng.chance(30) && self.una < self.written {
                // Some probe with the next byte.
                self.max = self.una + 1;
                self.nxt = self.max;
                out.push(self.segment(self.una, self.max));
            } else {
                let at = self.una as i64 - 1;
                out.push(Packet {
                    at,
                    data: Vec::new(),
                    fin: false,
                });
            }
        }
    }

    /// Something legal that nobody asked for.
    fn disturb(&self, rng: &mut Rng, out: &mut Vec<Packet>) {
        if self.una < self.max && rng.chance(60) {
            let from = rng.range(self.una, self.max - 1);
            let to = rng.range(from + 1, self.max.min(from + 2 * self.habits.mss));
            out.push(self.segment(from, to));
        } else if self.habits.keep_alive && self.una == self.max {
            let data = if self.habits.garbage {
                vec![rng.next() as u8]
            } else {
                Vec::new()
            };
            out.push(Packet {
                at: self.una as i64 - 1,
                data,
                fin: false,
            });
        } else if self.habits.keep_alive {
            out.push(Packet {
                at: self.una as i64 - 1,
                data: Vec::new(),
                fin: false,
            });
        } else {
            out.push(Packet {
                at: self.nxt as i64,
                data: Vec::new(),
                fin: false,
            });
        }
    }
}
