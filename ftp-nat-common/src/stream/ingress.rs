//! A segment from near: what is sent on in its place.
//!
//! [`begin`] looks at the header, [`step`] takes one byte or emits one, and
//! [`finish`] tells what the segment has become. The steps are small so that
//! the kernel's verifier can look at each of them alone.

use super::{
    EDITS, Edit, Edits, Environment, HALF_FIN, HALF_FROZEN, HALF_LAST, HALF_SHIFTED, Half,
    TELNET_MAX,
    dialogue::{UNPARSED, admit, disarmed, line_ended},
    position::{PLAIN, bare_to_output, locate_input, locate_output, reset_to_output},
};
use crate::{
    counter::Counter,
    line::{
        Step,
        text::{TEXT_MAX, Text},
    },
    seq::Seq,
    session::Session,
    tcp::flag,
    translation::Kind,
};

/// The most payload bytes a rebuilt segment can have.
pub const OUTPUT_MAX: usize = 16_384;

/// A segment's header, as far as the engine is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Sequence number.
    pub seq: Seq,
    /// Bytes of payload.
    pub len: u32,
    /// TCP flags.
    pub flags: u8,
    /// The most payload bytes that fit into what is sent.
    pub capacity: u32,
}

/// What is sent on in place of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The same payload and flags at this sequence number.
    Untouched(Seq),
    /// Another payload: the first `len` bytes of [`Run::out`].
    Rebuilt {
        /// Sequence number.
        seq: Seq,
        /// Payload bytes.
        len: u32,
        /// Whether the FIN flag is set.
        fin: bool,
    },
    /// All of the text is held: one byte that far already has, so that far
    /// answers at once and near's Nagle algorithm lets go.
    Probe {
        /// Sequence number of the byte.
        seq: Seq,
        /// The byte.
        byte: u8,
    },
    /// Nothing; TCP will send it again.
    Drop(Counter),
}

/// What [`begin`] decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    /// The payload has to be looked at with [`step`].
    Parse,
    /// Decided already.
    Done(Outcome),
}

/// What [`step`] wants next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// To be called again.
    More,
    /// The line can announce something and no edits are there to be recorded
    /// in: to be called again with some, or without if none can be had.
    WantEdits,
    /// All done.
    Done,
}

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
    walk: u32,
    /// Ring index of the edit being emitted; [`PLAIN`]: the held bytes.
    emit_slot: u32,
    /// Next byte of the text being emitted.
    emit_pos: u32,
    /// Length of the text being emitted.
    emit_len: u32,
    /// The segment has a FIN behind its last byte.
    fin_in: u32,
    /// The output has one.
    fin_out: u32,
    /// Bits of `RUN_*`.
    pub flags: u32,
    /// Bytes of the whole packet that may be looked at: all up to near's FIN.
    limit: u32,
    /// The end whose segment this is.
    role: u32,
    /// The byte that sets held ones free.
    releasing: u8,
    /// The [`Kind`] of the announcement that it completes.
    kind: u8,
    /// Zero.
    pub _pad: u16,
    /// The text that is put in place of the held one.
    text: Text,
    /// The output.
    pub out: [u8; OUTPUT_MAX],
}

/// The output isn't the input.
const RUN_CHANGED: u32 = 1;
/// A byte did not fit: the rest of the segment is left to TCP.
const RUN_CUT: u32 = 2;
/// Nothing may be held or changed any more: the segment is too long to be rebuilt.
pub const RUN_NO_HOLD: u32 = 4;
/// A byte would have been held or changed in spite of that.
pub const RUN_WOULD_HOLD: u32 = 8;
/// No edits could be had for this line.
pub const RUN_NO_EDITS: u32 = 16;

