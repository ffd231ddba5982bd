//! The invariants I1 to I8 of the stream rules.

use super::{Gateway, Packet};
use ftp_nat_common::{
    seq::Seq,
    stream::{
        HALF_FIN,
        position::{ack_to_input, bare_to_output},
    },
};

impl Gateway {
    /// I1: a position has one value, unless far is known to have it.
    pub(super) fn one_value_each(&mut self, out: &Packet) {
        let far_una = self.offset(self.half().far_una);
        let bytes = out
            .data
            .iter()
            .map(|b| u16::from(*b))
            .chain(out.fin.then_some(256));
        for (i, value) in bytes.enumerate() {
            let at = out.at + i as i64;
            if at < far_una {
                continue;
            }
            let at = at as usize;
            if self.sent.len() <= at {
                self.sent.resize(at + 1, None);
            }
            let known = self.sent[at].get_or_insert(value);
            assert_eq!(*known, value, "I1: output {at} was sent with another value");
        }
    }

    /// Every byte that far was sent is the one that the reference has there.
    pub fn check_output(&self) {
        for (at, value) in self.sent.iter().enumerate() {
            let known = self.plan.output.get(at).map_or(256, |b| u16::from(*b));
            assert!(
                value.is_none_or(|v| v == known),
                "output {at} was {value:?}, not {known}"
            );
        }
    }

    /// I4: what near is told about the input byte `at` is true.
    pub(super) fn honest(&self, at: usize, has: &impl Fn(usize) -> bool) {
        if at >= self.stream.len() {
            assert!(has(self.plan.output.len()), "I4: FIN");
            return;
        }
        for out in self.plan.outputs_of(at) {
            assert!(
                has(out),
                "I4: input {at} was reported received, output {out} was not"
            );
        }
    }

    /// The input ranges that near may have been told while they were held.
    pub(super) fn kept(&self) -> Vec<std::ops::Range<i64>> {
        let half = self.half();
        let Some(edits) = &self.edits else {
            return Vec::new();
        };
        (0..u32::from(half.edits_len))
            .map(|n| &edits.slot[half.slot(n)])
            .map(|e| self.offset(e.in0)..self.offset(e.in0.plus(u32::from(e.k))))
            .collect()
    }

    /// The outstanding edits: in0, in1, out0, out1.
    pub(super) fn ring(&self) -> Vec<(Seq, Seq, Seq, Seq)> {
        let half = self.half();
        let Some(edits) = &self.edits else {
            return Vec::new();
        };
        (0..u32::from(half.edits_len))
            .map(|n| &edits.slot[half.slot(n)])
            .map(|e| (e.in0, e.in1, e.out0, e.out1()))
            .collect()
    }

    /// The invariants of the state.
    pub(super) fn check(&mut self) {
        let half = self.half();
        let hs = self.offset(half.held_start());
        let (out_nxt, far_una) = (self.offset(half.out_nxt), self.offset(half.far_una));
        assert!(far_una <= out_nxt);
        assert_eq!(
            half.held_len, half.k,
            "k is the held length between segments"
        );
        if half.flags & HALF_FIN == 0 {
            assert_eq!(
                self.plan.output_of(hs as usize) as i64,
                out_nxt,
                "I5: hs {hs}"
            );
        } else {
            assert_eq!(self.plan.output.len() as i64 + 1, out_nxt, "I5: FIN");
        }
        let ring = self.ring();
        for r in self.plan.rewrites.iter().filter(|r| {
            r.in1 as i64 <= hs && r.out1 as i64 > far_una && self.seen.asked.contains(&(r.in1 - 1))
        }) {
            let there = ring.iter().any(|e| {
                (self.offset(e.0), self.offset(e.1)) == (r.in0 as i64, r.in1 as i64)
                    && (self.offset(e.2), self.offset(e.3)) == (r.out0 as i64, r.out1 as i64)
            });
            assert!(there, "I5: {r:?} is outstanding and not in the ring");
        }
        for pair in ring.windows(2) {
            assert!(
                !pair[1].0.before(pair[0].1) && !pair[1].2.before(pair[0].3),
                "ring in order"
            );
        }
        self.checks += 1;
        if self.checks.is_multiple_of(8) {
            self.check_maps(far_una, out_nxt);
        }
    }

    /// I7 and I8, over all positions that matter.
    pub(super) fn check_maps(&self, far_una: i64, out_nxt: i64) {
        let (half, edits) = (self.half(), self.edits.as_deref());
        let mut last = i64::MIN;
        for a in far_una - 3..=out_nxt {
            let mapped = self.offset(ack_to_input(half, edits, self.seq(a)));
            assert!(
                mapped >= last,
                "I7: ack {a} maps to {mapped}, the one before to {last}"
            );
            last = mapped;
        }
        let in_nxt = self.offset(half.in_nxt);
        let first = self.offset(ack_to_input(half, edits, half.far_una)) - 3;
        for s in first..in_nxt {
            let mapped = self.offset(bare_to_output(half, edits, self.seq(s)));
            assert!(
                mapped < out_nxt,
                "I8: {s} maps to {mapped}, far expects {out_nxt}"
            );
        }
        let next = bare_to_output(half, edits, half.in_nxt);
        assert_eq!(next, half.out_nxt);
    }
}
