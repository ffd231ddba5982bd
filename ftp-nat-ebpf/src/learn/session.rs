//! Making a session of a connection whose translation was learned.

use ftp_nat_common::{
    addr::{Addr, Tuple},
    counter::Counter,
    event::What,
    layout::{SETTING_ADVERTISE, SETTING_DRAINING},
    line::Line,
    pairing::{Candidate, MIDWAY_AT_LINE_END, REFUSED},
    seq::Seq,
    session::{
        CLIENT, HalfRef, SERVER, SESSION_ID_MAX, SESSION_LOCAL, SESSION_LOCAL_SERVER,
        SESSION_TRUSTED, Session,
    },
    source::what,
    stream::{HALF_UNSYNCED, Half},
};

use super::{now, pickup::ends_line, random};
use crate::{
    event,
    maps::{
        ADVERTISED, CANDIDATES, CREATE, HALVES, REPLACE, SESSIONS, Scratch, count, count_raw,
        scratch, settings,
    },
    memory,
    packet::Packet,
    reclaim, sources,
};

/// Makes a session, in scratch memory, of a connection whose SYN and SYN-ACK
/// gave views that are exact inverses, and whose client has acknowledged the
/// SYN-ACK; gives its id. `None`: it is known already.
#[inline(always)]
pub fn from_handshake(candidate: &Candidate) -> Option<u64> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    let session = unsafe { &mut (*scratch).session };
    // An older connection of the same ends; one that had the outside port before.
    close(&candidate.before);
    close(after_reversed(scratch));
    let id = begin(candidate, session);
    session.isn = [candidate.client_isn, candidate.server_isn];
    let (client, server) = (candidate.client_next, candidate.server_next);
    start(&mut session.half[CLIENT], Seq(client));
    start(&mut session.half[SERVER], Seq(server));
    // Data in a SYN (RFC 7413) that the server took went by unparsed.
    if client != candidate.client_isn.wrapping_add(1) {
        // And the server need not have waited for the client's ACK.
        session.half[SERVER].flags = HALF_UNSYNCED;
        session.line[CLIENT] = unseen(candidate.ends_line[CLIENT] != 0);
    }
    if server != candidate.server_isn.wrapping_add(1) {
        session.line[SERVER] = unseen(candidate.ends_line[SERVER] != 0);
    }
    Some(id)
}

/// Closes the session that a half is of.
#[inline(always)]
fn close(half: &Tuple) {
    if let Some(known) = HALVES.get_ptr(half) {
        // SAFETY: a live map value.
        reclaim::close(unsafe { *known }.session());
    }
}

/// The server's half's key, of the candidate in scratch memory.
#[inline(always)]
pub fn after_reversed<'a>(scratch: *mut Scratch) -> &'a Tuple {
    // SAFETY: this CPU's own memory.
    unsafe {
        (*scratch).key = (*scratch).candidate.after.reversed();
        &(*scratch).key
    }
}

/// Makes a session of a connection whose handshake was not seen, from a packet
/// of each direction: the client's, in the candidate, and the server's.
#[inline(always)]
pub fn from_midway(packet: &Packet, candidate: &Candidate) -> Option<u64> {
    let scratch = scratch()?;
    // SAFETY: only its presence matters.
    if unsafe { HALVES.get(&candidate.before) }.is_some() {
        return None;
    }
    // SAFETY: this CPU's own memory.
    let session = unsafe { &mut (*scratch).session };
    let id = begin(candidate, session);
    let (client, server) = (
        Seq(candidate.client_next),
        Seq(packet.seq).plus(packet.payload_len()),
    );
    start(&mut session.half[CLIENT], client.max(Seq(packet.ack)));
    session.half[CLIENT].far_una = Seq(packet.ack);
    start(&mut session.half[SERVER], server);
    session.half[SERVER].far_una = Seq(candidate.client_ack);
    session.half[CLIENT].flags = HALF_UNSYNCED;
    session.half[SERVER].flags = HALF_UNSYNCED;
    session.line[CLIENT] = unseen(candidate.state == MIDWAY_AT_LINE_END);
    session.line[SERVER] = unseen(ends_line(packet));
    Some(id)
}

/// The parser of a stream whose beginning was not seen.
#[inline(always)]
fn unseen(at_line_end: bool) -> Line {
    if at_line_end {
        Line::mid_stream_at_start()
    } else {
        Line::mid_stream()
    }
}