impl Run {
    /// A run to be set up by [`begin`].
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
            text: Text {
                len: 0,
                bytes: [0; TEXT_MAX],
            },
            out: [0; OUTPUT_MAX],
        }
    }

    #[inline(always)]
    fn put(&mut self, byte: u8) {
        // A merged packet is passed as it is or not at all, and is longer than
        // the output: what its first segment became must not be overwritten.
        if self.flags & RUN_NO_HOLD == 0 {
            self.out[self.out_len as usize & (OUTPUT_MAX - 1)] = byte;
        }
        self.out_len += 1;
    }

    /// Whether `len` more bytes fit.
    #[inline(always)]
    fn has_room(&self, len: u32) -> bool {
        self.flags & RUN_NO_HOLD != 0 || self.out_len + len <= self.capacity
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

/// Looks at a segment's header.
#[inline(always)]
pub fn begin(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    edits: Option<&Edits>,
    segment: &Segment,
) -> Begun {
    let quiet = disarmed(session.flags, &session.requests, role);
    let half = &mut session.half[role & 1];
    let mut len = segment.len;
    let mut fin = segment.flags & flag::FIN != 0;
    let seq = segment.seq;

    if segment.flags & flag::RST != 0 {
        return Begun::Done(Outcome::Untouched(reset_to_output(half, edits, seq)));
    }
    if len == 0 && !fin {
        return Begun::Done(Outcome::Untouched(bare_to_output(half, edits, seq)));
    }
    run.flags = 0;
    run.role = role as u32 & 1;
    if half.flags & HALF_FIN != 0 {
        // A stream has one end; another one is a mistake or an attack.
        if seq.after(half.fin) {
            return Begun::Done(Outcome::Drop(Counter::DroppedBadSegment));
        }
        let room = half.fin.since(seq) as u32;
        let ends = len > room || (fin && len == room);
        if fin != ends || len > room {
            run.flags |= RUN_CHANGED;
        }
        len = len.min(room);
        fin = ends;
    } else if fin && seq.plus(len).before(half.in_nxt) {
        fin = false;
        run.flags |= RUN_CHANGED;
    }
    let end = seq.plus(len);
    half.snd_max = half.snd_max.max(end);

    if seq.after(half.in_nxt) {
        let pass = quiet && half.held_len == 0 && !fin && len <= segment.capacity;
        if !pass {
            return Begun::Done(Outcome::Drop(Counter::DroppedOutOfOrder));
        }
        let ahead = seq.since(half.in_nxt) as u32;
        if half.flags & HALF_FROZEN == 0 || end.after(half.frozen) {
            half.frozen = end;
        }
        half.flags |= HALF_FROZEN;
        let out = half.out_nxt.plus(ahead);
        session.line[role & 1].lost();
        return Begun::Done(Outcome::Untouched(out));
    }

    // What far has needs no resending; an edit is resent whole or not at all.
    let unacked = if half.far_una == half.out_nxt {
        half.held_start()
    } else {
        locate_output(half, edits, half.far_una).other
    };
    let start = seq.max(unacked);
    if start.after(end) {
        fin = false;
    }
    run.walk = 0;
    if start.before(half.held_start()) {
        run.out_seq = locate_input(half, edits, start).other;
    } else {
        run.out_seq = half.out_nxt;
    }
    run.seq = seq;
    run.len = len;
    run.limit = len;
    run.pos = start.since(seq) as u32;
    run.capacity = segment.capacity;
    run.out_len = 0;
    run.emit_len = 0;
    run.emit_pos = 0;
    run.fin_in = fin as u32;
    run.fin_out = 0;
    if run.pos != 0 {
        run.flags |= RUN_CHANGED;
    }
    Begun::Parse
}

/// Takes the input byte at `run.pos` (ignored at the end), or emits a byte.
#[inline(always)]
pub fn step(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    edits: Option<&mut Edits>,
    byte: u8,
    env: &mut impl Environment,
) -> Progress {
    let role = role & 1;
    if run.emit_pos < run.emit_len {
        let at = run.emit_pos as usize & (TEXT_MAX - 1);
        let b = match edits {
            Some(edits) if run.emit_slot != PLAIN => {
                edits.slot[run.emit_slot as usize & (EDITS - 1)].text[at]
            }
            _ => session.half[role].held[at],
        };
        run.put(b);
        run.emit_pos += 1;
        return Progress::More;
    }
    if run.flags & (RUN_CUT | RUN_WOULD_HOLD) != 0 {
        return Progress::Done;
    }
    let half = &mut session.half[role];
    if run.pos >= run.len {
        return end_of_input(run, half, edits);
    }
    let at = run.seq.plus(run.pos);
    if !at.before(half.in_nxt) {
        return take(run, session, role, edits, byte, env);
    }
    if !at.before(half.held_start()) {
        if run.flags & RUN_NO_HOLD != 0 {
            run.flags |= RUN_WOULD_HOLD;
            return Progress::Done;
        }
        // Held already; the first bytes seen win.
        run.pos = half.in_nxt.since(run.seq) as u32;
        run.flags |= RUN_CHANGED;
        return Progress::More;
    }
    if let Some(edits) = edits
        && run.walk < u32::from(half.edits_len)
    {
        let index = half.slot(run.walk);
        let edit = &edits.slot[index];
        if !at.before(edit.in1) {
            run.walk += 1;
            return Progress::More;
        }
        if !at.before(edit.in0) {
            replay(run, index, edit);
            return Progress::More;
        }
    }
    if run.has_room(1) {
        run.put(byte);
        run.pos += 1;
    } else {
        run.flags |= RUN_CUT;
    }
    Progress::More
}

/// Emits an edit that was met again, whole, as it was sent before.
#[inline(always)]
fn replay(run: &mut Run, index: usize, edit: &Edit) {
    if run.flags & RUN_NO_HOLD != 0 {
        run.flags |= RUN_WOULD_HOLD;
        return;
    }
    if !run.has_room(u32::from(edit.len)) {
        run.flags |= RUN_CUT;
        return;
    }
    run.emit_slot = index as u32;
    run.emit_pos = 0;
    run.emit_len = u32::from(edit.len);
    run.pos = edit.in1.since(run.seq) as u32;
    run.flags |= RUN_CHANGED;
    if edit.fin != 0 {
        run.fin_out = 1;
        run.fin_in = 0;
        run.pos = run.len;
    }
    run.walk += 1;
}

/// Takes a new byte.
#[inline(always)]
fn take(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    edits: Option<&mut Edits>,
    byte: u8,
    env: &mut impl Environment,
) -> Progress {
    let line = &mut session.line[role];
    let half = &mut session.half[role];
    // Whatever this byte sets free must fit; it isn't taken before it does.
    let needed = if half.held_len > 0 {
        TEXT_MAX as u32
    } else {
        1
    };
    if !run.has_room(needed) {
        run.flags |= RUN_CUT;
        return Progress::More;
    }
    if session.flags & UNPARSED != 0 && half.held_len == 0 {
        pass(run, half, byte);
        return Progress::More;
    }
    if line.at_start() {
        half.line_start = half.in_nxt;
        if half.flags & HALF_FROZEN != 0 && !half.line_start.before(half.frozen) {
            half.flags &= !HALF_FROZEN;
        }
    }
    // Asked for before the byte is taken, and in every segment anew: where
    // nothing is outstanding the caller keeps no edits, not even in mid-line.
    if line.armed() && edits.is_none() && run.flags & (RUN_NO_EDITS | RUN_NO_HOLD) == 0 {
        return Progress::WantEdits;
    }
    let fed = line.feed(role, byte);
    let mut step = fed.step;
    if step == Step::Hold && half.held_len == 0 {
        if run.flags & RUN_NO_HOLD != 0 {
            run.flags |= RUN_WOULD_HOLD;
            return Progress::Done;
        }
        if let Some(counter) = cannot_hold(half, edits.is_some()) {
            env.count(counter);
            line.skip_line();
            step = Step::Plain;
        } else {
            half.telnet_len = 0;
        }
    } else if step == Step::Hold {
        let full = half.held_len as usize >= TEXT_MAX - 1
            || (fed.telnet && half.telnet_len as usize >= TELNET_MAX);
        if full {
            line.skip_line();
            step = Step::Abandon;
        }
    }
    match step {
        Step::Plain => pass(run, half, byte),
        Step::Hold => hold(run, half, byte, fed.telnet),
        Step::Release | Step::Abandon => {
            // Handed over in memory: the verifier goes over the release once.
            run.releasing = byte;
            run.kind = if step == Step::Release {
                line.kind(role)
            } else {
                Kind::None
            } as u8;
            release(run, session, edits, env);
        }
    }
    if fed.ended {
        line_ended(
            &mut session.flags,
            &mut session.requests,
            &mut session.line[role],
            role,
            env,
        );
    }
    Progress::More
}

/// Why the first byte of an address can't be held just now.
#[inline(always)]
fn cannot_hold(half: &Half, have_edits: bool) -> Option<Counter> {
    // The last slot is for a FIN that ends a held text.
    if !have_edits || half.edits_len as usize >= EDITS - 1 {
        return Some(Counter::PassedNoEditSlot);
    }
    if half.flags & HALF_FROZEN != 0 && half.line_start.before(half.frozen) {
        return Some(Counter::PassedFrozen);
    }
    None
}

/// Passes a new byte on as it is.
#[inline(always)]
fn pass(run: &mut Run, half: &mut Half, byte: u8) {
    run.put(byte);
    run.pos += 1;
    half.in_nxt = half.in_nxt.plus(1);
    half.out_nxt = half.out_nxt.plus(1);
    half.last = byte;
    half.flags |= HALF_LAST;
}

/// Holds a new byte back.
#[inline(always)]
fn hold(run: &mut Run, half: &mut Half, byte: u8, telnet: bool) {
    half.held[half.held_len as usize & (TEXT_MAX - 1)] = byte;
    half.held_len += 1;
    if telnet {
        half.telnet[half.telnet_len as usize & (TELNET_MAX - 1)] = byte;
        half.telnet_len += 1;
    }
    run.pos += 1;
    half.in_nxt = half.in_nxt.plus(1);
}

/// Sets what is held free, in its old or in a new text, and the releasing byte
/// behind it.
#[inline(never)]
fn release(
    run: &mut Run,
    session: &mut Session,
    edits: Option<&mut Edits>,
    env: &mut impl Environment,
) {
    let role = run.role as usize & 1;
    let byte = run.releasing;
    let kind = Kind::from_byte(run.kind);
    run.text.len = 0;
    if kind != Kind::None && edits.is_some() && !announce(run, session, kind, env) {
        run.text.len = 0;
    }
    let half = &mut session.half[role];
    let held_len = u32::from(half.held_len);
    if run.text.len == 0 && half.k > 0 {
        // Some of it was acknowledged while it was held: the range must be
        // kept together until far has it.
        run.text.bytes = half.held;
        run.text.len = held_len;
    }
    let mut len = run.text.len;
    run.emit_slot = PLAIN;
    match edits {
        Some(edits) if len > 0 => {
            let index = half.slot(u32::from(half.edits_len));
            let edit = &mut edits.slot[index];
            edit.text = run.text.bytes;
            edit.text[len as usize & (TEXT_MAX - 1)] = byte;
            edit.in0 = half.held_start();
            edit.in1 = half.in_nxt.plus(1);
            edit.out0 = half.out_nxt;
            edit.len = len as u8 + 1;
            edit.k = half.k;
            edit.fin = 0;
            half.edits_len += 1;
            run.emit_slot = index as u32;
            run.flags |= RUN_CHANGED;
        }
        _ => {
            half.held[held_len as usize & (TEXT_MAX - 1)] = byte;
            len = held_len;
        }
    }
    run.emit_pos = 0;
    run.emit_len = len + 1;
    run.pos += 1;
    half.out_nxt = half.out_nxt.plus(len + 1);
    half.in_nxt = half.in_nxt.plus(1);
    half.held_len = 0;
    half.k = 0;
    half.last = byte;
    half.flags |= HALF_LAST;
}

/// Decides on a complete announcement and writes its new text. `false` where
/// the old one stays.
#[inline(always)]
fn announce(run: &mut Run, session: &mut Session, kind: Kind, env: &mut impl Environment) -> bool {
    let role = run.role as usize & 1;
    let said = session.line[role].announcement(kind);
    if let Err(counter) = admit(session, role, &said) {
        env.count(counter);
        session.refusals += 1;
        session.last_refusal = counter as u32 + 1;
        return false;
    }
    run.text.begin(kind, &session.seen[role], said.delimiter);
    let half = &session.half[role];
    let old_len = u32::from(half.held_len);
    let fit = old_len.saturating_sub(u32::from(half.telnet_len) + run.text.len);
    let Some(port) = env.expect(kind, said.port, fit as usize) else {
        session.refusals += 1;
        return false;
    };
    session.announcements += 1;
    session.last_kind = kind as u32;
    run.text.port(kind, port);
    let half = &mut session.half[role];
    let mut i = 0;
    while i < TELNET_MAX {
        if i < half.telnet_len as usize {
            run.text.byte(half.telnet[i]);
        }
        i += 1;
    }
    let same_len = run.text.len == old_len;
    if same_len && same_bytes(&run.text.bytes, &half.held, old_len) {
        env.count(Counter::PinholesOnly);
        return false;
    }
    env.count(Counter::Rewrites);
    if !same_len {
        env.count(Counter::RewritesShifted);
        half.flags |= HALF_SHIFTED;
    }
    true
}

/// Whether the first `len` bytes are the same.
#[inline(never)]
fn same_bytes(a: &[u8; TEXT_MAX], b: &[u8; TEXT_MAX], len: u32) -> bool {
    let mut differs = 0;
    let mut i = 0;
    while i < TEXT_MAX {
        if (i as u32) < len {
            differs |= a[i] ^ b[i];
        }
        i += 1;
    }
    differs == 0
}

/// All input was taken: what is left is the FIN.
#[inline(never)]
fn end_of_input(run: &mut Run, half: &mut Half, edits: Option<&mut Edits>) -> Progress {
    if run.fin_in == 0 {
        return Progress::Done;
    }
    run.fin_in = 0;
    let end = run.seq.plus(run.len);
    if half.flags & HALF_FIN != 0 {
        let place = locate_input(half, edits.as_deref(), end);
        if let Some(edits) = edits
            && place.edit != PLAIN
        {
            let index = place.edit as usize & (EDITS - 1);
            replay(run, index, &edits.slot[index]);
            return Progress::More;
        }
        run.fin_out = 1;
        return Progress::Done;
    }
    if end != half.in_nxt {
        return Progress::Done;
    }
    if !run.has_room(u32::from(half.held_len)) {
        run.flags |= RUN_CUT;
        return Progress::Done;
    }
    half.fin = end;
    half.flags |= HALF_FIN;
    run.fin_out = 1;
    let held_len = u32::from(half.held_len);
    if held_len > 0 {
        run.emit_slot = PLAIN;
        run.emit_pos = 0;
        run.emit_len = held_len;
        if let Some(edits) = edits {
            let index = half.slot(u32::from(half.edits_len));
            let edit = &mut edits.slot[index];
            edit.in0 = half.held_start();
            edit.in1 = end.plus(1);
            edit.out0 = half.out_nxt;
            edit.len = half.held_len;
            edit.k = half.k;
            edit.fin = 1;
            edit.text = half.held;
            half.edits_len += 1;
            run.emit_slot = index as u32;
        }
        run.flags |= RUN_CHANGED;
        half.last = half.held[(held_len as usize - 1) & (TEXT_MAX - 1)];
        half.flags |= HALF_LAST;
        half.held_len = 0;
        half.k = 0;
    }
    half.in_nxt = half.in_nxt.plus(1);
    half.out_nxt = half.out_nxt.plus(held_len + 1);
    Progress::More
}

/// Tells what the segment has become. `fin` is whether it came with a FIN flag.
#[inline(always)]
pub fn finish(run: &mut Run, half: &mut Half, segment: &Segment) -> Outcome {
    half.k = half.held_len;
    let fin = segment.flags & flag::FIN != 0;
    let fin_out = run.fin_out != 0 && run.flags & RUN_CUT == 0;
    if run.out_len == 0 && !fin_out {
        if half.flags & HALF_LAST == 0 && half.far_una != half.out_nxt {
            return Outcome::Drop(Counter::DroppedBadSegment);
        }
        let behind = if half.flags & HALF_FIN != 0 { 2 } else { 1 };
        return Outcome::Probe {
            seq: half.out_nxt.minus(behind),
            byte: half.last,
        };
    }
    let same =
        run.flags & (RUN_CHANGED | RUN_CUT) == 0 && run.out_len == segment.len && fin_out == fin;
    if same {
        Outcome::Untouched(run.out_seq)
    } else {
        Outcome::Rebuilt {
            seq: run.out_seq,
            len: run.out_len,
            fin: fin_out,
        }
    }
}
