//! The way out of a flow's packets, kept for a moment.

use super::SECOND;

/// The way out of a flow's packets, as the kernel's tables had it a moment ago.
///
/// It is written without a lock while other CPUs read it, and nothing orders their
/// reads: one may see parts of two ways. So the time is stored together with a
/// digest of all else (`digest`). Parts of different ways give a time that
/// is none, and the way isn't believed.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Way {
    /// When it was looked up, in ns of the monotonic clock, combined with the
    /// digest; zero where nothing was ever looked up.
    seal: u64,
    /// The next hop's address, as `bpf_redirect_neigh` wants it.
    pub next_hop: [u32; 4],
    /// The interface that it is a way out of.
    pub ifindex: u32,
    /// Bytes of an IP packet that fit.
    pub mtu: u16,
    /// The next hop's address family.
    pub family: u8,
    /// 1: packets of the interface have no Ethernet header.
    pub bare: u8,
}
const _: () = assert!(size_of::<Way>() == 32);

/// How long a way is believed: routes, their next hops and MTUs may change.
/// The next hop's neighbour entry is asked for with every packet.
pub const WAY_MAX_AGE_NS: u64 = SECOND / 2;

impl Way {
    /// No way that was looked up.
    pub const NONE: Self = Self {
        seal: 0,
        next_hop: [0; 4],
        ifindex: 0,
        mtu: 0,
        family: 0,
        bare: 0,
    };

    /// The way as it was looked up at `at_ns`.
    #[inline(always)]
    #[must_use]
    pub const fn sealed(mut self, at_ns: u64) -> Self {
        self.seal = at_ns ^ self.digest();
        self
    }

    /// A number that differs as soon as one 64-bit word of the way does, in bits
    /// that [`leads`](Self::leads) looks at: odd multipliers spread a difference
    /// upwards. It is no defence against anybody, for nobody else writes here.
    #[inline(always)]
    const fn digest(&self) -> u64 {
        let [a, b, c, d] = self.next_hop;
        let hop = (a as u64 | (b as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let more = (c as u64 | (d as u64) << 32).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let rest = self.ifindex as u64
            | (self.mtu as u64) << 32
            | (self.family as u64) << 48
            | (self.bare as u64) << 56;
        hop ^ more ^ rest.wrapping_mul(0x1656_67b1_9e37_79f9)
    }

    /// Whether a packet of `len` bytes may go this way out of the interface.
    #[inline(always)]
    pub const fn leads(&self, ifindex: u32, len: u32, now_ns: u64) -> bool {
        let at_ns = self.seal ^ self.digest();
        self.ifindex == ifindex
            && len <= self.mtu as u32
            && at_ns != 0
            && now_ns.wrapping_sub(at_ns) < WAY_MAX_AGE_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_believed_for_a_moment_and_for_what_fits() {
        let way = Way {
            ifindex: 3,
            mtu: 1500,
            ..Way::NONE
        };
        assert!(!way.leads(3, 1500, 5 * SECOND), "never looked up");
        let way = way.sealed(5 * SECOND);
        assert!(way.leads(3, 1500, 5 * SECOND));
        assert!(way.leads(3, 40, 5 * SECOND + WAY_MAX_AGE_NS - 1));
        assert!(!way.leads(3, 40, 5 * SECOND + WAY_MAX_AGE_NS));
        assert!(!way.leads(3, 40, 4 * SECOND), "a clock that went back");
        assert!(!way.leads(3, 1501, 5 * SECOND));
        assert!(!way.leads(4, 40, 5 * SECOND));
        assert!(!Way::NONE.leads(0, 0, 1));
    }

    /// The way as its words in memory, some of them from another one.
    fn torn(one: &Way, other: &Way, mask: u32) -> Way {
        let pick = |bit: u32| if mask >> bit & 1 == 0 { one } else { other };
        let [a, b, ..] = pick(1).next_hop;
        let [.., c, d] = pick(2).next_hop;
        Way {
            seal: pick(0).seal,
            next_hop: [a, b, c, d],
            ..*pick(3)
        }
    }

    #[test]
    fn parts_of_two_ways_are_no_way() {
        // They differ in single bits, in all of them, and in next to nothing.
        let hops = [
            [0x0a0a_0001, 0, 0, 0],
            [0x0a0a_0002, 0, 0, 0],
            [0x0100_000a, 0, 0, 0],
            [0x0000_80fe, 0, 0x1122_3344, 0x5566_7788],
            [0x0000_80fe, 0, 0x1122_3344, 0x5566_7789],
            [0x0000_80fe, 0, 0x1122_3345, 0x5566_7788],
        ];
        let mut ways = std::vec::Vec::new();
        for next_hop in hops {
            for mtu in [1280, 1500, 1501] {
                for (family, bare) in [(2, 0), (2, 1), (10, 0)] {
                    let way = Way {
                        seal: 0,
                        next_hop,
                        ifindex: 3,
                        mtu,
                        family,
                        bare,
                    };
                    ways.push(way);
                }
            }
        }
        let now = 1_000_000 * SECOND;
        let mut tried = 0;
        for one in &ways {
            for other in &ways {
                for age in [0, 1, 4_000_000, WAY_MAX_AGE_NS - 1] {
                    let (old, new) = (one.sealed(now - age), other.sealed(now));
                    for mask in 0..16 {
                        let read = torn(&old, &new, mask);
                        let whole = [old, new]
                            .iter()
                            .any(|way| Way { seal: 0, ..*way } == Way { seal: 0, ..read });
                        if !whole {
                            assert!(!read.leads(3, 40, now), "{old:?} {new:?} {mask:04b}");
                            tried += 1;
                        }
                    }
                }
            }
        }
        assert!(tried > 10_000, "{tried}");
    }
}
