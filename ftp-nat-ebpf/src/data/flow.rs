//! An expectation is consumed by the SYN it was made for and becomes a pair of
//! flows, one for each direction.

use ftp_nat_common::{
    addr::{Addr, Port, Tuple},
    counter::Counter,
    event::What,
    layout::{SETTING_DRAINING, SETTING_STACK},
    session::Session,
    source::what,
    translation::{
        EXPECT_FROM_LOCAL, EXPECT_HAIRPIN, EXPECT_LOCAL, Expectation, ExpectationKey, FLOW_FORWARD,
        FLOW_STACK, Flow, SECOND, Way,
    },
};

use super::{default_port, encrypted};
use crate::{
    event,
    maps::{
        CREATE, EXPECTATIONS, FLOWS, REPLACE, SESSIONS, SIDE_INSIDE, STACK_FLOWS, Scratch, count,
        scratch, setting, settings, side,
    },
    memory,
    packet::Packet,
    sources,
};

/// Nothing was expected of this SYN.
const NONE: u32 = 0;
/// The SYN made a data connection.
pub const MADE: u32 = 1;
/// There was no room for one; the expectation waits for the SYN to be sent again.
pub const FULL: u32 = 2;
/// The SYN is for the end that announced on the gateway itself.
pub const LOCAL: u32 = 3;
/// The client has as many as one may have: the SYN may be sent again.
pub const CAPPED: u32 = 4;

/// Makes the flows of a data connection, if this SYN is one that is expected.
#[inline(always)]
pub fn open(packet: Packet, now: u64) -> u32 {
    match announced(packet, now) {
        NONE => unannounced(packet, now),
        opened => opened,
    }
}

/// A SYN that no announcement led to.
#[inline(never)]
fn unannounced(packet: Packet, now: u64) -> u32 {
    let Some(scratch) = scratch() else {
        return NONE;
    };
    if setting(SETTING_DRAINING) {
        return NONE;
    }
    if encrypted::expects(packet, scratch, now) {
        return declared(packet, scratch, now);
    }
    if !default_port::expects(packet, scratch) {
        return NONE;
    }
    make_unannounced(packet, scratch, Counter::FlowsDefaultPort, now)
}

/// A SYN to a declared port, of the client of an encrypted session: it may have
/// so many.
#[inline(always)]
fn declared(packet: Packet, scratch: *mut Scratch, now: u64) -> u32 {
    // SAFETY: this CPU's own memory.
    let client = unsafe {
        let client = &mut (*scratch).walk.key;
        client.addr = packet.tuple.src;
        client.domain = packet.tuple.domain;
        &*client
    };
    if sources::take(client, what::ENCRYPTED) == 0 {
        sources::recount(scratch, what::ENCRYPTED);
        if sources::take(client, what::ENCRYPTED) == 0 {
            event::ftp_nat_data(What::DataRefused as u32, Counter::FlowsSourceCap as u32);
            count(Counter::FlowsSourceCap);
            return CAPPED;
        }
    }
    let made = make_unannounced(packet, scratch, Counter::FlowsEncrypted, now);
    if made != MADE {
        sources::give(client, what::ENCRYPTED);
    }
    made
}

/// Makes the flows of what was found to be let by, in scratch memory.
#[inline(never)]
fn make_unannounced(packet: Packet, scratch: *mut Scratch, counter: Counter, now: u64) -> u32 {
    // SAFETY: this CPU's own memory, just written.
    let expected = unsafe { &(*scratch).expected };
    if expected.flags & EXPECT_LOCAL != 0 {
        came(expected);
        return LOCAL;
    }
    if !make_pair(packet, expected, expected.far_ifindex, now) {
        return FULL;
    }
    count(counter);
    MADE
}

/// Makes the flows of a data connection that was announced.
#[inline(never)]
fn announced(packet: Packet, now: u64) -> u32 {
    let packet = &packet;
    let mut key = ExpectationKey {
        addr: packet.tuple.dst,
        port: packet.tuple.dport,
        _pad: 0,
        domain: packet.tuple.domain,
    };
    let mut found = EXPECTATIONS.get_ptr(&key);
    if found.is_none() && key.domain != 0 {
        // A connection back from inside (hairpin): expected outside.
        key.domain = 0;
        found = EXPECTATIONS.get_ptr(&key);
    }
    let Some(found) = found else { return NONE };
    let Some(scratch) = scratch() else {
        return NONE;
    };
    // SAFETY: a live map value, copied at once, and this CPU's own memory.
    let expected = unsafe {
        memory::copy(&raw mut (*scratch).expected, found);
        &(*scratch).expected
    };
    if now.wrapping_sub(expected.made_ns) > settings().expect_timeout_ns && now > expected.made_ns {
        if EXPECTATIONS.remove(&key).is_ok() {
            give(expected);
            let seconds = settings().expect_timeout_ns / SECOND;
            event::ftp_nat_data(What::Expired as u32, seconds as u32);
        }
        return NONE;
    }
    let from_far = packet.tuple.src == expected.far_real;
    if expected.flags & EXPECT_FROM_LOCAL != 0 {
        // Far is the gateway itself: nothing of it comes in.
        return refuse(Counter::RefusedDataSource);
    }
    // From the far host, on far's side of the gateway; or, from a host on the
    // announcer's own network, back to it (hairpin).
    let in_by = packet.ifindex();
    let own_network = key.domain == packet.tuple.domain;
    let from_far = from_far && own_network && is_inside(in_by) == is_inside(expected.far_ifindex);
    let hairpin =
        expected.flags & EXPECT_HAIRPIN != 0 && in_by == expected.near_ifindex && is_inside(in_by);
    if !from_far && !hairpin {
        return refuse(Counter::RefusedDataSource);
    }
    // Replies leave the way their control connection does, or a second WAN
    // could be picked; an inside host is reached the way it came.
    let back_by = if from_far {
        expected.far_ifindex
    } else {
        expected.near_ifindex
    };
    // One SYN only: of two CPUs one removes it.
    if EXPECTATIONS.remove(&key).is_err() {
        return NONE;
    }
    if expected.flags & EXPECT_LOCAL != 0 {
        give(expected);
        count(Counter::ExpectationsUsed);
        came(expected);
        return LOCAL;
    }
    if make_pair(*packet, expected, back_by, now) {
        give(expected);
        count(Counter::ExpectationsUsed);
        return MADE;
    }
    event::ftp_nat_data(What::DataRefused as u32, Counter::FlowsTableFull as u32);
    if EXPECTATIONS.insert(&key, expected, CREATE).is_err() {
        give(expected);
    }
    FULL
}

