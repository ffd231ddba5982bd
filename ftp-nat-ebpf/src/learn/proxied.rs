//! Connections behind a SYNPROXY on the gateway. It answers the client's SYN by a
//! cookie, and dials the server in the client's place when the client has sent it
//! back; from then on the stack changes the server's numbers on their way to the
//! client, and the client's acknowledgements, between the two hooks.
//!
//! ```text
//!   client              ingress                egress              server
//!     SYN  isn  --------->
//!         <------------------------ SYN-ACK (a cookie)
//!     ACK  ------------->           SYN  isn  ----------------------->
//!                        <-------------------------------- SYN-ACK
//!                                   ACK  ---------------------------->
//! ```
//!
//! The SYN at egress has the client's own initial number, and no socket. All
//! that the engine does on a half is done in its near end's numbers, which are
//! those of this handshake.

use ftp_nat_common::pairing::{PROXIED, SIGHTING_MAX_AGE_NS};

use super::{local::syn_of, now};
use crate::{
    maps::{CANDIDATES, REPLACE, is_watched, learn_port, scratch},
    packet::Packet,
};

/// The client's ACK with the cookie may take so long to come.
const COOKIE_MAX_AGE_NS: u64 = 20 * SIGHTING_MAX_AGE_NS;

/// The SYN to the server makes a candidate. Gives 1 if it did.
#[inline(never)]
pub fn syn(packet: Packet) -> u32 {
    let (Some(found), Some(scratch)) = (syn_of(packet.seq), scratch()) else {
        return 0;
    };
    // SAFETY: a live map value and this CPU's own memory.
    let (sighting, candidate, key) =
        unsafe { (&*found, &mut (*scratch).candidate, &mut (*scratch).key) };
    if sighting.seq != packet.seq
        || now().wrapping_sub(sighting.at_ns) > COOKIE_MAX_AGE_NS
        || !is_watched(sighting.tuple.dport)
    {
        return 0;
    }
    candidate.before = sighting.tuple;
    candidate.after = packet.tuple;
    candidate.at_ns = now();
    candidate.client_ifindex = sighting.ifindex;
    candidate.server_ifindex = packet.ifindex();
    candidate.client_isn = packet.seq;
    candidate.server_isn = 0;
    candidate.client_next = packet.seq.wrapping_add(1);
    candidate.server_next = 0;
    candidate.client_ack = 0;
    candidate.state = PROXIED;
    candidate.ends_line = [0; 2];
    if !is_watched(packet.tuple.dport) {
        learn_port(packet.tuple.dport);
    }
    *key = packet.tuple.reversed();
    u32::from(CANDIDATES.insert(&*key, &*candidate, REPLACE).is_ok())
}
