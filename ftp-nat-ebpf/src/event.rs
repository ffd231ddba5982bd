//! Events for userspace. What one says is put together in scratch memory, field
//! by field, and copied into the ring buffer by [`send`]. Only what happens to a
//! connection is told: no packet of a running transfer comes here.

use ftp_nat_common::{
    counter::Counter,
    event::{Event, LONG, SHORT, What},
    session::{CLIENT, SERVER, Session},
};

use crate::{
    learn,
    maps::{EVENTS, Scratch, count, scratch},
};

/// Begins an event in scratch memory.
#[inline(always)]
fn begin(what: What, session: u64) -> Option<&'static mut Event> {
    let scratch = scratch()?;
    // SAFETY: this CPU's own memory.
    let event = unsafe { &mut (*scratch).event };
    event.at_ns = learn::now();
    event.session = session;
    event.what = what as u8;
    event.role = 0;
    event.form = 0;
    event.request = 0;
    event.number = 0;
    Some(event)
}

/// Copies the event in scratch memory into the ring buffer. It is lost, and
/// counted, where there is no room.
#[inline(never)]
fn send(scratch: *mut Scratch) -> u32 {
    // SAFETY: this CPU's own memory.
    let event: *const Event = unsafe { &raw const (*scratch).event };
    // SAFETY: as above; both are parts of it.
    let sent = unsafe {
        if (*event).is_short() {
            EVENTS.output::<[u64; SHORT / 8]>(&*event.cast::<[u64; SHORT / 8]>(), 0)
        } else {
            EVENTS.output::<[u64; LONG / 8]>(&*event.cast::<[u64; LONG / 8]>(), 0)
        }
    };
    if sent.is_err() {
        count(Counter::EventsLost);
        return 0;
    }
    1
}

/// A session in scratch memory was entered (`number`: 1 if it was picked up in
/// its middle), or is not followed for the reason `number`.
#[inline(never)]
pub fn of_session(scratch: *mut Scratch, what: u32, number: u32) {
    // SAFETY: this CPU's own memory.
    let s: &Session = unsafe { &(*scratch).session };
    let Some(event) = begin(What::Learned, s.id) else {
        return;
    };
    event.what = what as u8;
    event.number = number as u16;
    event.addr = [
        s.real[CLIENT],
        s.seen[CLIENT],
        s.real[SERVER],
        s.seen[SERVER],
    ];
    event.port = [
        s.real_port[CLIENT],
        s.seen_port[CLIENT],
        s.real_port[SERVER],
        s.seen_port[SERVER],
    ];
    send(scratch);
}
