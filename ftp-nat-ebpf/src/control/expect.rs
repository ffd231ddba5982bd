//! Making and withdrawing the expectations of a session.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{bpf_sk_release, bpf_skc_lookup_tcp},
};
use ftp_nat_common::{
    addr::Port,
    counter::Counter,
    event::notes::Note,
    layout::{SETTING_DENY_SERVERS, SETTING_DRAINING},
    line::text::port_of_length,
    session::CLIENT,
    source::{SourceKey, what},
    translation::{Expectation, Kind},
};

use super::Glue;
use crate::{
    learn,
    maps::{CREATE, EXPECTATIONS, count, count_raw, is_control_port, is_denied, scratch},
    sources,
};

/// Ports that are tried before an announcement is given up.
const TRIES: u32 = 8;

/// Notes whose an expectation is. Word by word: the compiler would call a
/// function to move the whole, and there is no room for one more call.
///
/// # Safety
/// `from` points to a live map value.
#[inline(always)]
unsafe fn note(to: &mut SourceKey, from: *const Expectation) {
    // SAFETY: as the caller promises.
    let ([a, b, c, d], domain) = unsafe { ((*from).near.0, (*from).near_domain) };
    to.addr.0[0] = a;
    to.addr.0[1] = b;
    to.addr.0[2] = c;
    to.addr.0[3] = d;
    to.domain = domain;
}

/// Makes an expectation; returns the port to announce, 0 where there is none. A
/// global function: the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_expect(
    skb: *mut __sk_buff,
    kind: u32,
    near_port: u32,
    text_len: u32,
) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    let near_port = near_port as u16;
    glue.template.kind = kind as u8;
    glue.template.near_port = Port::new(near_port);
    if glue.settings & SETTING_DRAINING != 0 {
        return refuse(glue, Counter::RefusedDraining as u32);
    }
    if is_denied_here(glue, near_port) != 0 {
        return refuse(glue, Counter::RefusedPort as u32);
    }
    // SAFETY: as above; the session's half was looked up for this packet.
    glue.template.made_ns = unsafe { (*scratch).now_ns };
    glue.text_len = text_len;
    if sources::take(&glue.source, what::EXPECTATIONS) == 0 {
        return refuse(glue, Counter::RefusedSourceCap as u32);
    }
    let port = try_ports(skb, glue);
    if port == 0 {
        sources::give(&glue.source, what::EXPECTATIONS);
    }
    port
}

/// Whether the port is denied to the announcer. What a server announces it has
/// opened itself just now: unless the settings say otherwise, no other service
/// is there. A number, which a function returns in a register.
#[inline(never)]
fn is_denied_here(glue: &Glue, port: u16) -> u32 {
    let is_server = usize::from(glue.template.role) != CLIENT;
    if is_server && glue.settings & SETTING_DENY_SERVERS == 0 {
        return 0;
    }
    u32::from(is_denied(port))
}

/// Tries one port after the other.
#[inline(always)]
fn try_ports(skb: *mut __sk_buff, glue: &mut Glue) -> u32 {
    let mut n = 0;
    while n < TRIES {
        choose(glue, n);
        if is_taken(skb, glue) {
            n += 1;
            continue;
        }
        match attempt(glue) {
            MADE => {
                count(Counter::ExpectationsMade);
                return u32::from(glue.key.port.get());
            }
            FULL => return refuse(glue, Counter::RefusedTableFull as u32),
            _ => n += 1,
        }
    }
    refuse(glue, Counter::RefusedNoPort as u32)
}

/// Counts why nothing is expected, and keeps it for the session.
#[inline(never)]
fn refuse(glue: &mut Glue, counter: u32) -> u32 {
    count_raw(counter);
    glue.refused = counter + 1;
    let near = &glue.template;
    let (role, kind) = (usize::from(near.role), Kind::from_byte(near.kind));
    let (addr, port) = (near.near, near.near_port.get());
    glue.notes
        .add(Note::refused(role, kind, addr, port, counter));
    0
}

/// Puts the port of the `n`th try into the key: one whose text keeps the
/// length, then near's own, then any.
#[inline(never)]
fn choose(glue: &mut Glue, n: u32) {
    let kind = Kind::from_byte(glue.template.kind);
    let near_port = glue.template.near_port.get();
    let same = port_of_length(kind, glue.text_len as usize, learn::random());
    let port = if glue.template.near == glue.key.addr {
        near_port
    } else if same != 0 && n < TRIES - 2 {
        same
    } else if n == 0 || n == TRIES - 2 {
        near_port
    } else {
        (1024 + learn::random() % (65_536 - 1024)) as u16
    };
    glue.key.port = Port::new(port);
}

