//! What the engine asks of its surroundings, and parts of the engine itself: global
//! functions, at which the verifier looks once, whatever their callers know.

use aya_ebpf::bindings::__sk_buff;
use ftp_nat_common::{
    addr::Port,
    counter::Counter,
    event::notes::Note,
    line::{Fed, Line},
    session::Session,
    stream::{
        Edits, Environment, dialogue,
        ingress::{self, Run},
    },
    translation::Kind,
};

use super::expect::{ftp_nat_expect, ftp_nat_withdraw};
use crate::maps::scratch;

/// The engine's surroundings during one call. The context pointer can't be kept
/// in a map.
pub struct Surroundings {
    pub skb: *mut __sk_buff,
}

impl Environment for Surroundings {
    #[inline(always)]
    fn expect(&mut self, kind: Kind, near_port: u16, text_len: usize) -> Option<u16> {
        let port = ftp_nat_expect(self.skb, kind as u32, u32::from(near_port), text_len as u32);
        u16::try_from(port).ok().filter(|port| *port != 0)
    }

    #[inline(always)]
    fn withdraw(&mut self, role: usize, port: Port) {
        ftp_nat_withdraw(role as u32, u32::from(port.0));
    }

    #[inline(always)]
    fn feed(&mut self, line: &mut Line, role: usize, byte: u8) -> Fed {
        // SAFETY: a live line.
        Fed::unpack(unsafe { ftp_nat_feed(line, role as u32, u32::from(byte)) })
    }

    #[inline(always)]
    fn count(&mut self, counter: Counter) {
        ftp_nat_count(counter as u32);
    }

    #[inline(always)]
    fn note(&mut self, note: Note) {
        let [head, told_port, low, high] = note.pack();
        ftp_nat_note(head, told_port, low, high);
    }

    #[inline(always)]
    fn release(&mut self, _: &mut Run, session: &mut Session, _: Option<&mut Edits>) {
        ftp_nat_release(self.skb, session);
    }

    #[inline(always)]
    fn line_ended(&mut self, session: &mut Session, role: usize) {
        ftp_nat_line_end(session, role as u32);
    }
}

/// Sets free what the segment in scratch memory holds.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_release(skb: *mut __sk_buff, session: *mut Session) -> u32 {
    // SAFETY: the callers' pointer, or null.
    let (Some(scratch), Some(session)) = (scratch(), unsafe { session.as_mut() }) else {
        return 0;
    };
    // SAFETY: this CPU's own memory.
    let (glue, run, now, edits) = unsafe {
        (
            &mut (*scratch).glue,
            &mut (*scratch).run,
            &(*scratch).progress,
            &raw mut (*scratch).edits,
        )
    };
    if run.announces() {
        glue.begin(session, now.role as usize);
        glue.recount(scratch);
    }
    let edits = now.edits(edits);
    ingress::release(run, session, edits, &mut Surroundings { skb });
    0
}

/// Feeds a byte to a line's parser.
///
/// # Safety
/// The line, if it isn't null, is live.
#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn ftp_nat_feed(line: *mut Line, role: u32, byte: u32) -> u32 {
    // SAFETY: as the caller promises.
    match unsafe { line.as_mut() } {
        Some(line) => line.feed(role as usize, byte as u8).pack(),
        None => 0,
    }
}

/// Draws the consequences of a line of the end `role` that ended.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_line_end(session: *mut Session, role: u32) -> u32 {
    // SAFETY: the callers' pointer, or null.
    let Some(session) = (unsafe { session.as_mut() }) else {
        return 0;
    };
    let skb = core::ptr::null_mut();
    dialogue::line_ended(session, role as usize, &mut Surroundings { skb });
    0
}

/// Adds to the notes of the segment.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_note(head: u64, told_port: u64, low: u64, high: u64) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    let notes = unsafe { &mut (*scratch).glue.notes };
    notes.add(Note::unpack([head, told_port, low, high]));
    0
}

/// Counts an event, once it is sure that the segment isn't undone.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn ftp_nat_count(counter: u32) -> u32 {
    let Some(scratch) = scratch() else { return 0 };
    // SAFETY: this CPU's own memory.
    unsafe { (*scratch).glue.count(counter) };
    0
}
