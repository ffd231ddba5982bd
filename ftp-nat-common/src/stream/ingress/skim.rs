//! Bytes that can't matter, taken together: those of a line that is skipped up to
//! its end, and those of a stream that isn't parsed.

use super::{
    Run,
    run::{RUN_CUT, RUN_WOULD_HOLD},
};
use crate::{
    line::Line,
    session::Session,
    stream::{HALF_LAST, Half, dialogue::is_unread},
};

/// Bytes that are taken in one go at most.
pub const SKIM: u32 = 16;

/// The line's end, and the first byte of a Telnet sequence.
#[inline(always)]
const fn may_matter(byte: u8) -> bool {
    matches!(byte, b'\n' | 255)
}

/// Whether [`skim`] may take some of the next bytes, the first of which is `next`.
/// It changes nothing.
#[inline(always)]
pub fn may_skim(run: &Run, session: &Session, role: usize, next: u8) -> bool {
    let line = &session.line[role & 1];
    let half = &session.half[role & 1];
    (line.is_skipping() && !may_matter(next) || is_unread(session.flags))
        && half.held_len == 0
        && takes_new(run, half, line)
        && run.has_room(SKIM)
}

/// Whether the next thing to be done is to take a new byte of plain text.
#[inline(always)]
pub(super) fn takes_new(run: &Run, half: &Half, line: &Line) -> bool {
    !line.in_tls()
        && run.pos < run.len
        && run.emit_pos >= run.emit_len
        && run.flags & (RUN_CUT | RUN_WOULD_HOLD) == 0
        && run.seq.plus(run.pos) == half.in_nxt
}

