//! Clients and servers on the gateway itself. What they send is seen at egress
//! only, what they get at ingress only: the two hooks change places.

use crate::packet::Packet;

/// Whether the packet, at egress, was sent by the gateway itself.
#[inline(always)]
pub fn is_sender(packet: &Packet) -> bool {
    // SAFETY: the context is valid for the whole run.
    unsafe { (*packet.skb).ingress_ifindex == 0 }
}
