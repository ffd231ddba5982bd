//! near's segments.

use super::{
    Connection,
    script::{Mark, Segment},
};
use crate::{
    gateway::{Ack, Packet},
    merged::merged,
};
use ftp_nat_common::{
    stream::{
        HALF_FIN,
        ingress::Segment as Header,
        ingress::{Begun, Outcome, begin},
        position::ack_to_input,
    },
    tcp::flag,
};

impl Connection {
    /// The offset that a mark stands for, and a distance from it.
    fn place(&self, from: Mark, distance: i64) -> i64 {
        let half = self.gateway.half();
        let mark = match from {
            Mark::Next => half.in_nxt,
            Mark::Held => half.held_start(),
            Mark::Acknowledged => self.gateway.seq(self.una as i64),
            Mark::Edit => match &self.gateway.edits {
                Some(edits) if half.edits_len > 0 => edits.slot[half.slot(0)].in0,
                _ => half.held_start(),
            },
        };
        self.gateway.offset(mark) + distance
    }

    /// Sends a segment with data or a FIN, if there is any at that place.
    pub(super) fn send(&mut self, segment: &Segment) {
        let at = self.place(segment.from, segment.distance).max(-4);
        let whole = self.stream.len() as i64;
        let end = (at + segment.len as i64).min(whole);
        let mut data: Vec<u8> = (at..end)
            .map(|i| usize::try_from(i).map_or(0xa5, |i| self.stream[i]))
            .collect();
        if segment.garbage {
            self.spoil(at, &mut data);
        }
        // A FIN that isn't at the end is sent only where it must be seen through.
        let behind = at + data.len() as i64;
        let half = self.gateway.half();
        let old = behind < self.gateway.offset(half.in_nxt) || half.flags & HALF_FIN != 0;
        let fin = segment.fin && ((self.fin && behind == whole) || (old && at < whole));
        if data.is_empty() && !fin {
            return;
        }
        let genuine = fin && behind == whole;
        self.max = self.max.max(behind.max(0) as usize + usize::from(genuine));
        let packet = Packet { at, data, fin };
        match segment.merged {
            None => drop(self.gateway.near_sends(&packet)),
            Some(size) => self.send_merged(&packet, size),
        }
    }

    /// The first segment of a merged packet must fit; the model looks at the
    /// state only where it hands over a single segment.
    fn send_merged(&mut self, packet: &Packet, size: usize) {
        let size = size.min(self.gateway.setting.capacity);
        merged(&mut self.gateway, packet, size);
    }

    /// Changes bytes that the engine has in another form: of two values of a
    /// held or edited byte the first one counts. A plain byte it can't know.
    fn spoil(&self, at: i64, data: &mut [u8]) {
        let half = self.gateway.half();
        let mut ranges = vec![(half.held_start(), half.in_nxt)];
        if let Some(edits) = &self.gateway.edits {
            ranges.extend(
                (0..u32::from(half.edits_len))
                    .map(|n| &edits.slot[half.slot(n)])
                    .map(|e| (e.in0, e.in1)),
            );
        }
        for (i, byte) in data.iter_mut().enumerate() {
            let position = self.gateway.seq(at + i as i64);
            if ranges
                .iter()
                .any(|r| !position.before(r.0) && position.before(r.1))
            {
                *byte ^= 0x2b;
            }
        }
    }

    /// A keep-alive, an acknowledgement, a window update: it changes nothing,
    /// and what far must answer lies below what far expects.
    pub(super) fn bare(&mut self, from: Mark, distance: i64) {
        let at = self.place(from, distance);
        let before = *self.gateway.half();
        let out = self.gateway.near_sends(&Packet {
            at,
            data: Vec::new(),
            fin: false,
        });
        let Some(out) = out else {
            panic!("an acknowledgement was dropped")
        };
        assert!(out.data.is_empty() && !out.fin);
        assert_eq!(*self.gateway.half(), before);
        let (next, expected) = (
            self.gateway.offset(before.in_nxt),
            self.gateway.offset(before.out_nxt),
        );
        assert!(
            out.at <= expected && (at >= next || out.at < expected),
            "I8: {at} maps to {}",
            out.at
        );
    }

    /// A RST where near was told that far is must be where far is.
    pub(super) fn reset(&mut self, from: Mark, distance: i64) {
        let at = self.place(from, distance);
        let role = self.gateway.setting.role;
        let before = *self.gateway.half();
        let header = Header {
            seq: self.gateway.seq(at),
            len: 0,
            flags: flag::RST | flag::ACK,
            capacity: 0,
        };
        let gateway = &mut self.gateway;
        let begun = begin(
            &mut gateway.run,
            &mut gateway.session,
            role,
            gateway.edits.as_deref(),
            &header,
        );
        let Begun::Done(Outcome::Untouched(seq)) = begun else {
            panic!("a RST became {begun:?}")
        };
        assert_eq!(*gateway.half(), before);
        let told = ack_to_input(&before, gateway.edits.as_deref(), before.far_una);
        assert!(
            header.seq != told || seq == before.far_una,
            "a RST at {at} is ignored"
        );
    }

    /// Both become honest: near sends what isn't acknowledged, far takes what
    /// comes. Whatever happened before, it must come to its end.
    pub(super) fn settle(&mut self) {
        self.gateway.setting.capacity = 1460;
        let whole = self.stream.len() + usize::from(self.fin);
        let mut got = self.gateway.offset(self.gateway.half().far_una);
        for _ in 0..12 {
            let from = self.una.min(self.stream.len());
            let to = self.stream.len().min(from + 1300);
            let packet = Packet {
                at: self.una as i64,
                data: self.stream[from..to].to_vec(),
                fin: self.fin && to == self.stream.len() && self.una < whole,
            };
            self.max = self.max.max(packet.end() as usize);
            if let Some(out) = self.gateway.near_sends(&packet) {
                assert!(out.at <= got, "far has {got}, and is sent {}", out.at);
                got = got.max(out.end());
            }
            let ack = Ack {
                at: got,
                window: 0,
                sacks: Vec::new(),
            };
            self.far_says(&ack);
            if self.una == whole {
                self.gateway.check_output();
                return;
            }
        }
        panic!(
            "no end: near was told {} of {whole}, {:?}",
            self.una,
            self.gateway.half()
        );
    }
}
