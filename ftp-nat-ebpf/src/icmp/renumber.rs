//! An error about a packet of a control connection, on its way to the sender.
//! NAT has given the quoted packet the sender's addresses again, but its
//! sequence number is that of the rewritten stream. The sender believes no
//! error about what it hasn't sent (RFC 5927 section 4.1).
//!
//! This is done at egress, so that errors of the gateway's own stack, which
//! never come in anywhere, are mapped too.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_UNSPEC};
use ftp_nat_common::{
    counter::Counter, csum, layout::SETTING_STACK_FLOWS, seq::Seq, session::Session,
    stream::position::quoted_to_input,
};

use super::{
    quote::{self, Quote},
    translate,
};
use crate::{
    control,
    maps::{count, is_control_port, scratch, setting},
    packet::{Packet, store, tcp},
    sync,
};

/// An ICMP error, after NAT.
#[inline(never)]
pub fn egress(skb: *mut __sk_buff) -> i32 {
    let (Some(packet), Some(scratch)) = (Packet::current(skb), scratch()) else {
        return TC_ACT_UNSPEC;
    };
    if !quote::read(packet) {
        return TC_ACT_UNSPEC;
    }
    // SAFETY: this CPU's own memory.
    let quote = unsafe { &(*scratch).quote };
    let control = is_control_port(quote.tuple.sport) || is_control_port(quote.tuple.dport);
    if control && packet.tuple.dst == quote.tuple.src {
        let seq = as_sent(quote);
        if seq != quote.seq {
            rewrite(&packet, quote, seq);
        }
    } else if setting(SETTING_STACK_FLOWS) {
        return translate::egress(packet);
    }
    TC_ACT_UNSPEC
}

/// The quoted number as the sender knows it; as it stands where nothing is
/// known of the connection, or its lock is busy.
#[inline(never)]
fn as_sent(quote: &Quote) -> u32 {
    let Some((session, role, id)) = control::half(&quote.tuple) else {
        return quote.seq;
    };
    // SAFETY: a live map value.
    if !unsafe { sync::lock(&raw mut (*session).lock) } {
        return quote.seq;
    }
    // SAFETY: a live map value, locked above.
    let s: &Session = unsafe { &*session };
    let mut seq = quote.seq;
    // Else the element was removed, and another session has it now.
    if s.id == id {
        // SAFETY: the edits belong to the locked session.
        let edits = control::outstanding_edits(s, role).map(|e| unsafe { &*e });
        seq = quoted_to_input(&s.half[role & 1], edits, Seq(seq)).0;
    }
    // SAFETY: a live map value, locked above.
    unsafe { sync::unlock(&raw mut (*session).lock) };
    seq
}

/// Writes the number. An error that can't be edited goes on as it is, and its
/// checksum tells.
#[inline(always)]
fn rewrite(packet: &Packet, quote: &Quote, seq: u32) {
    let mut delta = csum::diff(quote.seq.to_be(), seq.to_be());
    if !store(packet.skb, quote.l4 + tcp::SEQ, &seq.to_be()) {
        return;
    }
    if quote.has_check != 0 {
        let check = csum::apply(quote.check, delta);
        if !store(packet.skb, quote.l4 + tcp::CHECK, &check) {
            return;
        }
        delta = csum::add(delta, csum::diff(quote.check.into(), check.into()));
    }
    if packet.fix_icmp_check(delta) {
        count(Counter::IcmpRenumbered);
    }
}
