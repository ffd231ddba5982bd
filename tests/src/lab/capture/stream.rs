//! One direction of a TCP connection, put together again.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

/// The bytes one end sent, as seen at one place.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Initial sequence number; 0 until a SYN was seen.
    pub isn: u32,
    started: bool,
    bytes: Vec<u8>,
    /// Which bytes were seen, and when first.
    seen: Vec<Option<Duration>>,
    fin: Option<u32>,
    /// Starts and ends of all segments with data.
    edges: Vec<u32>,
    /// Offset of the furthest segment without data.
    bare: i64,
}

/// A line of a control connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When its last byte was first seen.
    pub at: Duration,
    /// Its text without the line end.
    pub text: String,
}

impl Stream {
    pub(super) fn start(&mut self, isn: u32) {
        *self = Self {
            isn,
            started: true,
            ..Self::default()
        };
    }

    /// Offset of a sequence number from the first byte of data.
    fn offset(&self, seq: u32) -> i64 {
        i64::from(seq.wrapping_sub(self.isn.wrapping_add(1)) as i32)
    }

    /// Sequence number after the last one used so far. A FIN may have overtaken
    /// the data before it.
    pub fn next_seq(&self) -> u32 {
        let end = self.end();
        match self.fin {
            Some(fin) if (fin.wrapping_sub(end) as i32) >= 0 => fin.wrapping_add(1),
            _ => end,
        }
    }

    fn end(&self) -> u32 {
        self.isn
            .wrapping_add(1)
            .wrapping_add(self.bytes.len() as u32)
    }

    /// Whether its SYN was seen.
    pub(super) const fn started(&self) -> bool {
        self.started
    }

    /// Adds a segment. Bytes that were seen before must be the same again.
    pub(super) fn add(&mut self, at: Duration, seq: u32, data: &[u8], fin: bool) -> Result<()> {
        ensure!(self.started, "data before the SYN");
        if !data.is_empty() {
            self.edges
                .extend([seq, seq.wrapping_add(data.len() as u32)]);
        }
        let start = self.offset(seq);
        if start == self.bytes.len() as i64 {
            self.bytes.extend_from_slice(data);
            self.seen.resize(self.bytes.len(), Some(at));
        } else {
            self.merge(at, seq, data)?;
        }
        if fin {
            let end = seq.wrapping_add(data.len() as u32);
            ensure!(self.fin.is_none_or(|f| f == end), "FIN at two places");
            self.fin = Some(end);
        }
        Ok(())
    }

    /// Adds bytes that were seen before, or that lie beyond a hole.
    fn merge(&mut self, at: Duration, seq: u32, data: &[u8]) -> Result<()> {
        let start = self.offset(seq);
        for (i, byte) in data.iter().enumerate() {
            let place = start + i as i64;
            // A keep-alive may carry the byte before the window.
            let Ok(place) = usize::try_from(place) else {
                continue;
            };
            ensure!(
                place < self.bytes.len() + (1 << 24),
                "a segment at {seq} is far beyond all others"
            );
            if place >= self.bytes.len() {
                self.bytes.resize(place + 1, 0);
                self.seen.resize(place + 1, None);
            }
            if self.seen[place].is_none() {
                (self.bytes[place], self.seen[place]) = (*byte, Some(at));
            } else if self.bytes[place] != *byte {
                bail!(
                    "byte {place} of the stream was {:?} and is now {:?} (segment at {seq})",
                    char::from(self.bytes[place]),
                    char::from(*byte)
                );
            }
        }
        Ok(())
    }

    /// Notes a segment without data. It may come before data that was lost on
    /// the way, so where it lies is checked at the end, by `complete`.
    pub(super) fn bare(&mut self, seq: u32) -> Result<()> {
        ensure!(self.started, "a segment before the SYN");
        self.bare = self.bare.max(self.offset(seq));
        Ok(())
    }

    /// That an acknowledgement speaks of what was sent.
    pub(super) fn acknowledged(&self, ack: u32) -> Result<()> {
        ensure!(
            self.started,
            "acknowledgement of a stream that was not seen to start"
        );
        let ahead = i64::from(ack.wrapping_sub(self.next_seq()) as i32);
        ensure!(
            ahead <= 0,
            "acknowledgement {ack} is {ahead} beyond all that was sent"
        );
        Ok(())
    }