/// Counts why a SYN is not let by, and tells of it.
#[inline(always)]
fn refuse(reason: Counter) -> u32 {
    count(reason);
    event::ftp_nat_data(What::DataRefused as u32, reason as u32);
    NONE
}

/// The announcer has one less that waits.
#[inline(always)]
fn give(expected: &Expectation) {
    sources::give(&expected.source(), what::EXPECTATIONS);
}

#[inline(always)]
fn is_inside(ifindex: u32) -> bool {
    side(ifindex) == SIDE_INSIDE
}

#[inline(never)]
fn make_pair(packet: Packet, expected: &Expectation, back_by: u32, now: u64) -> bool {
    let packet = &packet;
    let Some(scratch) = scratch() else {
        return false;
    };
    // SAFETY: this CPU's own memory.
    let flow = unsafe { &mut (*scratch).flow };
    *flow = Flow {
        last_ns: now,
        made_ns: now,
        packets: 0,
        bytes: 0,
        session: expected.session,
        to: Tuple {
            src: expected.far_seen,
            dst: expected.near,
            sport: packet.tuple.sport,
            dport: expected.near_port,
            domain: expected.near_domain,
        },
        via: Addr::UNSPECIFIED,
        way: Way::NONE,
        out_ifindex: expected.near_ifindex,
        flags: FLOW_FORWARD,
        kind: expected.kind,
        role: expected.role,
        near_port: expected.near_port,
        via_port: Port(0),
        in_by: 0,
    };
    let by_stack = setting(SETTING_STACK);
    if by_stack {
        flow.flags = FLOW_FORWARD | FLOW_STACK;
        flow.via = expected.near;
        flow.via_port = expected.near_port;
    }
    if FLOWS.insert(&packet.tuple, &*flow, REPLACE).is_err() {
        count(Counter::FlowsTableFull);
        return false;
    }
    let whole = if by_stack {
        // The other flow is made when it is known what the stack makes of the SYN.
        make_exit(&packet.tuple, flow)
    } else {
        flow.out_ifindex = back_by;
        make_reply(&packet.tuple, flow)
    };
    if !whole {
        let _ = FLOWS.remove(&packet.tuple);
        count(Counter::FlowsTableFull);
        return false;
    }
    count(Counter::FlowsMade);
    if by_stack {
        count(Counter::StackFlowsMade);
    }
    came(expected);
    true
}

/// Notes in the session that its data connection came.
#[inline(always)]
fn came(expected: &Expectation) {
    if let Some(session) = SESSIONS.get_ptr_mut(expected.session) {
        let session: *mut Session = session;
        // SAFETY: a live map value; the number is for people to read.
        unsafe { (*session).data_connections += 1 };
    }
    event::ftp_nat_data(What::DataOpened as u32, 0);
}

/// A data SYN that the gateway itself sends, at egress: what expected it has
/// come, and there is nothing to translate.
#[inline(never)]
pub fn from_local(packet: Packet) {
    let key = ExpectationKey {
        addr: packet.tuple.dst,
        port: packet.tuple.dport,
        _pad: 0,
        domain: packet.tuple.domain,
    };
    let (Some(found), Some(scratch)) = (EXPECTATIONS.get_ptr(&key), scratch()) else {
        return;
    };
    // SAFETY: a live map value, copied at once, and this CPU's own memory.
    let expected = unsafe {
        memory::copy(&raw mut (*scratch).expected, found);
        &(*scratch).expected
    };
    if expected.flags & EXPECT_FROM_LOCAL != 0
        && packet.tuple.src == expected.far_real
        && EXPECTATIONS.remove(&key).is_ok()
    {
        give(expected);
        count(Counter::ExpectationsUsed);
        came(expected);
    }
}

/// Enters what egress has to make of a flow's answers.
#[inline(never)]
fn make_exit(key: &Tuple, flow: &Flow) -> bool {
    let (exit, to) = flow.exit(key);
    STACK_FLOWS.insert(exit, to, REPLACE).is_ok()
}

/// Makes the flow of the other direction out of the first one's.
#[inline(never)]
fn make_reply(key: &Tuple, flow: &mut Flow) -> bool {
    let answer = flow.to.reversed();
    flow.to = key.reversed();
    flow.flags = 0;
    flow.in_by = 0;
    FLOWS.insert(answer, &*flow, REPLACE).is_ok()
}
