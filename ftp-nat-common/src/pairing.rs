//! How the gateway's translation of a connection is learned: the same packet
//! is seen at ingress, before NAT, and at egress, after it.

use crate::addr::Tuple;

/// What is the same at both hooks, whatever NAT did between them.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct PairingKey {
    /// TCP sequence number, host byte order.
    pub seq: u32,
    /// TCP acknowledgement number, host byte order.
    pub ack: u32,
    /// TCP flags without ECE and CWR, which a gateway may change.
    pub flags: u32,
}

/// What ingress saw of a packet that may teach a translation.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// The packet's tuple before NAT.
    pub tuple: Tuple,
    /// When, in ns of the monotonic clock.
    pub at_ns: u64,
    /// The interface it came in by.
    pub ifindex: u32,
    /// The tag that ingress wrote into `skb->tc_index`; never 0.
    pub tag: u32,
    /// IP identification (0 for IPv6) and TCP window, for packets that lost their tag.
    pub ip_id_window: u32,
    /// TCP payload length in bytes.
    pub payload_len: u32,
    /// The value of the TCP timestamp option, 0 where there is none.
    pub timestamp: u32,
    /// Two live tuples used the key: it teaches nothing.
    pub poisoned: u32,
}
const _: () = assert!(size_of::<Sighting>() == 72);

/// A sighting older than this teaches nothing: no packet stays so long between
/// the two hooks.
pub const SIGHTING_MAX_AGE_NS: u64 = 1_000_000_000;

/// A client's SYN, seen at both hooks, that waits for its SYN-ACK. Its key is
/// the tuple of the SYN at egress, reversed: what ingress sees of the SYN-ACK.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The SYN's tuple before NAT.
    pub before: Tuple,
    /// The SYN's tuple after NAT.
    pub after: Tuple,
    /// When the SYN passed, in ns of the monotonic clock.
    pub at_ns: u64,
    /// The interface the client is behind.
    pub client_ifindex: u32,
    /// The interface the server is behind.
    pub server_ifindex: u32,
    /// The client's initial sequence number.
    pub client_isn: u32,
    /// Zero.
    pub _pad: u32,
}
const _: () = assert!(size_of::<Candidate>() == 104);
