//! What a finished line means for the session, and which announcements it may
//! make.

use super::Environment;
use crate::{
    counter::Counter,
    event::{Mode, notes::Note},
    line::{Announcement, Request},
    session::{
        CLIENT, SERVER, SESSION_ENCRYPTED, SESSION_EPSV_ALL, SESSION_FIN, SESSION_GREETED,
        SESSION_LOGGED_IN, SESSION_NOT_FTP, SESSION_PORT_SET, SESSION_RST, SESSION_TRUSTED,
        Session,
    },
    translation::Kind,
};

/// Sessions with any of these are forwarded without being parsed.
const UNPARSED: u32 = SESSION_NOT_FTP | SESSION_ENCRYPTED;

/// Ports below this are never opened (RFC 2577 section 3).
pub const FIRST_PORT: u16 = 1024;

/// A bit for each request that sets a data port when it is accepted.
const PORT_SETTERS: u32 =
    1 << Request::Active as u32 | 1 << Request::LongPort as u32 | 1 << Request::Passive as u32;

/// Whether an announcement may open a pinhole; the counter of the reason if not.
#[inline(never)]
pub fn admit(session: &Session, role: usize, said: &Announcement) -> Result<(), Counter> {
    let own = session.real[role & 1];
    if said.kind != Kind::Epsv && said.addr.is_v4() != own.is_v4() {
        return Err(Counter::PassedOtherFamily);
    }
    if said.kind != Kind::Epsv && !names_itself(session, role, said) {
        return Err(Counter::RefusedForeignAddress);
    }
    if said.port < FIRST_PORT {
        return Err(Counter::RefusedPort);
    }
    let needed = SESSION_TRUSTED | SESSION_GREETED;
    if session.flags & needed != needed {
        return Err(Counter::RefusedUntrusted);
    }
    if session.flags & (SESSION_RST | SESSION_FIN << (role & 1)) != 0 {
        return Err(Counter::RefusedUntrusted);
    }
    if session.flags & SESSION_EPSV_ALL != 0 && said.kind != Kind::Epsv {
        return Err(Counter::RefusedUnsolicited);
    }
    if role & 1 != CLIENT && !session.requests.expects_passive() {
        return Err(Counter::RefusedUnsolicited);
    }
    Ok(())
}

/// Whether the address that the end `role` announced is its own: whatever it is,
/// a pinhole only ever leads to the real one.
///
/// A server may have been told the address that its clients know it by
/// (`pasv_address`, `MasqueradeAddress`), or where to find it in its control
/// connection (0.0.0.0). Behind DNAT it may also be known to itself by another
/// private address, inside a container say, which is of no use to its client. A
/// client's is its own only as it is: its outside address is known to every
/// server, so that whoever makes it say a line could write it.
#[inline(always)]
fn names_itself(session: &Session, role: usize, said: &Announcement) -> bool {
    // One question after the other: of answers that are put together the verifier
    // would follow every combination.
    let role = role & 1;
    let (said, own, seen) = (&said.addr, &session.real[role], &session.seen[role]);
    if *said == *own {
        return true;
    }
    if role == CLIENT {
        return false;
    }
    if *said == *seen || *said == session.told[role] || said.is_any_v4() {
        return true;
    }
    *own != *seen && said.is_private()
}

/// Whether nobody reads what the session says, so that its segments may pass out
/// of order.
///
/// A half that is read is read without gaps, also where it can't announce just
/// now. Of a server's replies that passed unread nobody would know where the next
/// line begins, and the 227 there would pass as it is; nor whether it stands
/// within another reply, nor which request the next reply answers.
#[inline(always)]
pub const fn is_unread(flags: u32) -> bool {
    flags & UNPARSED != 0
}

/// Draws the consequences of a line that ended.
#[inline(never)]
pub fn line_ended(session: &mut Session, role: usize, env: &mut impl Environment) {
    if role & 1 == CLIENT {
        command(session, env);
    } else {
        reply(session, env);
    }
    session.line[role & 1].next();
}

/// Counts a line that ought to announce something and has no address in it, or
/// none that was looked for.
#[inline(always)]
fn not_announced(session: &mut Session, role: usize, env: &mut impl Environment) {
    let counter = if session.flags & SESSION_EPSV_ALL == 0 {
        Counter::PassedUnparsed
    } else {
        session.refusals += 1;
        session.last_refusal = Counter::RefusedUnsolicited as u16 + 1;
        Counter::RefusedUnsolicited
    };
    env.count(counter);
    env.note(Note::unread(role, counter));
}

