//! The checksums of a packet: repaired by differences, never computed anew,
//! because only the kernel knows whether they are left to a device.

use aya_ebpf::{
    bindings::BPF_F_PSEUDO_HDR,
    helpers::{bpf_l3_csum_replace, bpf_l4_csum_replace},
};
use ftp_nat_common::{addr::Addr, csum};

use crate::packet::{Packet, tcp, v4};

impl Packet {
    /// Repairs the TCP checksum by a difference. `pseudo`: the difference is of
    /// the pseudo-header, which counts for offloaded checksums too.
    #[inline(always)]
    pub fn fix_tcp_check(&self, delta: u32, pseudo: bool) -> bool {
        if delta == 0 {
            return true;
        }
        let flags = if pseudo {
            u64::from(BPF_F_PSEUDO_HDR)
        } else {
            0
        };
        // SAFETY: a helper call with numbers only.
        unsafe {
            bpf_l4_csum_replace(
                self.skb.cast(),
                self.l4 + tcp::CHECK,
                0,
                u64::from(delta),
                flags,
            ) == 0
        }
    }

    /// Repairs the IPv4 header checksum by a difference.
    #[inline(always)]
    pub fn fix_ip_check(&self, delta: u32) -> bool {
        // SAFETY: a helper call with numbers only.
        unsafe {
            bpf_l3_csum_replace(self.skb.cast(), self.l3 + v4::CHECK, 0, u64::from(delta), 0) == 0
        }
    }
}

/// The sum of the TCP pseudo-header of the packet as it came.
#[inline(always)]
pub fn pseudo_sum(packet: &Packet) -> u32 {
    let words = |a: &Addr| {
        let [w, x, y, z] = a.0;
        if packet.is_v4 {
            z
        } else {
            csum::add(csum::add(w, x), csum::add(y, z))
        }
    };
    let len = (packet.l3 + packet.l3_len - packet.l4).to_be();
    let addresses = csum::add(words(&packet.tuple.src), words(&packet.tuple.dst));
    csum::add(csum::add(addresses, len), 6u32.to_be())
}
