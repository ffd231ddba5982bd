//! Making a session of a connection whose translation was learned.

use ftp_nat_common::{
    addr::Addr,
    counter::Counter,
    layout::SETTING_ADVERTISE,
    line::Line,
    pairing::{Candidate, MIDWAY_AT_LINE_END},
    seq::Seq,
    session::{CLIENT, EditsKey, HalfRef, SERVER, SESSION_TRUSTED, Session},
    stream::{HALF_UNSYNCED, Half},
};

use super::{now, pickup::ends_line, random};
use crate::{
    maps::{
        ADVERTISED, CREATE, EDITS, HALVES, REPLACE, SESSIONS, Scratch, count, scratch, settings,
    },
    packet::Packet,
    reclaim,
};

/// Makes a session, in scratch memory, of a connection whose SYN and SYN-ACK
/// gave views that are exact inverses; gives its id. `None`: it is known already.
#[inline(always)]
pub fn from_handshake(packet: &Packet, candidate: &Candidate) -> Option<u64> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    let session = unsafe { &mut (*scratch).session };
    // SAFETY: copied at once.
    if let Some(known) = unsafe { HALVES.get(candidate.before) }.copied() {
        if let Some(old) = SESSIONS.get_ptr_mut(known.session) {
            // SAFETY: a live map value.
            if unsafe { (*old).isn } == [candidate.client_isn, packet.seq] {
                // The SYN-ACK was sent again.
                return None;
            }
        }
        close(known.session);
    }
    // Its outside port was another session's before.
    // SAFETY: copied at once.
    if let Some(known) = unsafe { HALVES.get(candidate.after.reversed()) }.copied() {
        close(known.session);
    }
    let id = begin(packet, candidate, session);
    session.isn = [candidate.client_isn, packet.seq];
    // Data in a SYN (RFC 7413) that the server took went by unparsed.
    let client_next = Seq(packet.ack);
    start(&mut session.half[CLIENT], client_next);
    if client_next != Seq(candidate.client_isn).plus(1) {
        session.line[CLIENT] = Line::mid_stream();
    }
    let early = packet.payload_len();
    start(&mut session.half[SERVER], Seq(packet.seq).plus(1 + early));
    if early != 0 {
        session.line[SERVER] = Line::mid_stream();
    }
    Some(id)
}

/// Makes a session of a connection whose handshake was not seen, from a packet
/// of each direction: the client's, in the candidate, and the server's.
#[inline(always)]
pub fn from_midway(packet: &Packet, candidate: &Candidate) -> Option<u64> {
    let scratch = scratch()?;
    // SAFETY: only its presence matters.
    if unsafe { HALVES.get(candidate.before) }.is_some() {
        return None;
    }
    // SAFETY: this CPU's own memory.
    let session = unsafe { &mut (*scratch).session };
    let id = begin(packet, candidate, session);
    // Both directions agree on the translation, and the connection is older
    // than this: nobody made it up.
    session.flags = SESSION_TRUSTED;
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
    session.line[CLIENT] = unseen(candidate.midway == MIDWAY_AT_LINE_END);
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
fn begin(packet: &Packet, candidate: &Candidate, session: &mut Session) -> u64 {
    // SAFETY: plain numbers, of which all bits zero are a value.
    *session = unsafe { core::mem::zeroed() };
    let at_ns = now();
    let id = (u64::from(random()) << 32) | u64::from(random() | 1);
    session.id = id;
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
    session.domain = packet.tuple.domain;
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
#[inline(never)]
pub fn enter(scratch: *mut Scratch, id: u64) {
    // SAFETY: this CPU's own memory.
    let (session, candidate) = unsafe { (&(*scratch).session, &(*scratch).candidate) };
    let half = |role: usize| HalfRef {
        session: id,
        role: role as u32,
        _pad: 0,
    };
    if SESSIONS.insert(id, session, CREATE).is_err() {
        reclaim::sessions();
        if SESSIONS.insert(id, session, CREATE).is_err() {
            count(Counter::SessionsTableFull);
            return;
        }
    }
    if HALVES
        .insert(candidate.before, half(CLIENT), REPLACE)
        .is_err()
    {
        let _ = SESSIONS.remove(id);
        count(Counter::SessionsTableFull);
        return;
    }
    if HALVES
        .insert(candidate.after.reversed(), half(SERVER), REPLACE)
        .is_err()
    {
        let _ = HALVES.remove(candidate.before);
        let _ = SESSIONS.remove(id);
        count(Counter::SessionsTableFull);
        return;
    }
    count(Counter::SessionsLearned);
}

/// Forgets a session whose connection was replaced by a new one.
#[inline(never)]
fn close(id: u64) {
    let _ = EDITS.remove(EditsKey {
        session: id,
        role: CLIENT as u32,
        _pad: 0,
    });
    let _ = EDITS.remove(EditsKey {
        session: id,
        role: SERVER as u32,
        _pad: 0,
    });
    let _ = SESSIONS.remove(id);
}
