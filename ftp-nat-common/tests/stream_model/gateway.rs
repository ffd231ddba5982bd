//! The engine as the kernel program calls it, with the invariants of the
//! stream rules (see [`invariants`]) asserted round every packet.

pub use crate::setting::{Ack, Packet, Seen, Setting};

use crate::reference::{Plan, without_telnet};
use ftp_nat_common::{
    addr::{Addr, Port},
    counter::Counter,
    line::{Request, Requests},
    seq::Seq,
    session::{SESSION_GREETED, SESSION_NOT_FTP, SESSION_TRUSTED, Session},
    stream::{
        EDITS, Edits, Environment, Half, TELNET_MAX,
        egress::{Acked, acknowledge, sack_block},
        ingress::{
            Begun, Outcome, Progress, RUN_NO_EDITS, Run, Segment, begin, finish, gather,
            may_gather, may_skim, skim, step,
        },
    },
    tcp::flag,
    translation::Kind,
};
use std::collections::{BTreeSet, HashMap};

mod invariants;

/// What the engine asked of the world, and when.
struct Surroundings<'a> {
    setting: &'a Setting,
    /// Offset of the byte being taken.
    at: usize,
    asked: &'a mut BTreeSet<usize>,
    counts: &'a mut HashMap<&'static str, usize>,
}

impl Environment for Surroundings<'_> {
    fn expect(&mut self, _: Kind, near_port: u16, _: usize) -> Option<u16> {
        assert!(
            self.asked.insert(self.at),
            "asked twice for the announcement that ends at {}",
            self.at
        );
        self.setting.port(self.at, near_port)
    }

    fn withdraw(&mut self, _: usize, _: Port) {}

    fn count(&mut self, counter: Counter) {
        *self.counts.entry(counter.name()).or_default() += 1;
    }
}

/// The gateway: one half of one session.
pub struct Gateway {
    pub setting: Setting,
    pub session: Session,
    pub edits: Option<Box<Edits>>,
    pub run: Box<Run>,
    pub counts: HashMap<&'static str, usize>,
    pub seen: Seen,
    pub plan: Plan,
    stream: Vec<u8>,
    /// Every output position's value; 256 is the FIN.
    sent: Vec<Option<u16>>,
    checks: usize,
    /// Acknowledgements of what was not seen.
    resynced: usize,
    /// The highest acknowledgement from far, and what near was told then.
    highest: (i64, i64),
    /// The highest acknowledgement that near was told.
    told: i64,
}

impl Gateway {
    pub fn new(setting: Setting, stream: &[u8]) -> Self {
        let mut session = Session {
            flags: SESSION_TRUSTED
                | if setting.role == 0 {
                    SESSION_GREETED
                } else {
                    0
                },
            ..Session::default()
        };
        if setting.unread {
            session.flags |= SESSION_NOT_FTP;
        }
        session.real[setting.role] = Addr::from(setting.own());
        session.seen[setting.role] = Addr::from(setting.seen());
        session.told = session.seen;
        session.half[setting.role] = Half::starting_at(Seq(setting.isn).plus(1));
        session.requests = Requests::default();
        if !setting.unread {
            for _ in 0..setting.passive {
                session.requests.push(Request::Passive);
            }
        }
        let seen = Seen::default();
        let plan = setting.plan(stream, &seen);
        Self {
            setting,
            session,
            edits: None,
            run: Box::new(Run::new()),
            counts: HashMap::new(),
            seen,
            plan,
            stream: stream.to_vec(),
            sent: Vec::new(),
            checks: 0,
            resynced: 0,
            highest: (0, 0),
            told: 0,
        }
    }

    pub fn half(&self) -> &Half {
        &self.session.half[self.setting.role]
    }

    pub fn count(&self, counter: Counter) -> usize {
        self.counts.get(counter.name()).copied().unwrap_or(0)
    }

    pub fn seq(&self, at: i64) -> Seq {
        Seq(self.setting.isn.wrapping_add(1).wrapping_add(at as u32))
    }

    pub fn offset(&self, seq: Seq) -> i64 {
        // Streams are short: the nearest offset to the start is the right one.
        i64::from(seq.since(Seq(self.setting.isn.wrapping_add(1))))
    }

