//! Data connections of encrypted sessions (FTPS in passive mode). What a server
//! announces within TLS can't be read; the ports that it uses are declared
//! instead (`--ftps-passive-range`). While a session is encrypted, its client may
//! reach those of its server, each port the same port of the server's.

use ftp_nat_common::{
    layout::SETTING_DENY_SERVERS,
    session::{CLIENT, SERVER, SESSION_ENCRYPTED, Session},
    translation::Kind,
    unannounced::{EncryptedKey, SLOTS},
};

use crate::{
    learn,
    maps::{
        CREATE, ENCRYPTED, FLOWS, REPLACE, SESSIONS, SETTINGS, Scratch, is_denied, same_side,
        setting,
    },
    packet::Packet,
};

/// Whether the port (host byte order) is one of those that are declared.
#[inline(always)]
pub fn in_range(port: u16) -> bool {
    match SETTINGS.get(0) {
        Some(s) => s.encrypted_first != 0 && s.encrypted_first <= port && port <= s.encrypted_last,
        None => false,
    }
}

/// Whether any ports are declared.
#[inline(always)]
fn has_range() -> bool {
    match SETTINGS.get(0) {
        Some(s) => s.encrypted_first != 0,
        None => false,
    }
}

/// Enters an encrypted session, in which something was just said, among those
/// that are found by their ends. Where all slots are taken, the others
/// there translate its data connections too.
#[inline(always)]
pub fn enter(s: &mut Session) {
    if s.flags & SESSION_ENCRYPTED != 0 && s.encrypted_slot == 0 && has_range() {
        find_slot(s);
    }
}

#[inline(never)]
fn find_slot(s: &mut Session) {
    let now = learn::now();
    let mut slot = 1;
    while slot <= SLOTS {
        if take_slot(s, slot, now) {
            s.encrypted_slot = slot as u16;
            return;
        }
        slot += 1;
    }
}

#[inline(never)]
fn take_slot(s: &Session, slot: u32, now: u64) -> bool {
    let key = s.encrypted_key(slot);
    if ENCRYPTED.insert(&key, s.id, CREATE).is_ok() {
        return true;
    }
    // SAFETY: read at once.
    match unsafe { ENCRYPTED.get(&key) }.copied() {
        Some(other) if is_over(other, now) => ENCRYPTED.insert(&key, s.id, REPLACE).is_ok(),
        _ => false,
    }
}

/// Whether the session that has a slot has no use for it any more.
#[inline(always)]
fn is_over(id: u64, now: u64) -> bool {
    match SESSIONS.get_ptr(id) {
        // SAFETY: a live map value.
        Some(session) => unsafe { !(*session).may_use_range(now) },
        None => true,
    }
}

/// What becomes of a data SYN to a declared port, in scratch memory. `false`:
/// no encrypted session is its.
#[inline(never)]
pub fn expects(packet: Packet, scratch: *mut Scratch, now: u64) -> bool {
    let port = packet.tuple.dport;
    if !in_range(port.get()) || runs(&packet) {
        return false;
    }
    if setting(SETTING_DENY_SERVERS) && is_denied(port.get()) {
        return false;
    }
    // SAFETY: this CPU's own memory.
    unsafe {
        (*scratch).encrypted.last_ns = 0;
        (*scratch).encrypted.id = 0;
    }
    let mut slot = 1;
    while slot <= SLOTS {
        look(&packet, scratch, slot, now);
        slot += 1;
    }
    // SAFETY: this CPU's own memory; a live map value.
    unsafe {
        let Some(session) = SESSIONS.get_ptr((*scratch).encrypted.id) else {
            return false;
        };
        let expected = &mut (*scratch).expected;
        (*session).expects(SERVER, Kind::Encrypted, port, expected);
    }
    true
}

/// The session that was found for a data SYN.
#[repr(C)]
pub struct Found {
    /// Its id; 0: none yet.
    id: u64,
    /// When it last said something.
    last_ns: u64,
}

/// Takes the session in a slot, if it is the one that spoke last: its data
/// connection it is, where two servers are behind one address.
#[inline(never)]
fn look(packet: &Packet, scratch: *mut Scratch, slot: u32, now: u64) {
    let key = EncryptedKey {
        client: packet.tuple.src,
        server: packet.tuple.dst,
        domain: packet.tuple.domain,
        slot,
    };
    // SAFETY: read at once.
    let Some(id) = unsafe { ENCRYPTED.get(&key) }.copied() else {
        return;
    };
    let Some(session) = SESSIONS.get_ptr(id) else {
        return;
    };
    // SAFETY: a live map value, and this CPU's own memory.
    let (s, found) = unsafe { (&*session, &mut (*scratch).encrypted) };
    if s.id == id
        && s.last_ns > found.last_ns
        && s.may_use_range(now)
        && same_side(packet.ifindex(), s.ifindex[CLIENT])
    {
        found.id = id;
        found.last_ns = s.last_ns;
    }
}

/// Whether the SYN is one of a data connection that there is already: it was
/// sent again.
#[inline(always)]
fn runs(packet: &Packet) -> bool {
    match FLOWS.get_ptr(&packet.tuple) {
        // SAFETY: a live map value.
        Some(flow) => unsafe { !(*flow).is_closed() },
        None => false,
    }
}