/// What both ways have in common.
#[inline(always)]
fn begin(candidate: &Candidate, session: &mut Session) -> u64 {
    // SAFETY: plain numbers, of which all bits zero are a value.
    unsafe { memory::clear(session) };
    let at_ns = now();
    let id = (u64::from(random()) << 32 | u64::from(random() | 1)) & SESSION_ID_MAX;
    session.id = id;
    // Both directions agree on the translation, and both ends have answered
    // each other: nobody made it up.
    session.flags = SESSION_TRUSTED;
    session.made_ns = at_ns;
    session.last_ns = at_ns;
    session.real = [candidate.before.src, candidate.after.dst];
    session.seen = [candidate.after.src, candidate.before.dst];
    session.told = session.seen;
    if settings().flags & SETTING_ADVERTISE != 0 {
        tell(&mut session.told[CLIENT]);
        tell(&mut session.told[SERVER]);
    }
    session.real_port = [candidate.before.sport, candidate.after.dport];
    session.seen_port = [candidate.after.sport, candidate.before.dport];
    session.ifindex = [candidate.client_ifindex, candidate.server_ifindex];
    if candidate.client_ifindex == 0 {
        session.flags |= SESSION_LOCAL;
    }
    if candidate.server_ifindex == 0 {
        session.flags |= SESSION_LOCAL_SERVER;
    }
    session.domain = [candidate.before.domain, candidate.after.domain];
    id
}

/// Replaces an address by the one that is announced instead, if there is one.
#[inline(never)]
fn tell(addr: &mut Addr) {
    // SAFETY: copied at once.
    if let Some(public) = unsafe { ADVERTISED.get(&*addr) }.copied() {
        *addr = public;
    }
}

/// Like `Half::starting_at`, in place: the half is all zero, and too large for
/// the stack.
#[inline(always)]
fn start(half: &mut Half, next: Seq) {
    half.in_nxt = next;
    half.out_nxt = next;
    half.far_una = next;
    half.snd_max = next;
    half.line_start = next;
}

/// Enters the session in scratch memory into the maps: all of it or nothing.
/// Gives 1 if it did, 0 if there is no room for it; it won't be tried again then.
#[inline(never)]
pub fn enter(scratch: *mut Scratch, id: u64) -> u32 {
    if settings().flags & SETTING_DRAINING != 0 {
        return 0;
    }
    // SAFETY: this CPU's own memory.
    let client = unsafe {
        let client = &mut (*scratch).walk.key;
        client.addr = (*scratch).session.real[CLIENT];
        client.domain = (*scratch).session.domain[CLIENT];
        &*client
    };
    if sources::take(client, what::SESSIONS) == 0 {
        sources::recount(scratch, what::SESSIONS);
        if sources::take(client, what::SESSIONS) == 0 {
            refuse(scratch, Counter::SessionsSourceCap as u32);
            return 0;
        }
    }
    if insert(scratch, id) == 0 {
        sources::give(client, what::SESSIONS);
        refuse(scratch, Counter::SessionsTableFull as u32);
        return 0;
    }
    count(Counter::SessionsLearned);
    count(Counter::SessionsTrusted);
    // SAFETY: this CPU's own memory.
    let midway = unsafe { (*scratch).session.isn == [0; 2] };
    event::ftp_nat_met(What::Learned as u32, u32::from(midway));
    1
}

#[inline(never)]
fn insert(scratch: *mut Scratch, id: u64) -> u32 {
    // SAFETY: this CPU's own memory.
    let (session, candidate) = unsafe { (&(*scratch).session, &(*scratch).candidate) };
    let half = |role: usize| HalfRef::new(id, role);
    if SESSIONS.insert(id, session, CREATE).is_err() {
        reclaim::sessions(scratch);
        if SESSIONS.insert(id, session, CREATE).is_err() {
            return 0;
        }
    }
    if HALVES
        .insert(&candidate.before, half(CLIENT), REPLACE)
        .is_err()
    {
        let _ = SESSIONS.remove(id);
        return 0;
    }
    if HALVES
        .insert(after_reversed(scratch), half(SERVER), REPLACE)
        .is_err()
    {
        let _ = HALVES.remove(&candidate.before);
        let _ = SESSIONS.remove(id);
        return 0;
    }
    1
}

/// Notes that the connection is not followed, and why.
#[inline(never)]
fn refuse(scratch: *mut Scratch, counter: u32) {
    count_raw(counter);
    event::ftp_nat_met(What::NotFollowed as u32, counter);
    // SAFETY: this CPU's own memory.
    let candidate = unsafe { &mut (*scratch).candidate };
    candidate.state = REFUSED;
    let _ = CANDIDATES.insert(&candidate.before, &*candidate, REPLACE);
    let _ = CANDIDATES.remove(after_reversed(scratch));
}
