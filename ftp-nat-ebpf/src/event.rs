//! Events for userspace. What one says is put together in scratch memory, field
//! by field, and copied into the ring buffer by [`send`]. Only what happens to a
//! connection is told: no packet of a running transfer comes here.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP};
use ftp_nat_common::{
    addr::Port,
    counter::Counter,
    event::{End, Event, LONG, SHORT, What, notes::NOTES},
    layout::size,
    session::{CLIENT, SERVER, SESSION_FIN, SESSION_FIN_SERVER, SESSION_RST, Session},
    translation::{FLOW_FIN, FLOW_PEER_FIN, FLOW_RST},
};

use crate::{
    learn,
    maps::{EVENTS, FLOWS, SESSIONS, Scratch, count, count_more, scratch},
};

/// Begins an event in scratch memory.
#[inline(always)]
fn begin(what: What, session: u64) -> Option<&'static mut Event> {
    begin_at(learn::exact_now(), what, session)
}

/// Begins one of `at_ns`.
#[inline(always)]
fn begin_at(at_ns: u64, what: What, session: u64) -> Option<&'static mut Event> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    let event = unsafe { &mut (*scratch).event };
    event.at_ns = at_ns;
    event.session = session;
    event.what = what as u8;
    event.role = 0;
    event.form = 0;
    event.request = 0;
    event.number = 0;
    Some(event)
}

/// Userspace is woken by the first event after those that it has read, and leaves
/// the others to gather for a while: again when they are half of what there is
/// room for. Asking how many there are costs as much as adding one, for other CPUs
/// write what tells it: so only some events ask, by chance.
#[inline(always)]
fn waking(at_ns: u64) -> u64 {
    const HALF: u64 = size::EVENTS as u64 / 2;
    /// One of so many asks; a power of two, far less than half of the room.
    const ONE_OF: u64 = 16;
    const _: () = assert!(ONE_OF.is_power_of_two() && ONE_OF * (LONG as u64) < HALF / 16);
    if at_ns & (ONE_OF - 1) == 0 && EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) >= HALF {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        0
    }
}

/// Copies the event in scratch memory into the ring buffer. It is lost, and
/// counted, where there is no room.
#[inline(never)]
fn send(scratch: *mut Scratch) -> u32 {
    // SAFETY: this CPU's own memory.
    let event: *const Event = unsafe { &raw const (*scratch).event };
    // SAFETY: as above; both kinds of records are parts of it.
    let sent = unsafe {
        let flags = waking((*event).at_ns);
        if (*event).is_short() {
            EVENTS.output::<[u64; SHORT / 8]>(&*event.cast::<[u64; SHORT / 8]>(), flags)
        } else {
            EVENTS.output::<[u64; LONG / 8]>(&*event.cast::<[u64; LONG / 8]>(), flags)
        }
    };
    if sent.is_err() {
        count(Counter::EventsLost);
        return 0;
    }
    1
}

/// A session in scratch memory was entered (`number`: 1 if it was picked up in
/// its middle), or is not followed for the reason `number`. A global function:
/// the verifier looks at it once. So are those below.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_met(what: u32, number: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let s: &Session = unsafe { &(*scratch).session };
    let Some(event) = begin(What::Learned, s.id) else {
        return 0;
    };
    event.what = what as u8;
    event.number = number as u16;
    let addrs = [
        (&s.real[CLIENT], s.real_port[CLIENT]),
        (&s.seen[CLIENT], s.seen_port[CLIENT]),
        (&s.real[SERVER], s.real_port[SERVER]),
        (&s.seen[SERVER], s.seen_port[SERVER]),
    ];
    let mut n = 0;
    while n < 4 {
        event.addr[n] = *addrs[n].0;
        event.port[n] = addrs[n].1;
        n += 1;
    }
    send(scratch)
}

/// Tells what the engine noted of a segment, and whether the session ended by it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_tell(session: *mut Session) -> u32 {
    // SAFETY: the callers' pointer, or null.
    let (Some(scratch), Some(s)) = (scratch(), unsafe { session.as_ref() }) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let glue = unsafe { &mut (*scratch).glue };
    let (len, lost) = (glue.notes.len(), glue.notes.lost());
    let over = how(s.flags);
    let ended = over != 0 && how(glue.flags_before) == 0;
    if len == 0 && lost == 0 && !ended {
        return 0;
    }
    // All of it came in one segment.
    let at_ns = learn::exact_now();
    let mut n = 0;
    while n < NOTES as u32 {
        if n >= len {
            break;
        }
        one(scratch, s, n, at_ns);
        n += 1;
    }
    if lost != 0 {
        count_more(Counter::EventsLost, lost);
    }
    if ended && let Some(event) = begin_at(at_ns, What::Ended, s.id) {
        event.number = over as u16;
        send(scratch);
    }
    0
}

