//! Names, sizes and settings of the maps: the contract between the object, the
//! loader and what stays pinned when the loader is gone.

use crate::addr::{Addr, Domain};

/// Changes whenever a key, a value or their meaning changes, so that a pinned
/// map of another layout is refused and never misread.
pub const LAYOUT_VERSION: u32 = 7;

/// Names of the programs in the object that are attached.
pub mod program {
    /// Runs first at TC ingress of every named interface.
    pub const INGRESS: &str = "ftp_nat_ingress";
    /// Runs last at TC egress of every named interface.
    pub const EGRESS: &str = "ftp_nat_egress";
}

/// The programs hand a packet on from one to another by tail calls: the kernel
/// verifies each of them alone, and each has a stack of its own. These are
/// their places in the program array [`map::STAGES`].
pub mod stage {
    use super::program;

    /// Attached; called again to go on with the flows.
    pub const INGRESS: u32 = 0;
    /// Attached; called again to go on behind learning.
    pub const EGRESS: u32 = 1;
    /// A segment of a control connection from its near host.
    pub const CONTROL: u32 = 2;
    /// The same, of a connection that isn't known yet.
    pub const BEGIN: u32 = 3;
    /// Gives such a segment its new payload.
    pub const EDIT: u32 = 4;
    /// A SYN at ingress.
    pub const SYN: u32 = 5;
    /// Learns from a packet at egress.
    pub const LEARN: u32 = 6;
    /// An ICMP error at ingress.
    pub const ICMP_IN: u32 = 7;
    /// An ICMP error at egress.
    pub const ICMP_OUT: u32 = 8;
    /// A fragment at ingress, which may be of a data connection.
    pub const FRAGMENT_IN: u32 = 9;
    /// The same at egress.
    pub const FRAGMENT_OUT: u32 = 10;

    /// The programs' names, by their places.
    pub const NAMES: [&str; 11] = [
        program::INGRESS,
        program::EGRESS,
        "ftp_nat_control",
        "ftp_nat_begin",
        "ftp_nat_edit",
        "ftp_nat_syn",
        "ftp_nat_learn",
        "ftp_nat_icmp_in",
        "ftp_nat_icmpout",
        "ftp_nat_frag_in",
        "ftp_nat_fragout",
    ];
}

/// Names of the maps in the object and under the pin path.
pub mod map {
    /// Array of one [`super::Settings`].
    pub const SETTINGS: &str = "SETTINGS";
    /// Array of [`super::PORT_WORDS`] `u64`: bit `port % 64` of word `port / 64`
    /// is set while the control port is watched. Written by userspace only.
    pub const WATCHED_PORTS: &str = "WATCHED_PORTS";
    /// The same shape, for real server ports that differ from the watched port
    /// a client dialled (DNAT with a port change): written by the kernel; and for
    /// ports that are no longer watched while sessions use them: by userspace.
    pub const LEARNED_PORTS: &str = "LEARNED_PORTS";
    /// The same shape: ports of the hosts that are never opened for clients, and
    /// with [`super::SETTING_DENY_SERVERS`] for servers neither. Written by
    /// userspace only.
    pub const DENIED_PORTS: &str = "DENIED_PORTS";
    /// Hash from ifindex (`u32`) to [`super::Interface`].
    pub const INTERFACES: &str = "INTERFACES";
    /// LRU hash from `PairingKey` to `Sighting`.
    pub const SIGHTINGS: &str = "SIGHTINGS";
    /// LRU hash from `Tuple` to `Candidate`.
    pub const CANDIDATES: &str = "CANDIDATES";
    /// Hash from `Tuple` (near to `far_seen`) to `HalfRef`.
    pub const HALVES: &str = "HALVES";
    /// Hash from session id (`u64`) to `Session`.
    pub const SESSIONS: &str = "SESSIONS";
    /// Hash from `EditsKey` to `Edits`: outstanding edits of one half.
    pub const EDITS: &str = "EDITS";
    /// Hash from `ExpectationKey` to `Expectation`.
    pub const EXPECTATIONS: &str = "EXPECTATIONS";
    /// Hash from `Tuple` (as ingress sees it) to `Flow`.
    pub const FLOWS: &str = "FLOWS";
    /// Hash from [`crate::addr::Addr`] (what the far end would see) to the
    /// `Addr` that is announced to it instead. Written by userspace only.
    pub const ADVERTISED: &str = "ADVERTISED";
    /// Hash from `SourceKey` to `Source`.
    pub const SOURCES: &str = "SOURCES";
    /// Hash from `Tuple` (as egress sees it) to `Tuple` (as it has to leave):
    /// the data connections that the stack forwards.
    pub const STACK_FLOWS: &str = "STACK_FLOWS";
    /// Hash from `EncryptedKey` to the session id (`u64`): sessions in TLS, by
    /// their ends.
    pub const ENCRYPTED: &str = "ENCRYPTED";
    /// Per-CPU array of `u64`, indexed by `Counter`.
    pub const COUNTERS: &str = "COUNTERS";
    /// Program array: the programs of one load, by [`super::stage`]. Each load
    /// has its own, pinned under a name of its own, because the kernel empties
    /// an array that no file and no process refers to.
    pub const STAGES: &str = "STAGES";
    /// LRU hash from `FragmentKey` to `Fragment`; each load's own, never pinned.
    pub const FRAGMENTS: &str = "FRAGMENTS";
    /// Per-CPU array of one scratch value; never pinned.
    pub const SCRATCH: &str = "SCRATCH";
    /// Ring buffer of `Event`. Pinned, so that what happened while no userspace
    /// ran can be read afterwards.
    pub const EVENTS: &str = "EVENTS";
    /// Ring buffer of the kernel side's log; never pinned.
    pub const LOG: &str = "AYA_LOGS";

