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
    /// What egress has in `skb->ingress_ifindex`: the interface, or the VRF
    /// that it is a port of (`vrf_ip_rcv` of drivers/net/vrf.c).
    pub arrival: u32,
    /// Two live tuples used the key: it teaches nothing.
    pub poisoned: u32,
    /// Its sequence number, host byte order. That of the key is another one where
    /// a SYN carries data and is entered as its answer acknowledges it, too.
    pub seq: u32,
    /// 1 if its payload ended with the end of a line.
    pub ends_line: u32,
}
const _: () = assert!(size_of::<Sighting>() == 80);

/// A sighting older than this teaches nothing: no packet stays so long between
/// the two hooks.
pub const SIGHTING_MAX_AGE_NS: u64 = 1_000_000_000;

/// What was learned of a connection that is no session yet.
///
/// The key of one in state [`SYN`], [`PROXIED`], [`MIDWAY`] or
/// [`MIDWAY_AT_LINE_END`] is the client's tuple at egress, reversed: what ingress
/// sees of the server's answer. The key of one in state [`ANSWERED`] or
/// [`REFUSED`] is `before`: what ingress sees of the client; or `after`, where it
/// is the gateway that answers for the client.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The client's tuple before NAT.
    pub before: Tuple,
    /// The client's tuple after NAT.
    pub after: Tuple,
    /// When it was made, in ns of the monotonic clock.
    pub at_ns: u64,
    /// The interface the client is behind.
    pub client_ifindex: u32,
    /// The interface the server is behind.
    pub server_ifindex: u32,
    /// The client's initial sequence number.
    pub client_isn: u32,
    /// The server's.
    pub server_isn: u32,
    /// What the client sends next: after a SYN, if the server takes its data.
    pub client_next: u32,
    /// What the server sends next, of one that is answered.
    pub server_next: u32,
    /// What the client has acknowledged, where the handshake was not seen.
    pub client_ack: u32,
    /// One of [`SYN`] and the others.
    pub state: u32,
    /// 1 if the data of the SYN, or of the SYN-ACK, that the other end took
    /// ended with the end of a line (RFC 7413).
    pub ends_line: [u32; 2],
}

/// The client's SYN was seen at both hooks.
pub const SYN: u32 = 0;
/// The handshake was not seen; a later packet of the client's was, at both hooks.
pub const MIDWAY: u32 = 1;
/// The same, and the packet ended with the end of a line.
pub const MIDWAY_AT_LINE_END: u32 = 2;
/// The SYN-ACK was seen at both hooks too, and fits the SYN: the client's ACK
/// of it makes a session.
pub const ANSWERED: u32 = 3;
/// There was no room for the session: it is not followed.
pub const REFUSED: u32 = 4;

/// The gateway's SYNPROXY has shaken hands with the client and dials the server
/// in the client's place, with the client's initial sequence number.
pub const PROXIED: u32 = 5;

/// A handshake that isn't complete after this long isn't any more: Linux sends
/// a SYN-ACK for the last time after 31 s, and gives up after 63.
pub const HANDSHAKE_MAX_AGE_NS: u64 = 64 * SIGHTING_MAX_AGE_NS;

const _: () = assert!(size_of::<Candidate>() == 128);