    /// That SACK blocks speak of what was sent, and lie above the
    /// acknowledgement but for a first D-SACK block (RFC 2883).
    pub(super) fn sacked(&self, ack: u32, blocks: &[(u32, u32)]) -> Result<()> {
        for (i, &(left, right)) in blocks.iter().enumerate() {
            ensure!(
                (right.wrapping_sub(left) as i32) > 0,
                "empty SACK block {left}-{right}"
            );
            self.acknowledged(right)?;
            let below = (left.wrapping_sub(ack) as i32) <= 0;
            ensure!(
                !below || i == 0,
                "SACK block {left}-{right} is not above the ack {ack}"
            );
        }
        Ok(())
    }

    /// That there is no hole in what was seen, and that no empty segment lay
    /// beyond all data.
    pub fn complete(&self) -> Result<()> {
        let ahead = self.bare - self.offset(self.next_seq());
        ensure!(
            ahead <= 0,
            "an empty segment lies {ahead} beyond the stream's end"
        );
        if let Some(hole) = self.seen.iter().position(Option::is_none) {
            bail!("a hole at byte {hole} of {}", self.bytes.len());
        }
        Ok(())
    }

    /// Whether a sequence number is where a segment began or ended.
    pub fn is_edge(&self, seq: u32) -> bool {
        self.edges.contains(&seq)
    }

    /// Whether the end of the stream was seen.
    pub fn finished(&self) -> bool {
        self.fin.is_some()
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole lines.
    pub fn lines(&self) -> Vec<Line> {
        let mut start = 0;
        let mut lines = Vec::new();
        for (i, _) in self.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n') {
            let text = String::from_utf8_lossy(&self.bytes[start..i]);
            lines.push(Line {
                at: self.seen[i].unwrap_or_default(),
                text: text.trim_end_matches('\r').to_owned(),
            });
            start = i + 1;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::ZERO;

    fn stream() -> Stream {
        let mut stream = Stream::default();
        stream.start(u32::MAX - 1); // so that the numbers wrap within the data
        stream
    }

    #[test]
    fn reordered_and_repeated_segments_are_joined() {
        let mut s = stream();
        s.add(T, 2, b"C\r\n", false).unwrap();
        assert!(s.complete().is_err());
        s.add(T, u32::MAX, b"NOO", false).unwrap();
        s.add(T, 1, b"O", false).unwrap();
        s.complete().unwrap();
        assert_eq!(s.lines()[0].text, "NOOC");
        assert_eq!(s.next_seq(), 5);
    }

    #[test]
    fn an_empty_segment_may_overtake_but_not_lie_beyond() {
        let mut s = stream();
        s.add(T, u32::MAX, b"12", false).unwrap();
        s.bare(2).unwrap();
        assert!(s.complete().is_err());
        s.add(T, 1, b"3", false).unwrap();
        s.complete().unwrap();
    }

    #[test]
    fn a_changed_repetition_is_found() {
        let mut s = stream();
        s.add(T, u32::MAX, b"PORT 1", false).unwrap();
        assert!(s.add(T, u32::MAX, b"PORT 2", false).is_err());
    }

    #[test]
    fn a_fin_may_overtake_data() {
        let mut s = stream();
        s.add(T, 2, b"", true).unwrap();
        s.acknowledged(3).unwrap();
        s.add(T, u32::MAX, b"123", false).unwrap();
        s.complete().unwrap();
        assert_eq!(s.next_seq(), 3);
    }

    #[test]
    fn acks_and_sacks_beyond_the_end_are_found() {
        let mut s = stream();
        s.add(T, u32::MAX, b"12345", true).unwrap();
        s.acknowledged(5).unwrap();
        assert!(s.acknowledged(6).is_err());
        s.sacked(1, &[(2, 4)]).unwrap();
        s.sacked(2, &[(0, 2), (3, 4)]).unwrap();
        assert!(s.sacked(2, &[(3, 4), (0, 2)]).is_err());
        assert!(s.sacked(2, &[(4, 6)]).is_err());
    }
}
