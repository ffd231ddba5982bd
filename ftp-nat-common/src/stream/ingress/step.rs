//! One step: a byte is taken, or some are emitted.

use super::{
    Progress, Run,
    run::{RUN_CHANGED, RUN_CUT, RUN_NO_HOLD, RUN_WOULD_HOLD},
    take::take,
};
use crate::{
    line::text::TEXT_MAX,
    session::Session,
    stream::{
        EDITS, Edit, Edits, Environment, HALF_FIN, HALF_LAST, Half,
        position::{PLAIN, locate_input},
    },
};

/// Takes the input byte at `run.pos` (ignored at the end), or emits some.
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
        let text = match edits {
            Some(edits) if run.emit_slot != PLAIN => {
                &edits.slot[run.emit_slot as usize & (EDITS - 1)].text
            }
            _ => &session.half[role].held,
        };
        emit(run, text);
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

/// Bytes that are emitted in one step.
const EMITTED: u32 = 16;

/// Emits the next bytes of a text.
#[inline(never)]
fn emit(run: &mut Run, text: &[u8; TEXT_MAX]) {
    let mut n = 0;
    while n < EMITTED {
        if run.emit_pos >= run.emit_len {
            break;
        }
        run.put(text[run.emit_pos as usize & (TEXT_MAX - 1)]);
        run.emit_pos += 1;
        n += 1;
    }
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

#[cfg(test)]
mod tests {
    use super::{
        super::{Begun, Outcome, RUN_NO_EDITS, Segment, begin, finish, nothing::Nothing},
        *,
    };
    use crate::{
        line::Line,
        seq::Seq,
        session::{CLIENT, SESSION_NOT_FTP},
        tcp::flag,
    };
    use std::boxed::Box;

    /// A client has sent `PORT 10,`, of which the last three bytes are held.
    fn holding() -> Session {
        let mut session = Session::default();
        session.line[CLIENT] = Line::mid_stream_at_start();
        for byte in b"PORT 10," {
            session.line[CLIENT].feed(CLIENT, *byte);
        }
        let half = &mut session.half[CLIENT];
        *half = Half::starting_at(Seq(995));
        (half.in_nxt, half.snd_max) = (Seq(1003), Seq(1003));
        (half.out_nxt, half.held_len) = (Seq(1000), 3);
        half.held[..3].copy_from_slice(b"10,");
        session
    }

    fn segment(seq: u32, data: &[u8]) -> Segment {
        Segment {
            seq: Seq(seq),
            len: data.len() as u32,
            flags: flag::ACK,
            capacity: 1460,
        }
    }

    fn all_steps(run: &mut Run, session: &mut Session, edits: Option<&mut Edits>, data: &[u8]) {
        let mut edits = edits;
        for _ in 0..100 {
            let byte = data.get(run.pos as usize).copied().unwrap_or(0xee);
            let edits = edits.as_deref_mut();
            if step(run, session, CLIENT, edits, byte, &mut Nothing) == Progress::Done {
                return;
            }
        }
        panic!("it doesn't end");
    }

    /// What is held, or was sent as another text, doesn't pass as it is with what
    /// stands before it in a merged packet.
    #[test]
    fn a_merged_packet_does_not_pass_over_what_is_held_or_edited() {
        let data = b"PORT 10,10,0,1,30,4\r\n";
        let mut edits = Box::new(Edits::default());
        edits.slot[0] = Edit {
            in0: Seq(1000),
            in1: Seq(1003),
            out0: Seq(1000),
            len: 3,
            ..Edit::default()
        };
        let mut edited = holding();
        edited.flags = SESSION_NOT_FTP;
        let half = &mut edited.half[CLIENT];
        (half.out_nxt, half.held_len, half.edits_len) = (Seq(1003), 0, 1);
        for (mut session, mut edits) in [(holding(), None), (edited, Some(edits))] {
            let mut run = Box::new(Run::new());
            let segment = segment(995, data);
            let known = edits.as_deref();
            let begun = begin(&mut run, &mut session, CLIENT, known, &segment);
            assert_eq!(begun, Begun::Parse);
            run.flags |= RUN_NO_EDITS;
            run.first(5);
            all_steps(&mut run, &mut session, edits.as_deref_mut(), data);
            assert_eq!((run.out_len, run.flags & RUN_WOULD_HOLD), (5, 0));
            run.extend(data.len() as u32, false);
            all_steps(&mut run, &mut session, edits.as_deref_mut(), data);
            assert_ne!(run.flags & RUN_WOULD_HOLD, 0);
            assert_eq!(run.out_len, 5, "nothing behind it passes");
            assert_eq!(session.half[CLIENT].in_nxt, Seq(1003));
        }
    }

    /// Held bytes that come again as others go on as they were.
    #[test]
    fn the_first_bytes_seen_win() {
        for data in [b"99,x", b"10,x"] {
            let mut session = holding();
            let mut run = Box::new(Run::new());
            let segment = segment(1000, data);
            let begun = begin(&mut run, &mut session, CLIENT, None, &segment);
            assert_eq!(begun, Begun::Parse);
            run.flags |= RUN_NO_EDITS;
            all_steps(&mut run, &mut session, None, data);
            assert_eq!(&run.out[..run.out_len as usize], b"10,x");
            let rebuilt = Outcome::Rebuilt {
                seq: Seq(1000),
                len: 4,
                fin: false,
            };
            let half = &mut session.half[CLIENT];
            assert_eq!(finish(&mut run, half, &segment), rebuilt);
            assert_eq!((half.in_nxt, half.out_nxt), (Seq(1004), Seq(1004)));
        }
    }
}