    /// A segment from near: what far is sent, if anything.
    pub fn near_sends(&mut self, packet: &Packet) -> Option<Packet> {
        let flags = flag::ACK | if packet.fin { flag::FIN } else { 0 };
        let segment = Segment {
            seq: self.seq(packet.at),
            len: packet.data.len() as u32,
            flags,
            capacity: self.setting.capacity as u32,
        };
        let role = self.setting.role;
        self.free_edits();
        let overtakes = segment.seq.after(self.half().in_nxt);
        let begun = begin(
            &mut self.run,
            &mut self.session,
            role,
            self.edits.as_deref(),
            &segment,
        );
        let outcome = match begun {
            Begun::Done(outcome) => outcome,
            Begun::Parse => {
                self.parse(&packet.data);
                finish(&mut self.run, &mut self.session.half[role], &segment)
            }
        };
        let out = match outcome {
            Outcome::Untouched(seq) => Some(Packet {
                at: self.offset(seq),
                data: packet.data.clone(),
                fin: packet.fin,
            }),
            Outcome::Rebuilt { seq, len, fin } => {
                assert!(len <= segment.capacity, "{len} bytes do not fit");
                let data = self.run.out[..len as usize].to_vec();
                Some(Packet {
                    at: self.offset(seq),
                    data,
                    fin,
                })
            }
            Outcome::Probe { seq, byte } => Some(Packet {
                at: self.offset(seq),
                data: vec![byte],
                fin: false,
            }),
            Outcome::Drop(counter) => {
                *self.counts.entry(counter.name()).or_default() += 1;
                None
            }
        };
        if let Some(out) = &out {
            if overtakes && !out.data.is_empty() {
                self.lost(self.half().in_nxt);
            }
            self.one_value_each(out);
        }
        self.check();
        out
    }

    pub fn parse(&mut self, data: &[u8]) {
        let role = self.setting.role;
        let mut steps = 0;
        loop {
            // As the kernel side does, but not always.
            let next = |run: &Run| data.get(run.pos as usize).copied().unwrap_or(0xee);
            let byte = next(&self.run);
            if steps % 3 != 0 && may_skim(&self.run, &self.session, role, byte) {
                let from = self.run.pos;
                let input = |n: u32| data.get((from + n) as usize).copied();
                skim(&mut self.run, &mut self.session, role, input);
            }
            let (byte, edits) = (next(&self.run), self.edits.is_some());
            if steps % 3 != 1 && may_gather(&self.run, &self.session, role, edits, byte) {
                let from = self.run.pos;
                let input = |n: u32| data.get((from + n) as usize).copied();
                gather(&mut self.run, &mut self.session, role, input);
            }
            let byte = next(&self.run);
            let in_nxt = self.session.half[role].in_nxt;
            let at = self.offset(in_nxt);
            let no_slot = self.setting.no_edits || self.half().edits_len as usize >= EDITS - 1;
            let (slot, frozen) = (
                self.count(Counter::PassedNoEditSlot),
                self.count(Counter::PassedFrozen),
            );
            let known = self.seen.asked.len();
            let full = self.telnet_fills_up(at as usize);
            let mut world = Surroundings {
                setting: &self.setting,
                at: at as usize,
                asked: &mut self.seen.asked,
                counts: &mut self.counts,
            };
            let edits = self.edits.as_deref_mut();
            let progress = step(
                &mut self.run,
                &mut self.session,
                role,
                edits,
                byte,
                &mut world,
            );
            let let_by = self.count(Counter::PassedNoEditSlot) > slot;
            assert!(!let_by || no_slot, "a slot was free");
            let full = full && self.half().held_len == 0;
            if (let_by && !self.setting.no_edits)
                || full
                || self.count(Counter::PassedFrozen) > frozen
            {
                self.seen.exempt.insert(at as usize);
                self.replan();
            } else if self.setting.live && self.seen.asked.len() > known {
                self.replan();
            }
            match progress {
                Progress::More => {}
                Progress::WantEdits if self.setting.no_edits => self.run.flags |= RUN_NO_EDITS,
                Progress::WantEdits => {
                    assert!(self.edits.is_none());
                    self.edits = Some(Box::default());
                }
                Progress::Done => return,
            }
            steps += 1;
            let bound = data.len() + self.run.out_len as usize + 2 * EDITS + 8;
            assert!(steps <= bound, "{steps} steps for {} bytes", data.len());
        }
    }

