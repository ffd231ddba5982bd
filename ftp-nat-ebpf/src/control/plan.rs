//! What becomes of a segment. It is handed over in memory, so that the verifier
//! looks at the editing once and not once for every way to it.

use ftp_nat_common::{counter::Counter, stream::ingress::Outcome};

use crate::maps::{Scratch, count};

/// What becomes of the segment. It is handed over in memory, so that the
/// verifier looks at the editing once and not once for every way to it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Plan {
    /// One of `PLAN_*`.
    pub action: u32,
    /// The sequence number.
    pub seq: u32,
    /// Payload bytes.
    pub len: u32,
    /// 1 with a FIN; the counter of a drop.
    pub detail: u32,
    /// The urgent pointer, if the packet has one; 0: it can't be told any more.
    pub urgent: u32,
}

pub const PLAN_RENUMBER: u32 = 0;
pub const PLAN_REBUILD: u32 = 1;
pub const PLAN_DROP: u32 = 2;

/// Writes an outcome down.
#[inline(always)]
pub fn plan(scratch: *mut Scratch, outcome: Outcome) {
    // SAFETY: this CPU's own memory.
    let (plan, run) = unsafe { (&mut (*scratch).plan, &mut (*scratch).run) };
    match outcome {
        Outcome::Untouched(seq) => {
            plan.action = PLAN_RENUMBER;
            plan.seq = seq.0;
        }
        Outcome::Rebuilt { seq, len, fin } => {
            if run.is_cut() {
                count(Counter::SegmentsCut);
            }
            plan.action = PLAN_REBUILD;
            plan.seq = seq.0;
            plan.len = len;
            plan.detail = fin as u32;
        }
        Outcome::Probe { seq, byte } => {
            count(Counter::Probes);
            run.out[0] = byte;
            plan.action = PLAN_REBUILD;
            plan.seq = seq.0;
            plan.len = 1;
            plan.detail = 0;
        }
        Outcome::Drop(counter) => {
            plan.action = PLAN_DROP;
            plan.detail = counter as u32;
        }
    }
}
