//! The checksums of a packet: repaired by differences, never computed anew,
//! because only the kernel knows whether they are left to a device.

use aya_ebpf::{
    bindings::BPF_F_PSEUDO_HDR,
    helpers::{bpf_l3_csum_replace, bpf_l4_csum_replace},
};
use ftp_nat_common::{
    addr::{Addr, Tuple},
    csum,
};

use crate::packet::{Packet, icmp, tcp, v4};

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

    /// Repairs the ICMP checksum by a difference. It covers no pseudo-header of
    /// IPv4; that of IPv6 counts as part of the message, because nobody leaves
    /// the checksum of an error to a device.
    #[inline(always)]
    pub fn fix_icmp_check(&self, delta: u32) -> bool {
        // SAFETY: a helper call with numbers only.
        unsafe {
            bpf_l4_csum_replace(
                self.skb.cast(),
                self.l4 + icmp::CHECK,
                0,
                u64::from(delta),
                0,
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

/// The sum of an address as it stands in headers and pseudo-headers.
#[inline(always)]
pub fn address_sum(is_v4: bool, addr: &Addr) -> u32 {
    if is_v4 {
        addr.v4_word()
    } else {
        let [a, b, c, d] = addr.0;
        csum::add(csum::add(a, b), csum::add(c, d))
    }
}

/// The sum of both addresses of a tuple.
#[inline(always)]
pub fn addresses_sum(is_v4: bool, tuple: &Tuple) -> u32 {
    csum::add(
        address_sum(is_v4, &tuple.src),
        address_sum(is_v4, &tuple.dst),
    )
}

/// The sum of both ports of a tuple.
#[inline(always)]
pub fn ports_sum(tuple: &Tuple) -> u32 {
    csum::add(u32::from(tuple.sport.0), u32::from(tuple.dport.0))
}

/// The sum of the TCP pseudo-header of the packet as it came.
#[inline(always)]
pub fn pseudo_sum(packet: &Packet) -> u32 {
    let len = (packet.l3 + packet.l3_len - packet.l4).to_be();
    let addresses = addresses_sum(packet.is_v4, &packet.tuple);
    csum::add(csum::add(addresses, len), 6u32.to_be())
}
