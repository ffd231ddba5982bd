//! A new byte of near's stream.

use super::{
    Progress, Run,
    run::{RUN_CUT, RUN_NO_EDITS, RUN_NO_HOLD, RUN_WOULD_HOLD},
};
use crate::{
    counter::Counter,
    event::{Mode, notes::Note},
    line::{Line, Step, text::TEXT_MAX},
    session::{CLIENT, SERVER, SESSION_ENCRYPTED, SESSION_EPSV_ALL, Session},
    stream::{
        EDITS, Edits, Environment, HALF_FROZEN, HALF_LAST, Half, TELNET_MAX, dialogue::is_unread,
    },
    translation::Kind,
};

/// The reply to EPSV (RFC 2428 section 3). No command has such a code.
const EXTENDED: u16 = 229;

/// Takes a new byte.
#[inline(always)]
pub(super) fn take(
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
    if line.in_tls() {
        if !line.leaves_tls(role, byte) {
            pass(run, half, byte);
            return Progress::More;
        }
        if role == CLIENT {
            // Plain text again, after CCC or REIN.
            session.flags &= !SESSION_ENCRYPTED;
            env.note(Note::changed(Mode::Plain, CLIENT));
            session.requests.clear();
        }
    }
    if is_unread(session.flags) && half.held_len == 0 {
        pass(run, half, byte);
        return Progress::More;
    }
    if line.at_start() {
        half.line_start = half.in_nxt;
        if half.flags & HALF_FROZEN != 0 && !half.line_start.before(half.frozen) {
            half.flags &= !HALF_FROZEN;
        }
    }
    if line.armed() {
        restrict(line, half, session.flags);
    }
    // Asked for before the byte is taken, and in every segment anew: where
    // nothing is outstanding the caller keeps no edits, not even in mid-line.
    if line.armed() && edits.is_none() && run.flags & (RUN_NO_EDITS | RUN_NO_HOLD) == 0 {
        return Progress::WantEdits;
    }
    let fed = env.feed(line, role, byte);
    let mut step = fed.step;
    if step == Step::Hold && half.held_len == 0 {
        if run.flags & RUN_NO_HOLD != 0 {
            run.flags |= RUN_WOULD_HOLD;
            return Progress::Done;
        }
        if let Some(counter) = cannot_hold(half, edits.is_some()) {
            env.count(counter);
            env.note(Note::unread(role, counter));
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
            env.release(run, session, edits);
        }
    }
    if fed.ended {
        env.line_ended(session, role);
        if session.flags & SESSION_ENCRYPTED != 0 {
            session.line[CLIENT].enter_tls();
            session.line[SERVER].enter_tls();
        }
    }
    Progress::More
}

/// After `EPSV ALL` nothing but a 229 can announce, so nothing else is held any
/// more. What is held already is refused when it is complete.
///
/// A function of its own, so that the verifier goes on behind it once.
#[inline(never)]
fn restrict(line: &mut Line, half: &Half, flags: u32) {
    if flags & SESSION_EPSV_ALL != 0 && half.held_len == 0 && line.code() != EXTENDED {
        line.skip_line();
    }
}

/// Why the first byte of an address can't be held just now.
#[inline(always)]
fn cannot_hold(half: &Half, have_edits: bool) -> Option<Counter> {
    // The last slot is for a FIN that ends a held text.
    if !have_edits || half.edits_len as usize >= EDITS - 1 {
        return Some(Counter::PassedNoEditSlot);
    }
    // What was let by out of order isn't read later on, see `is_unread`. If it were,
    // an edit in it would give its bytes another value than far may have.
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