    /// Whether the byte `at` is one Telnet byte too many for a held text, with
    /// which the rest of its line is let by.
    fn telnet_fills_up(&self, at: usize) -> bool {
        let half = self.half();
        let start = self.seen.lost.range(..=at).next_back().copied();
        half.held_len > 0
            && at < self.stream.len()
            && usize::from(half.telnet_len) >= TELNET_MAX
            && !without_telnet(&self.stream, start.unwrap_or(0)..at + 1)
                .iter()
                .any(|d| d.1 == at)
    }

    /// What the engine knew of the line that `at` is in, it knows no more.
    fn lost(&mut self, at: Seq) {
        self.seen.lost.insert(self.offset(at) as usize);
        self.replan();
    }

    fn replan(&mut self) {
        self.plan = self.setting.plan(&self.stream, &self.seen);
    }

    /// An acknowledgement from far: what near is sent. `snd_max` is how far
    /// near has sent, `has` tells what far has received.
    pub fn far_acks(&mut self, ack: &Ack, snd_max: usize, has: impl Fn(usize) -> bool) -> Ack {
        let resynced = self.resynced;
        let told = self.maybe_acks(ack, snd_max, has);
        assert_eq!(self.resynced, resynced, "ack {} of a faithful far", ack.at);
        told.unwrap_or_else(|| panic!("ack {} of a faithful far", ack.at))
    }

    /// The same of a far that can be anything; what isn't believed changes nothing.
    pub fn maybe_acks(
        &mut self,
        ack: &Ack,
        snd_max: usize,
        has: impl Fn(usize) -> bool,
    ) -> Option<Ack> {
        let (seq, role) = (self.seq(ack.at), self.setting.role);
        let (half, line) = (&mut self.session.half[role], &mut self.session.line[role]);
        let before = *half;
        let acked = acknowledge(half, line, self.edits.as_deref(), seq);
        let at = match acked {
            Acked::Mapped(at) => at,
            Acked::Resynced(at) => {
                self.resynced += 1;
                at
            }
            Acked::Beyond => {
                assert_eq!(*self.half(), before, "what isn't believed changes nothing");
                return None;
            }
        };
        if self.half().in_nxt != before.in_nxt {
            let unseen = self.offset(before.in_nxt)..self.offset(self.half().in_nxt);
            self.seen.lost.extend(unseen.map(|at| at as usize));
            self.lost(self.half().in_nxt);
        }
        let half = self.half();
        let (at, in_nxt) = (self.offset(at), self.offset(half.in_nxt));
        assert!(
            at <= in_nxt && in_nxt <= snd_max as i64,
            "I2: {at} <= {in_nxt} <= {snd_max}"
        );
        if ack.at >= self.highest.0 {
            let last = self.highest.1;
            assert!(
                at >= last,
                "I7: near was told {last}, and {at} for {} now",
                ack.at
            );
            self.highest = (ack.at, at);
        }
        // What is acknowledged is in far's hands, or held, or was held at the
        // end of a segment and is kept in the ring.
        let hs = self.offset(self.half().held_start());
        let kept = self.kept();
        for byte in self.told..at {
            if byte < hs && !kept.iter().any(|k| k.contains(&byte)) {
                self.honest(byte as usize, &has);
            }
        }
        self.told = self.told.max(at);
        for edit in self.ring() {
            let in1 = self.offset(edit.1);
            assert!(
                at < in1,
                "I3: {at} acknowledges the edit up to {in1}, which far has not"
            );
        }
        let mut sacks = Vec::new();
        for (i, &(start, end)) in ack.sacks.iter().enumerate() {
            let inside = ack.sacks.get(1).is_some_and(|b| b.0 <= start && end <= b.1);
            if i == 0 && (end <= ack.at || inside) {
                continue; // a D-SACK
            }
            let edges = (self.seq(start), self.seq(end));
            if let Some((s, e)) = sack_block(self.half(), self.edits.as_deref(), edges.0, edges.1) {
                let (s, e) = (self.offset(s), self.offset(e));
                assert!(
                    e <= snd_max as i64,
                    "SACK {s}..{e} of what near did not send"
                );
                for byte in s.max(0)..e {
                    self.honest(byte as usize, &has);
                }
                sacks.push((s, e));
            }
        }
        self.check();
        self.free_edits();
        Some(Ack {
            at,
            window: ack.window,
            sacks,
        })
    }

    /// The kernel program keeps no table for a half that has nothing in it.
    fn free_edits(&mut self) {
        let half = self.half();
        if half.edits_len == 0 && half.held_len == 0 {
            self.edits = None;
        }
    }
}