    /// The maps that carry state and are pinned by name.
    pub const PINNED: &[&str] = &[
        SETTINGS,
        WATCHED_PORTS,
        LEARNED_PORTS,
        DENIED_PORTS,
        INTERFACES,
        SIGHTINGS,
        CANDIDATES,
        HALVES,
        SESSIONS,
        EDITS,
        EXPECTATIONS,
        FLOWS,
        ADVERTISED,
        SOURCES,
        STACK_FLOWS,
        ENCRYPTED,
        COUNTERS,
        EVENTS,
    ];
}

/// Names of the globals that the loader sets before loading.
pub mod global {
    /// `u32`: bytes before the IP header, by the kind of device (14 or 0).
    pub const L2_LEN: &str = "L2_LEN";
}

/// Words in a port bitmap.
pub const PORT_WORDS: u32 = 1024;

/// Default sizes of the maps, in entries; the loader may set others.
pub mod size {
    /// Sightings and candidates (LRU).
    pub const PAIRING: u32 = 16_384;
    /// Packets of data connections that come in fragments (LRU).
    pub const FRAGMENTS: u32 = 8_192;
    /// Sessions; there are two halves each.
    pub const SESSIONS: u32 = 65_536;
    /// Expectations.
    pub const EXPECTATIONS: u32 = 65_536;
    /// Data connections; there are two flows each.
    pub const DATA_CONNECTIONS: u32 = 65_536;
    /// Hosts that have a session or an expectation.
    pub const SOURCES: u32 = SESSIONS + EXPECTATIONS;
    /// Interfaces.
    pub const INTERFACES: u32 = 1_024;
    /// Addresses that are announced as others.
    pub const ADVERTISED: u32 = 1_024;
    /// Bytes of the ring buffer of events: a power of two, and whole pages. Some
    /// eight thousand of the longest.
    pub const EVENTS: u32 = 1 << 20;
}