/// How a session with these flags ended: an [`End`], or 0.
#[inline(always)]
fn how(flags: u32) -> u32 {
    const FINS: u32 = SESSION_FIN | SESSION_FIN_SERVER;
    if flags & SESSION_RST != 0 {
        End::Rst as u32
    } else if flags & FINS == FINS {
        End::Fin as u32
    } else {
        0
    }
}

/// Tells the `n`th note.
#[inline(never)]
fn one(scratch: *mut Scratch, s: &Session, n: u32, at_ns: u64) -> u32 {
    let Some(event) = begin_at(at_ns, What::Requested, s.id) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let note = unsafe { (*scratch).glue.notes.at(n) };
    event.take(note);
    if !event.is_short() {
        let role = note.role as usize & 1;
        event.addr[0] = note.said;
        event.port[0] = Port::new(note.said_port);
        event.addr[1] = s.told[role];
        event.port[1] = Port::new(note.told_port);
        event.addr[2] = s.seen[role];
        event.port[2] = Port::new(note.told_port);
    }
    send(scratch)
}

/// A data SYN, the packet at hand, came for the expectation in scratch memory.
/// `what`, and `number` as that wants it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_data(what: u32, number: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let (tuple, expected) = unsafe { (&(*scratch).packet.tuple, &(*scratch).expected) };
    let Some(event) = begin(What::DataOpened, expected.session) else {
        return 0;
    };
    event.what = what as u8;
    event.number = number as u16;
    event.role = expected.role;
    event.form = expected.kind;
    event.addr[0] = tuple.src;
    event.port[0] = tuple.sport;
    event.addr[1] = tuple.dst;
    event.port[1] = tuple.dport;
    event.addr[3] = expected.near;
    event.port[3] = expected.near_port;
    if what == What::DataOpened as u32 {
        event.addr[2] = expected.far_seen;
        event.port[2] = tuple.sport;
    } else if what == What::DataRefused as u32 {
        event.addr[2] = expected.far_real;
        event.port[2] = Port(0);
    } else {
        event.addr[2] = tuple.dst;
        event.port[2] = tuple.dport;
    }
    send(scratch)
}

/// The packet at hand has a FIN or RST of its data connection; tells of the end,
/// if it is that. `before`: the flags of its flow before.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_over(before: u32) -> u32 {
    const FINS: u32 = FLOW_FIN | FLOW_PEER_FIN;
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let tuple = unsafe { &(*scratch).packet.tuple };
    let Some(flow) = FLOWS.get_ptr(tuple) else {
        return 0;
    };
    // SAFETY: a live map value.
    let flow = unsafe { &*flow };
    let flags = flow.flags;
    if before & FLOW_RST != 0 || before & FINS == FINS {
        return 0;
    }
    let over = if flags & FLOW_RST != 0 {
        End::Rst
    } else if flags & FINS == FINS {
        End::Fin
    } else {
        return 0;
    };
    let back = match FLOWS.get_ptr(flow.to.reversed()) {
        // SAFETY: a live map value.
        Some(peer) => unsafe { ((*peer).packets, (*peer).bytes) },
        None => (0, 0),
    };
    let Some(event) = begin(What::DataEnded, flow.session) else {
        return 0;
    };
    event.number = over as u16;
    event.of_flow(tuple, flow, back);
    send(scratch)
}

/// A new connection takes the place of a session, whose id is given in halves.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_replaced(id_low: u32, id_high: u32) -> u32 {
    let id = u64::from(id_high) << 32 | u64::from(id_low);
    let (Some(scratch), Some(session)) = (scratch(), SESSIONS.get_ptr(id)) else {
        return 0;
    };
    // SAFETY: a live map value.
    if how(unsafe { (*session).flags }) != 0 {
        return 0;
    }
    let Some(event) = begin(What::Ended, id) else {
        return 0;
    };
    event.number = End::Replaced as u16;
    send(scratch)
}
