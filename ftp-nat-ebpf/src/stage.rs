//! The programs, and how they hand a packet on. Its headers, and all else that
//! the next one needs, are in scratch memory: pointers can't be handed on.
//!
//! ```text
//! ingress -+-> icmp_in
//!          +-> frag_in
//!          +-> syn -------------------> ingress (flows)
//!          +-> control -+-> edit
//!                 ^     +-------------> ingress (flows)
//!                 +---> begin --------> ingress (flows)
//! egress --+-> icmpout
//!          +-> fragout
//!          +-> learn -----------------> egress (behind it)
//!          +-> control: what the gateway itself sends
//! ```

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC},
    programs::TcContext,
};
use ftp_nat_common::counter::Counter;

use crate::{
    control,
    maps::{STAGES, count, scratch},
    packet::Packet,
};

/// Hands the packet to a program. Comes back only where that is missing.
#[inline(always)]
fn call(ctx: &TcContext, stage: u32) {
    // SAFETY: nothing here waits to be dropped.
    unsafe { STAGES.tail_call(ctx, stage) };
    count(Counter::StageMissing);
}

/// Hands a packet to a program; it passes if that is missing.
#[inline(always)]
pub fn hand_on(ctx: &TcContext, stage: u32) -> i32 {
    call(ctx, stage);
    TC_ACT_UNSPEC
}

/// Hands a packet to a program. If that is missing, it is dropped where its
/// control connection is followed: with the wrong numbers the stream would go on
/// with the wrong bytes.
#[inline(always)]
pub fn hand_on_control(ctx: &TcContext, packet: &Packet, stage: u32) -> i32 {
    call(ctx, stage);
    if control::half(&packet.tuple).is_some() {
        TC_ACT_SHOT as i32
    } else {
        TC_ACT_UNSPEC
    }
}

/// Hands a packet back to a program that has seen it before.
#[inline(always)]
pub fn resume(ctx: &TcContext, packet: &Packet, stage: u32) -> i32 {
    set_resumed(1);
    let verdict = hand_on_control(ctx, packet, stage);
    set_resumed(0);
    verdict
}

#[inline(always)]
fn set_resumed(value: u32) {
    if let Some(scratch) = scratch() {
        // SAFETY: this CPU's own memory.
        unsafe { (*scratch).resumed = value };
    }
}

/// Whether this program has seen the packet before; to be asked once.
#[inline(always)]
pub fn is_resumed() -> bool {
    let Some(scratch) = scratch() else {
        return false;
    };
    // SAFETY: this CPU's own memory.
    unsafe {
        let resumed = (*scratch).resumed != 0;
        if resumed {
            (*scratch).resumed = 0;
        }
        resumed
    }
}