/// What userspace tells the kernel side, and what a restarted loader checks.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Settings {
    /// [`LAYOUT_VERSION`] of the loader that made the maps.
    pub layout_version: u32,
    /// Bits of `SETTING_*`.
    pub flags: u32,
    /// How long an expectation waits for its data connection, in ns.
    pub expect_timeout_ns: u64,
    /// The first and the last external port that may be chosen, host byte order.
    pub port_first: u16,
    /// See `port_first`.
    pub port_last: u16,
    /// The first and the last of the servers' passive ports that the clients of
    /// encrypted sessions may reach, host byte order; 0: none.
    pub encrypted_first: u16,
    /// See `encrypted_first`.
    pub encrypted_last: u16,
    /// What is written into `skb->mark` of data packets that the stack is to
    /// let by: `(mark & !mark_mask) | mark`.
    pub mark: u32,
    /// The bits of `skb->mark` that are ours.
    pub mark_mask: u32,
    /// Sessions that a client's address may have at a time.
    pub max_sessions_per_source: u32,
    /// Expectations that may wait for an announcer's address at a time, and data
    /// connections to declared ports (FTPS) that a client's address may have.
    pub max_expectations_per_source: u32,
    /// Until when connections are learned whose handshake was not seen, in ns of
    /// the monotonic clock. See [`PICKUP_NS`].
    pub pickup_until_ns: u64,
}
const _: () = assert!(size_of::<Settings>() == 48);

/// A host on the announcer's own inside interface may use its expectations (hairpin).
pub const SETTING_HAIRPIN: u32 = 1;
/// Nothing new is learned and no pinhole is made: the maps are being drained.
pub const SETTING_DRAINING: u32 = 2;
/// New data connections are forwarded by the stack.
pub const SETTING_STACK: u32 = 4;
/// Data connections that the stack forwards may exist: egress has to look for them.
pub const SETTING_STACK_FLOWS: u32 = 8;
/// Some interfaces are of another domain than 0, or ports of a VRF.
pub const SETTING_DOMAINS: u32 = 16;
/// Some addresses are announced as others.
pub const SETTING_ADVERTISE: u32 = 32;
/// The denied ports aren't opened for servers either.
pub const SETTING_DENY_SERVERS: u32 = 64;

/// Default of [`Settings::expect_timeout_ns`], in seconds (RFC 6384: at least 30 s).
pub const EXPECT_TIMEOUT_SECS: u64 = 60;
/// Default of [`Settings::port_first`].
pub const PORT_FIRST: u16 = 1024;
/// Default of [`Settings::port_last`].
pub const PORT_LAST: u16 = 65_535;
/// Default of [`Settings::mark`] and [`Settings::mark_mask`].
pub const MARK: u32 = 0x0010_0000;
/// Default of [`Settings::max_sessions_per_source`].
pub const SESSIONS_PER_SOURCE: u32 = 4_096;
/// Default of [`Settings::max_expectations_per_source`].
pub const EXPECTATIONS_PER_SOURCE: u32 = 4_096;

/// How long after a port was watched, or helping began, the connections of
/// before are learned. Later a handshake that was not seen was spoiled or
/// forgotten: a flood of SYNs takes the place of its candidate, and who makes
/// that flood chooses where in a stream the reading begins. It is longer than
/// the idle limits that FTP servers have.
pub const PICKUP_NS: u64 = 15 * 60 * 1_000_000_000;

/// An interface that ftp-nat runs on.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Interface {
    /// Bits of `INTERFACE_*`.
    pub flags: u32,
    /// The ifindex it has now, after it was removed and made anew; 0 while this
    /// entry's is the right one.
    pub moved_to: u32,
    /// The gateway's own IPv4 address there, the source of its ICMP errors;
    /// unspecified where it has none.
    pub addr_v4: Addr,
    /// The same for IPv6; a global address goes before a link-local one.
    pub addr_v6: Addr,
    /// The network its hosts are in; 0 unless networks overlap.
    pub domain: Domain,
    /// The index of the VRF device it is a port of, 0 without one.
    pub vrf: u32,
    /// Its name, filled up with zeroes: by it, it is found again when it was
    /// removed and made anew.
    pub name: [u8; NAME_LEN],
}

/// `IFNAMSIZ` of <linux/if.h>.
pub const NAME_LEN: usize = 16;

/// Bit of the domains that are VRFs; the others are the VRF device's index.
/// Domains that were given a number don't have it.
pub const DOMAIN_OF_VRF: Domain = 1 << 31;

/// The interface faces the inside (`--lan`).
pub const INTERFACE_LAN: u32 = 1;
/// Its packets have no Ethernet header (tun, ppp, WireGuard).
pub const INTERFACE_BARE: u32 = 2;