/// The expectation was made.
const MADE: u32 = 0;
/// Another port has to be tried.
const TAKEN: u32 = 1;
/// The table is full.
const FULL: u32 = 2;

/// Whether a connection to the key's port could be meant for somebody else.
#[inline(never)]
fn is_taken(skb: *mut __sk_buff, glue: &mut Glue) -> bool {
    if glue.template.near == glue.key.addr {
        // The port is near's own.
        return false;
    }
    let port = u32::from(glue.key.port.get());
    port < glue.port_first
        || port > glue.port_last
        // There an encrypted session reaches the server's own port.
        || port.wrapping_sub(glue.range_first) < glue.range_len
        || is_control_port(glue.key.port)
        || has_listener(skb, glue)
}

/// Tries the key's port. Most often nobody waits there, and so it isn't looked up first.
#[inline(never)]
fn attempt(glue: &mut Glue) -> u32 {
    let made = insert(glue);
    if made != TAKEN {
        return made;
    }
    if let Some(found) = EXPECTATIONS.get_ptr(&glue.key) {
        // SAFETY: a live map value.
        let old = unsafe { &*found };
        // SAFETY: as above.
        unsafe { note(&mut glue.removed, found) };
        let age = glue.template.made_ns.wrapping_sub(old.made_ns);
        // Near's own port: whoever waited for it, near announces it anew.
        let own = glue.template.near == glue.key.addr && old.near == glue.template.near;
        if age <= glue.timeout_ns && !own {
            return TAKEN;
        }
        if EXPECTATIONS.remove(&glue.key).is_ok() {
            sources::give(&glue.removed, what::EXPECTATIONS);
        }
    }
    insert(glue)
}

#[inline(always)]
fn insert(glue: &Glue) -> u32 {
    match EXPECTATIONS.insert(&glue.key, &glue.template, CREATE) {
        Ok(()) => MADE,
        Err(e) if e == -EEXIST => TAKEN,
        Err(_) => FULL,
    }
}

const EEXIST: i32 = 17;

/// Removes the expectation of the end `role` at `port` (network byte order), if
/// it is still this session's.
/// A global function likewise.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_withdraw(role: u32, port: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    let role = role as usize & 1;
    glue.victim.addr = glue.seen[role];
    glue.victim.domain = glue.domain[1 - role];
    glue.victim.port = Port(port as u16);
    let Some(found) = EXPECTATIONS.get_ptr(&glue.victim) else {
        return 0;
    };
    // SAFETY: a live map value, read before it is removed.
    let owner = unsafe {
        note(&mut glue.removed, found);
        (*found).session
    };
    if owner == glue.template.session && EXPECTATIONS.remove(&glue.victim).is_ok() {
        sources::give(&glue.removed, what::EXPECTATIONS);
        count(Counter::ExpectationsWithdrawn);
        glue.notes
            .add(Note::withdrawn(role, glue.victim.port.get()));
    }
    0
}

/// Whether a socket of the gateway itself listens on the key's address and port.
#[inline(always)]
fn has_listener(skb: *mut __sk_buff, glue: &mut Glue) -> bool {
    const CURRENT_NETNS: u64 = u64::MAX;
    // `bpf_sock_tuple` of include/uapi/linux/bpf.h: both addresses, both ports.
    const SIZE_V4: u32 = 12;
    const SIZE_V6: u32 = 36;
    let ports = u32::from_ne_bytes({
        let [a, b] = glue.key.port.0.to_ne_bytes();
        [0, 0, a, b]
    });
    let (from, to) = (&glue.template.far_real, &glue.key.addr);
    let tuple = &mut glue.listener;
    let size = if to.is_v4() {
        tuple[0] = from.v4_word();
        tuple[1] = to.v4_word();
        tuple[2] = ports;
        SIZE_V4
    } else {
        tuple[..4].copy_from_slice(&from.0);
        tuple[4..8].copy_from_slice(&to.0);
        tuple[8] = ports;
        SIZE_V6
    };
    let tuple: *mut [u32; 9] = tuple;
    // SAFETY: the size tells the helper the family; a socket that was found is
    // released.
    unsafe {
        let socket = bpf_skc_lookup_tcp(skb.cast(), tuple.cast(), size, CURRENT_NETNS, 0);
        if socket.is_null() {
            return false;
        }
        bpf_sk_release(socket.cast());
        true
    }
}
