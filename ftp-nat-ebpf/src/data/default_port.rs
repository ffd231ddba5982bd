//! Data connections that nobody announced: without PORT and PASV a server
//! connects from the port before its control port to the one that the client's
//! control connection comes from (RFC 959 section 3.2, RFC 6384 section 8).
//!
//! That is safe to follow without an announcement: only the session's server can
//! use it, from that port of its, when its client has asked for a transfer, and
//! it leads to a port that this very client uses for this very session.

use ftp_nat_common::{
    addr::Port,
    session::{CLIENT, SERVER, Session},
    translation::Kind,
};

use crate::{
    control,
    maps::{Scratch, is_control_port, is_denied, same_side},
    packet::Packet,
};

/// What becomes of such a SYN, in scratch memory. `false`: it is none.
#[inline(never)]
pub fn expects(packet: Packet, scratch: *mut Scratch) -> bool {
    let control_port = Port::new(packet.tuple.sport.get().wrapping_add(1));
    if !is_control_port(control_port) {
        return false;
    }
    // SAFETY: this CPU's own memory.
    let key = unsafe { &mut (*scratch).key };
    *key = packet.tuple;
    key.sport = control_port;
    let Some((session, role, _)) = control::half(key) else {
        return false;
    };
    let session: *mut Session = session;
    // SAFETY: a live map value; what is written is one word.
    let (s, expected) = unsafe { (&mut *session, &mut (*scratch).expected) };
    if role != SERVER
        || !s.may_use_default_port()
        || is_denied(s.real_port[CLIENT].get())
        || !same_side(packet.ifindex(), s.ifindex[SERVER])
    {
        return false;
    }
    s.default_used = s.transfer();
    s.expects(CLIENT, Kind::Default, s.real_port[CLIENT], expected);
    true
}
