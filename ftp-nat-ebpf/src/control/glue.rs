//! What the engine's surroundings need to know of the session.

use ftp_nat_common::{
    addr::{Addr, Domain},
    event::notes::Notes,
    layout::SETTING_HAIRPIN,
    session::{SESSION_LOCAL, Session},
    source::{SourceKey, what},
    translation::{EXPECT_FROM_LOCAL, EXPECT_HAIRPIN, EXPECT_LOCAL, Expectation, ExpectationKey},
};

use crate::{
    maps::{Scratch, count_raw, settings},
    sources,
};

/// Events counted late; what is beyond is counted at once.
const COUNTS: usize = 16;

/// What the engine's surroundings know of the session while it works on it: a
/// copy, so that engine and surroundings never reach into the same memory.
#[repr(C)]
pub struct Glue {
    /// The expectation to be made.
    pub(super) template: Expectation,
    /// Where it is expected.
    pub(super) key: ExpectationKey,
    /// Where one to be withdrawn is.
    pub(super) victim: ExpectationKey,
    /// The ends' addresses as the other end sees them.
    pub(super) seen: [Addr; 2],
    /// The ends' domains.
    pub(super) domain: [Domain; 2],
    /// The announcer.
    pub(super) source: SourceKey,
    /// The announcer of an expectation that is being removed.
    pub(super) removed: SourceKey,
    pub(super) port_first: u32,
    pub(super) port_last: u32,
    /// The ports that encrypted sessions use.
    pub(super) range_first: u32,
    pub(super) range_len: u32,
    pub(super) settings: u32,
    /// Bytes of the port's text that would keep the length.
    pub(super) text_len: u32,
    /// Why nothing was expected: a [`Counter`], plus 1. 0: something was.
    pub refused: u32,
    pub(super) timeout_ns: u64,
    /// What the engine saw, to be told when it is done.
    pub notes: Notes,
    /// Bits of `SESSION_*` before the segment.
    pub flags_before: u32,
    /// How many of `counts` there are.
    pub counted: u32,
    /// What the engine has counted, as numbers of [`Counter`]s: counted in earnest
    /// once it is sure that the segment isn't undone.
    counts: [u32; COUNTS],
    /// A socket that is looked for. Here, for the stack is full where it is.
    pub(super) listener: [u32; 9],
}

impl Glue {
    /// Nothing was asked for yet in a segment of the session.
    #[inline(always)]
    pub fn reset(&mut self, s: &Session) {
        self.refused = 0;
        self.notes.back_to(0);
        self.counted = 0;
        self.flags_before = s.flags;
    }

    /// Makes ready for announcements of the end `role`, and for withdrawing some.
    #[inline(never)]
    pub fn begin(&mut self, s: &Session, role: usize) {
        let role = role & 1;
        let other = 1 - role;
        let settings = settings();
        self.settings = settings.flags;
        self.timeout_ns = settings.expect_timeout_ns;
        self.port_first = u32::from(settings.port_first);
        self.port_last = u32::from(settings.port_last);
        self.range_first = u32::from(settings.encrypted_first);
        // None of them is 0.
        self.range_len = u32::from(settings.encrypted_last) + 1 - self.range_first;
        if self.range_first == 0 {
            self.range_len = 0;
        }
        self.template.session = s.id;
        self.template.near = s.real[role];
        self.template.far_real = s.real[other];
        self.template.far_seen = s.seen[other];
        self.template.near_ifindex = s.ifindex[role];
        self.template.far_ifindex = s.ifindex[other];
        self.template.role = role as u8;
        let local = |role: usize| s.flags & (SESSION_LOCAL << role) != 0;
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        self.template.flags = flag(settings.flags & SETTING_HAIRPIN != 0, EXPECT_HAIRPIN)
            | flag(local(role), EXPECT_LOCAL)
            | flag(local(other), EXPECT_FROM_LOCAL);
        self.key.addr = s.seen[role];
        self.key._pad = 0;
        self.key.domain = s.domain[other];
        self.template.near_domain = s.domain[role];
        self.template._pad = 0;
        self.source.addr = s.real[role];
        self.source.domain = s.domain[role];
        self.victim._pad = 0;
        self.seen = s.seen;
        self.domain = s.domain;
    }

    /// Counts the announcer's expectations anew if it has as many as it may
    /// have.
    #[inline(always)]
    pub fn recount(&self, scratch: *mut Scratch) {
        // SAFETY: this CPU's own memory.
        unsafe { (*scratch).walk.key = self.source };
        sources::recount(scratch, what::EXPECTATIONS);
    }

    /// Notes what is to be counted.
    #[inline(always)]
    pub fn count(&mut self, counter: u32) {
        let n = self.counted as usize;
        if n < COUNTS {
            self.counts[n & (COUNTS - 1)] = counter;
            self.counted += 1;
        } else {
            count_raw(counter);
        }
    }

    /// Counts what the engine has counted.
    #[inline(never)]
    pub fn settle(&mut self) {
        let mut n = 0;
        while n < COUNTS {
            if n as u32 >= self.counted {
                break;
            }
            count_raw(self.counts[n]);
            n += 1;
        }
        self.counted = 0;
    }

    /// Writes down why an announcement was refused, if one was.
    #[inline(always)]
    pub fn end(&self, s: &mut Session) {
        if self.refused != 0 {
            s.last_refusal = self.refused as u16;
        }
    }
}
