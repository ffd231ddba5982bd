//! Tests as tables: a name, a packet in, a verdict, a packet out, counters out.
//! The maps that a table begins with are those of its bench.

use std::collections::BTreeMap;

use ftp_nat_common::counter::Counter;

use crate::{
    bench::{At, Bench, DROP, PASS},
    packet::{Packet, Parsed},
};

/// One packet and all that comes of it.
pub struct Row {
    name: String,
    at: At,
    sent: Packet,
    verdict: i32,
    out: Packet,
    counted: Vec<(Counter, u64)>,
}

/// A packet that passes untouched and counts nothing, until more is said.
pub fn row(name: impl Into<String>, at: At, sent: Packet) -> Row {
    Row {
        name: name.into(),
        at,
        out: sent.clone(),
        sent,
        verdict: PASS,
        counted: Vec::new(),
    }
}

impl Row {
    /// It passes as another packet.
    pub fn becomes(mut self, out: Packet) -> Self {
        self.out = out;
        self
    }

    /// It passes with other bytes as payload.
    pub fn says(self, payload: impl AsRef<[u8]>) -> Self {
        let out = self.sent.clone().payload(payload);
        self.becomes(out)
    }

    pub fn drops(mut self) -> Self {
        self.verdict = DROP;
        self
    }

    pub fn counts(mut self, counted: &[Counter]) -> Self {
        self.counted.extend(counted.iter().map(|c| (*c, 1)));
        self
    }
}

/// Plays the rows one after the other, on the same maps.
pub fn play(bench: &mut Bench, rows: impl IntoIterator<Item = Row>) {
    for row in rows {
        let name = &row.name;
        let before: BTreeMap<_, _> = bench.counts().into_iter().collect();
        let out = bench.run(row.at, &row.sent);
        let mut counted: BTreeMap<_, _> = bench.counts().into_iter().collect();
        for (counter, n) in &mut counted {
            *n -= before.get(counter).copied().unwrap_or(0);
        }
        // Every packet of a control connection is one.
        counted.retain(|c, n| *n != 0 && *c != Counter::ControlSegments.name());
        let expected: BTreeMap<_, _> = row.counted.iter().map(|(c, n)| (c.name(), *n)).collect();
        assert_eq!(out.verdict, row.verdict, "{name}: verdict");
        assert_eq!(counted, expected, "{name}: counters");
        if row.verdict == DROP {
            continue;
        }
        let (got, wanted) = (Parsed::of(&out.bytes), Parsed::of(&row.out.bytes()));
        let text = |p: &Parsed| String::from_utf8_lossy(p.payload()).into_owned();
        assert_eq!(text(&got), text(&wanted), "{name}: payload");
        assert_eq!(got.seq(), wanted.seq(), "{name}: sequence number");
        assert_eq!(got.ack(), wanted.ack(), "{name}: acknowledgement");
        assert_eq!(got.options(), wanted.options(), "{name}: options");
        assert_eq!(
            got.without_checksums(),
            wanted.without_checksums(),
            "{name}: packet"
        );
    }
}