/// Takes bytes as [`step`](super::step()) would take each of them, up to one that
/// may mean something, or to where there are no more in `input` or the segment.
/// Gives how many.
#[inline(always)]
pub fn skim(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    input: impl Fn(u32) -> Option<u8>,
) -> u32 {
    let is_parsed = !is_unread(session.flags);
    let half = &mut session.half[role & 1];
    let mut n = 0;
    while n < SKIM {
        if run.pos >= run.len {
            break;
        }
        let Some(byte) = input(n) else { break };
        if is_parsed && may_matter(byte) {
            break;
        }
        run.put(byte);
        run.pos += 1;
        half.last = byte;
        n += 1;
    }
    if n > 0 {
        half.in_nxt = half.in_nxt.plus(n);
        half.out_nxt = half.out_nxt.plus(n);
        half.flags |= HALF_LAST;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seq::Seq,
        session::{CLIENT, SESSION_ENCRYPTED, SESSION_NOT_FTP},
        stream::ingress::{Begun, Progress, Segment, begin, nothing::Nothing, step},
        tcp::flag,
    };
    use std::{boxed::Box, vec::Vec};

    /// What a client's segment becomes, and how many bytes were taken together.
    fn sent(data: &[u8], flags: u32, held: u8, may: bool) -> (Vec<u8>, (Half, Line, u32), u32) {
        let mut session = Session {
            flags,
            ..Session::default()
        };
        session.half[CLIENT] = Half::starting_at(Seq(900));
        if flags & SESSION_ENCRYPTED != 0 {
            session.line[CLIENT].enter_tls();
        }
        // Held bytes are those before the segment.
        session.half[CLIENT].in_nxt = Seq(900).plus(u32::from(held));
        session.half[CLIENT].held_len = held;
        let segment = Segment {
            seq: session.half[CLIENT].in_nxt,
            len: data.len() as u32,
            flags: flag::ACK,
            capacity: 1460,
        };
        let mut run = Box::new(Run::new());
        let begun = begin(&mut run, &mut session, CLIENT, None, &segment);
        assert_eq!(begun, Begun::Parse);
        let mut together = 0;
        loop {
            let byte = data.get(run.pos as usize).copied().unwrap_or(0xee);
            if may && may_skim(&run, &session, CLIENT, byte) {
                let from = run.pos as usize;
                let input = |n: u32| data.get(from + n as usize).copied();
                together += skim(&mut run, &mut session, CLIENT, input);
            }
            let byte = data.get(run.pos as usize).copied().unwrap_or(0xee);
            let progress = step(&mut run, &mut session, CLIENT, None, byte, &mut Nothing);
            match progress {
                Progress::Done => break,
                Progress::More => {}
                Progress::WantEdits => run.flags |= super::super::RUN_NO_EDITS,
            }
        }
        let out = run.out[..run.out_len as usize].to_vec();
        let left = (session.half[CLIENT], session.line[CLIENT], session.flags);
        (out, left, together)
    }

    #[test]
    fn taken_together_is_as_taken_one_by_one() {
        let lines: [&[u8]; 6] = [
            b"RETR a file with a name of some length.bin\r\nNOOP\r\n",
            b"NOOP and \xff\xfa\n in Telnet\xff\xf0 behind\r\nUSER x\r\n",
            b"STOR half\xff\xff a byte of 255\r\nPWD\r\n",
            b"SITE \xff",
            b"\r\n\r\nUSER anonymous with blanks\r\n",
            b"no command at all, and no line's end",
        ];
        for data in lines {
            // Plain, not parsed, not parsed with bytes that are held, in TLS.
            let settings = [
                (0, 0),
                (SESSION_NOT_FTP, 0),
                (SESSION_NOT_FTP, 3),
                (SESSION_ENCRYPTED, 0),
            ];
            for (flags, held) in settings {
                let (one_by_one, session, none) = sent(data, flags, held, false);
                assert_eq!(none, 0);
                let (out, same, together) = sent(data, flags, held, true);
                assert_eq!(
                    (out, same),
                    (one_by_one, session),
                    "{data:?} {flags} {held}"
                );
                let may = held == 0 && flags != SESSION_ENCRYPTED;
                assert!(may || together == 0, "{data:?} {flags} {held}");
                assert!(!may || together > 0 || data.len() < 10, "{data:?} {flags}");
            }
        }
    }

    #[test]
    fn as_much_is_taken_as_surely_fits() {
        let mut session = Session {
            flags: SESSION_NOT_FTP,
            ..Session::default()
        };
        session.half[CLIENT] = Half::starting_at(Seq(900));
        let segment = |capacity: u32| Segment {
            seq: Seq(900),
            len: 2 * SKIM,
            flags: flag::ACK,
            capacity,
        };
        let mut run = Box::new(Run::new());
        for (capacity, may) in [(SKIM - 1, false), (SKIM, true), (2 * SKIM - 1, true)] {
            let mut session = session;
            let begun = begin(&mut run, &mut session, CLIENT, None, &segment(capacity));
            assert_eq!(begun, Begun::Parse);
            assert_eq!(may_skim(&run, &session, CLIENT, b'x'), may, "{capacity}");
            if may {
                let taken = skim(&mut run, &mut session, CLIENT, |_| Some(b'x'));
                assert_eq!(taken, SKIM);
                assert!(!may_skim(&run, &session, CLIENT, b'x'), "{capacity}");
            }
        }
    }

    #[test]
    fn nothing_is_taken_where_something_else_is_to_be_done() {
        let session = Session {
            flags: SESSION_NOT_FTP,
            ..Session::default()
        };
        let mut run = Box::new(Run::new());
        (run.len, run.capacity) = (100, 1460);
        assert!(may_skim(&run, &session, CLIENT, b'x'));
        for flag in [RUN_CUT, RUN_WOULD_HOLD] {
            run.flags = flag;
            assert!(!may_skim(&run, &session, CLIENT, b'x'));
        }
        (run.flags, run.emit_len) = (0, 1);
        assert!(
            !may_skim(&run, &session, CLIENT, b'x'),
            "a text is being sent"
        );
        (run.emit_len, run.len) = (0, 0);
        assert!(!may_skim(&run, &session, CLIENT, b'x'), "the segment ends");
    }
}
