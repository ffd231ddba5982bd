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

/// A client's SYN, seen at both hooks, that waits for its SYN-ACK, or another of
/// its packets that waits for one of the server's. The key is
/// the packet's tuple at egress, reversed: what ingress sees of the answer.
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
    /// What the client will send next, where the handshake was not seen.
    pub client_next: u32,
    /// What the client has acknowledged, likewise.
    pub client_ack: u32,
    /// [`MIDWAY`], or [`MIDWAY_AT_LINE_END`]; 0 after a SYN.
    pub midway: u32,
}

/// The handshake was not seen; a later packet of the client's made the candidate.
pub const MIDWAY: u32 = 1;
/// The same, and the packet ended with the end of a line.
pub const MIDWAY_AT_LINE_END: u32 = 2;

const _: () = assert!(size_of::<Candidate>() == 112);
