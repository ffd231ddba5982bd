//! Bytes that only go on with what their line is in, taken together: the rest of a
//! verb, the numbers of an address, the free text of a 227.

use super::{
    Run,
    run::{RUN_NO_EDITS, RUN_NO_HOLD},
    skim::takes_new,
};
use crate::{
    line::text::TEXT_MAX,
    session::Session,
    stream::{HALF_LAST, dialogue::is_unread},
};

/// Bytes that are taken in one go at most.
pub const GATHER: u32 = 16;

/// Whether [`gather`] may take some of the next bytes, the first of which is `next`.
/// It changes nothing. `have_edits`: there are some to be recorded in.
#[inline(always)]
pub fn may_gather(run: &Run, session: &Session, role: usize, have_edits: bool, next: u8) -> bool {
    let line = &session.line[role & 1];
    let half = &session.half[role & 1];
    line.in_run()
        // No line's end goes on: most verbs are followed by one.
        && next >= b' '
        && !is_unread(session.flags)
        && run.flags & RUN_NO_HOLD == 0
        && (have_edits || run.flags & RUN_NO_EDITS != 0 || !line.armed())
        && line.holding() == (half.held_len != 0)
        && takes_new(run, half, line)
        && run.has_room(TEXT_MAX as u32)
}

/// Takes bytes as [`step`](super::step()) would take each of them, up to one that
/// may do more than go on, or to where there are no more in `input` or the segment.
/// Gives how many.
#[inline(always)]
pub fn gather(
    run: &mut Run,
    session: &mut Session,
    role: usize,
    input: impl Fn(u32) -> Option<u8>,
) -> u32 {
    let line = &mut session.line[role & 1];
    let half = &mut session.half[role & 1];
    let holds = line.holding();
    let mut n = 0;
    while n < GATHER {
        if run.pos >= run.len || half.held_len as usize >= TEXT_MAX - 1 {
            break;
        }
        let Some(byte) = input(n) else { break };
        if !line.goes_on(byte) {
            break;
        }
        if holds {
            half.held[half.held_len as usize & (TEXT_MAX - 1)] = byte;
            half.held_len += 1;
        } else {
            run.put(byte);
            half.last = byte;
        }
        run.pos += 1;
        n += 1;
    }
    half.in_nxt = half.in_nxt.plus(n);
    if n > 0 && !holds {
        half.out_nxt = half.out_nxt.plus(n);
        half.flags |= HALF_LAST;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        line::{Line, Request},
        seq::Seq,
        session::{CLIENT, SERVER, SESSION_NOT_FTP},
        stream::{
            Edits, Half,
            ingress::{Begun, Progress, Segment, begin, finish, nothing::Nothing, step},
        },
        tcp::flag,
    };
    use std::{boxed::Box, vec::Vec};

    struct Stage {
        role: usize,
        session: Session,
        edits: Box<Edits>,
        run: Box<Run>,
        /// Bytes that were taken together.
        together: u32,
    }

    impl Stage {
        fn new(role: usize) -> Self {
            let mut session = Session::default();
            session.requests.push(Request::Passive);
            session.line = [Line::mid_stream_at_start(); 2];
            session.half = [Half::starting_at(Seq(900)); 2];
            Self {
                role,
                session,
                edits: Box::default(),
                run: Box::new(Run::new()),
                together: 0,
            }
        }

        /// A segment with the next bytes; what is sent. `behind`, if they may be taken
        /// together: what the memory behind them has, which is none of theirs.
        fn send(&mut self, data: &[u8], capacity: u32, behind: Option<u8>) -> Vec<u8> {
            let (role, session, run) = (self.role, &mut self.session, &mut self.run);
            let segment = Segment {
                seq: session.half[role].in_nxt,
                len: data.len() as u32,
                flags: flag::ACK,
                capacity,
            };
            let begun = begin(run, session, role, Some(&self.edits), &segment);
            assert_eq!(begun, Begun::Parse);
            loop {
                let next = |at: u32| data.get(at as usize).copied();
                let byte = next(run.pos).unwrap_or(0xee);
                if let Some(behind) = behind
                    && may_gather(run, session, role, true, byte)
                {
                    let from = run.pos;
                    let input = |n| next(from + n).or(Some(behind));
                    self.together += gather(run, session, role, input);
                }
                let byte = next(run.pos).unwrap_or(0xee);
                let edits = Some(&mut *self.edits);
                if step(run, session, role, edits, byte, &mut Nothing) == Progress::Done {
                    break;
                }
            }
            finish(run, &mut session.half[role], &segment);
            run.out[..run.out_len as usize].to_vec()
        }

        /// The stage before the last byte of `text` was sent.
        fn behind(role: usize, text: &[u8]) -> Self {
            let mut new = Self::new(role);
            new.send(text, 1460, None);
            new
        }

        fn may(&self, flags: u32, have_edits: bool) -> bool {
            let mut run = Run::new();
            (run.seq, run.len) = (self.session.half[self.role].in_nxt, 100);
            (run.capacity, run.flags) = (1460, flags);
            may_gather(&run, &self.session, self.role, have_edits, b'1')
        }
    }

    #[test]
    fn taken_together_is_as_taken_one_by_one() {
        let lines: [(usize, &[u8]); 5] = [
            (CLIENT, b"PORT 10,10,0,1,30,4\r\n"),
            (CLIENT, b"PORT 1\xff\xf10,10,0,1,230,14\r\nUSERNAMES x\r\n"),
            (CLIENT, b"EPRT |1|10.10.0.1|7684|\r\nPOR"),
            (SERVER, b"227 Entering Passive Mode (10,10,0,1,30,4).\r\n"),
            (
                SERVER,
                b"227 much too long a text to be held, 10,10,0,1,30,4\r\n",
            ),
        ];
        let mut together = 0;
        for (role, line) in lines {
            for cut in 1..line.len() {
                let (first, rest) = line.split_at(cut);
                for (capacity, behind) in (1..100).chain([1460]).zip(b"1A, ".iter().cycle()) {
                    let [one_by_one, at_once] = [None, Some(*behind)].map(|behind| {
                        let mut stage = Stage::behind(role, first);
                        let out = stage.send(rest, capacity, behind);
                        together += stage.together;
                        let s = &stage.session;
                        (out, s.half[role], s.line[role], s.requests, stage.edits)
                    });
                    assert_eq!(at_once, one_by_one, "{cut} of {line:?} into {capacity}");
                }
            }
        }
        assert!(together > 10_000, "{together}");
    }

    #[test]
    fn when_it_may_be_done_at_all() {
        for (role, text, armed) in [
            (CLIENT, &b"NO"[..], false),
            (CLIENT, b"PORT 10", true),
            (SERVER, b"227 Entering", true),
        ] {
            let mut stage = Stage::behind(role, text);
            assert!(stage.may(0, true));
            // Who has no edits is to fetch some first, if there are any.
            assert_eq!(stage.may(0, false), !armed);
            assert!(stage.may(RUN_NO_EDITS, false));
            assert!(!stage.may(RUN_NO_HOLD, true), "a merged packet's rest");
            stage.session.flags = SESSION_NOT_FTP;
            assert!(!stage.may(0, true), "nobody reads it");
            stage.session.flags = 0;
            let half = &mut stage.session.half[role];
            half.held_len = u8::from(half.held_len == 0);
            half.in_nxt = Seq(900);
            assert!(!stage.may(0, true), "the line is another one");
        }
    }

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let mut stage = Stage::behind(SERVER, b"227 E");
        stage.session.half[SERVER].held_len = TEXT_MAX as u8 - 3;
        stage.run.len = 100;
        let taken = gather(&mut stage.run, &mut stage.session, SERVER, |_| Some(b'e'));
        assert_eq!(taken, 2);
        assert_eq!(
            usize::from(stage.session.half[SERVER].held_len),
            TEXT_MAX - 1
        );
    }

    #[test]
    fn what_was_passed_is_what_was_sent_last() {
        let mut stage = Stage::behind(CLIENT, b"N");
        stage.session.half[CLIENT].flags &= !HALF_LAST;
        stage.run.len = 100;
        let taken = gather(&mut stage.run, &mut stage.session, CLIENT, |n| {
            b"OO\r".get(n as usize).copied()
        });
        let half = &stage.session.half[CLIENT];
        assert_eq!(
            (taken, half.last, half.flags & HALF_LAST),
            (2, b'O', HALF_LAST)
        );
        assert_eq!((half.in_nxt, half.out_nxt), (Seq(903), Seq(903)));
    }
}
