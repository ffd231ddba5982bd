//! The state of one segment's way through the engine.

use crate::{line::text::Text, seq::Seq, translation::Kind};

/// The most payload bytes a rebuilt segment can have.
pub const OUTPUT_MAX: usize = 16_384;

/// The state of one segment's way through the engine.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Sequence number of the segment's first byte.
    pub seq: Seq,
    /// Payload bytes to look at.
    pub len: u32,
    /// Index of the next input byte.
    pub pos: u32,
    /// The most output bytes.
    pub capacity: u32,
    /// Output bytes so far.
    pub out_len: u32,
    /// Output position of the first output byte.
    pub out_seq: Seq,
    /// The next edit to be replayed, counted from the oldest.
    pub(super) walk: u32,
    /// Ring index of the edit being emitted; `PLAIN`: the held bytes.
    pub(super) emit_slot: u32,
    /// Next byte of the text being emitted.
    pub(super) emit_pos: u32,
    /// Length of the text being emitted.
    pub(super) emit_len: u32,
    /// The segment has a FIN behind its last byte.
    pub(super) fin_in: u32,
    /// The output has one.
    pub(super) fin_out: u32,
    /// Bits of `RUN_*`.
    pub flags: u32,
    /// Bytes of the whole packet that may be looked at: all up to near's FIN.
    pub(super) limit: u32,
    /// The end whose segment this is.
    pub(super) role: u32,
    /// The byte that sets held ones free.
    pub(super) releasing: u8,
    /// The [`Kind`] of the announcement that it completes.
    pub(super) kind: u8,
    /// Zero.
    pub _pad: u16,
    /// The text that is put in place of the held one.
    pub(super) text: Text,
    /// The output.
    pub out: [u8; OUTPUT_MAX],
}

/// The output isn't the input.
pub(super) const RUN_CHANGED: u32 = 1;
/// A byte did not fit: the rest of the segment is left to TCP.
pub(super) const RUN_CUT: u32 = 2;
/// Nothing may be held or changed any more: the segment is too long to be rebuilt.
pub const RUN_NO_HOLD: u32 = 4;
/// A byte would have been held or changed in spite of that.
pub const RUN_WOULD_HOLD: u32 = 8;
/// No edits could be had for this line.
pub const RUN_NO_EDITS: u32 = 16;

impl Run {
    /// A run to be set up by [`begin`](super::begin).
    pub const fn new() -> Self {
        Self {
            seq: Seq(0),
            len: 0,
            pos: 0,
            capacity: 0,
            out_len: 0,
            out_seq: Seq(0),
            walk: 0,
            emit_slot: 0,
            emit_pos: 0,
            emit_len: 0,
            fin_in: 0,
            fin_out: 0,
            flags: 0,
            limit: 0,
            role: 0,
            releasing: 0,
            kind: 0,
            _pad: 0,
            text: Text::new(),
            out: [0; OUTPUT_MAX],
        }
    }

    #[inline(always)]
    pub(super) fn put(&mut self, byte: u8) {
        // A merged packet is passed as it is or not at all, and is longer than
        // the output: what its first segment became must not be overwritten.
        if self.flags & RUN_NO_HOLD == 0 {
            self.out[self.out_len as usize & (OUTPUT_MAX - 1)] = byte;
        }
        self.out_len += 1;
    }

    /// Whether `len` more bytes fit.
    #[inline(always)]
    pub(super) fn has_room(&self, len: u32) -> bool {
        self.flags & RUN_NO_HOLD != 0 || self.out_len + len <= self.capacity
    }

    /// Whether what is to be released completes an announcement.
    #[inline(always)]
    pub const fn announces(&self) -> bool {
        self.kind != Kind::None as u8
    }

    /// Whether a part of the segment is left to TCP, because it did not fit.
    #[inline(always)]
    pub const fn is_cut(&self) -> bool {
        self.flags & RUN_CUT != 0
    }

    /// Looks at the first segment of a merged packet alone: `len` bytes.
    #[inline(always)]
    pub fn first(&mut self, len: u32) {
        self.len = self.len.min(len);
        self.fin_in = 0;
    }

    /// Lets a run that left its segment untouched go on over the following
    /// segments of a merged packet. They pass as they are: where a byte would
    /// have to be held or changed the run ends with [`RUN_WOULD_HOLD`], and
    /// the session has to be put back to where it was before.
    #[inline(always)]
    pub fn extend(&mut self, len: u32, fin: bool) {
        self.len = len.min(self.limit);
        self.fin_in = fin as u32;
        self.flags |= RUN_NO_HOLD;
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn the_last_byte_that_fits_is_the_one_at_the_capacity() {
        let mut run = Box::new(Run::new());
        run.capacity = 10;
        run.out_len = 8;
        assert!(run.has_room(2) && !run.has_room(3));
        run.flags = RUN_NO_HOLD;
        assert!(run.has_room(3), "it isn't rebuilt");
    }

    #[test]
    fn a_run_stays_within_what_is_to_be_looked_at() {
        let mut run = Box::new(Run::new());
        (run.len, run.limit, run.fin_in) = (100, 100, 1);
        run.first(40);
        assert_eq!((run.len, run.fin_in), (40, 0), "the FIN is behind the last");
        for (len, expected) in [(80, 80), (100, 100), (101, 100), (u32::MAX, 100)] {
            run.extend(len, true);
            assert_eq!((run.len, run.fin_in), (expected, 1), "{len}");
            assert_ne!(run.flags & RUN_NO_HOLD, 0);
        }
        run.extend(80, false);
        run.first(100);
        assert_eq!((run.len, run.fin_in), (80, 0));
    }

    /// What its first segment became stays when a merged packet is gone over.
    #[test]
    fn a_merged_packet_is_counted_and_not_written() {
        let mut run = Box::new(Run::new());
        run.put(b'a');
        run.limit = 10;
        run.extend(10, false);
        run.put(b'b');
        assert_eq!((run.out_len, &run.out[..2]), (2, &b"a\0"[..]));
    }
}
