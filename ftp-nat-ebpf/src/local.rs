//! Clients and servers on the gateway itself. What they send is seen at egress
//! only, what they get at ingress only: the two hooks change places. The program
//! of ingress has the engine, so egress calls that program.

use aya_ebpf::programs::TcContext;
use ftp_nat_common::{layout::program_index, tcp::flag};

use crate::{
    maps::{PROGRAMS, scratch},
    packet::{Packet, l2_len},
};

/// Whether the packet, at egress, was sent by the gateway itself.
#[inline(always)]
pub fn is_sender(packet: &Packet) -> bool {
    // SAFETY: the context is valid for the whole run.
    unsafe { (*packet.skb).ingress_ifindex == 0 }
}

/// Hands a segment of a control connection, at egress, to the program of
/// ingress. Returns where there is nothing to be done, or where the loader has
/// not entered that program yet.
#[inline(always)]
pub fn hand_over(ctx: &TcContext, packet: &Packet) {
    if packet.flags & flag::SYN != 0 {
        return;
    }
    let Some(scratch) = scratch() else { return };
    // SAFETY: this CPU's own memory.
    unsafe { (*scratch).from_egress = 1 };
    // SAFETY: nothing here waits to be dropped.
    unsafe { PROGRAMS.tail_call(ctx, program_index(l2_len())) };
    // SAFETY: this CPU's own memory.
    unsafe { (*scratch).from_egress = 0 };
}

/// Whether egress called the program of ingress with this packet; to be asked
/// once per packet. [`Headers::from_egress`](crate::packet::Headers) has it from
/// then on: in a register the verifier would go over all that follows twice.
#[inline(never)]
pub fn is_taken_over() -> bool {
    let Some(scratch) = scratch() else {
        return false;
    };
    // SAFETY: this CPU's own memory.
    unsafe {
        let from_egress = (*scratch).from_egress != 0;
        (*scratch).from_egress = 0;
        (*scratch).packet.from_egress = from_egress;
        from_egress
    }
}