#[inline(always)]
fn command(session: &mut Session, env: &mut impl Environment) {
    let line = &session.line[CLIENT];
    if line.is_foreign() || (line.is_odd() && line.is_first()) {
        session.flags |= SESSION_NOT_FTP;
        env.count(Counter::NotFtp);
        env.note(Note::changed(Mode::NotFtp, CLIENT));
        session.pending.doom();
        return;
    }
    let request = if line.is_empty() {
        Request::Empty
    } else {
        line.request()
    };
    match request {
        Request::Active if !line.announced() => not_announced(session, CLIENT, env),
        Request::LongPort => {
            env.count(Counter::PassedLongForm);
            env.note(Note::unread(CLIENT, Counter::PassedLongForm));
        }
        Request::Quit | Request::Abort | Request::Reinitialize => {
            session.pending.doom();
        }
        _ => {}
    }
    if is_telling(request) {
        env.note(Note::requested(request));
    }
    session.requests.push(request);
}

/// Whether a command tells something of the session that its announcement, if it
/// has one, doesn't.
#[inline(always)]
const fn is_telling(request: Request) -> bool {
    const NOT: u32 = 1 << Request::None as u32
        | 1 << Request::Other as u32
        | 1 << Request::Active as u32
        | 1 << Request::Empty as u32;
    NOT >> (request as u32 & 31) & 1 == 0
}

/// Whether the reply to a request tells something: PORT and EPRT are what it is
/// all about.
#[inline(always)]
const fn is_answer(request: Request) -> bool {
    is_telling(request) || matches!(request, Request::Active)
}

#[inline(always)]
fn reply(session: &mut Session, env: &mut impl Environment) {
    let line = &session.line[SERVER];
    if line.is_first() {
        if line.is_odd() {
            session.flags |= SESSION_NOT_FTP;
            env.count(Counter::NotFtp);
            env.note(Note::changed(Mode::NotFtp, SERVER));
            return;
        }
        // Also the first line of a multi-line greeting.
        if matches!(line.code(), 100..=299) {
            session.flags |= SESSION_GREETED;
        }
    }
    let Some(code) = line.reply() else { return };
    if matches!(code, 100..=299) {
        session.flags |= SESSION_GREETED;
    }
    if code < 200 {
        if matches!(session.requests.front(), Request::Transfer) {
            env.note(Note::replied(code, Request::Transfer));
        }
        return;
    }
    if matches!(code, 227 | 229) && !line.announced() {
        not_announced(session, SERVER, env);
    } else if code == 228 {
        env.count(Counter::PassedLongForm);
        env.note(Note::unread(SERVER, Counter::PassedLongForm));
    }
    let refused = code >= 400;
    let mut over = code == 421;
    // What a client has said before the greeting is not answered by it.
    let answered = if session.line[SERVER].greets() {
        Request::None
    } else {
        session.requests.answer(code)
    };
    // Worked out, not asked for, for the verifier's sake.
    let accepted = u32::from(code).wrapping_sub(400) >> 31;
    session.flags |= (PORT_SETTERS >> (answered as u32) & accepted) * SESSION_PORT_SET;
    // That of a passive reply is the announcement itself.
    let is_said = matches!(code, 227..=229);
    if (is_answer(answered) && !is_said) || matches!(code, 220 | 230 | 421 | 530) {
        env.note(Note::replied(code, answered));
    }
    match answered {
        Request::Active if refused => session.pending.refuse(&session.requests),
        Request::EpsvAll if !refused => {
            session.flags |= SESSION_EPSV_ALL;
            env.note(Note::changed(Mode::EpsvAll, SERVER));
        }
        Request::Auth if matches!(code, 234 | 235 | 334) => {
            session.flags |= SESSION_ENCRYPTED;
            env.count(Counter::SessionsEncrypted);
            env.note(Note::changed(Mode::Tls, SERVER));
            over = true;
        }
        // What the client said after it is still to be answered.
        Request::Reinitialize if !refused => {
            session.flags &= !(SESSION_EPSV_ALL | SESSION_LOGGED_IN | SESSION_PORT_SET);
        }
        _ => {}
    }
    if code == 230 {
        session.flags |= SESSION_LOGGED_IN;
    }
    if over {
        session.pending.doom();
    }
}

#[cfg(test)]
mod tests;
