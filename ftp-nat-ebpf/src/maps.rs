//! The maps. Names and contents are described in `ftp_nat_common::layout`.

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_F_NO_PREALLOC, bpf_redir_neigh},
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, ProgramArray, RingBuf},
};
use ftp_nat_common::{
    addr::{Addr, Domain, Port, Tuple},
    counter::Counter,
    event::Event,
    layout::{INTERFACE_LAN, Interface, PORT_WORDS, SETTING_DOMAINS, Settings, size, stage},
    pairing::{Candidate, PairingKey, Sighting},
    session::{EditsKey, HalfRef, Session},
    source::{Source, SourceKey},
    stream::{
        Edits,
        ingress::{Run, Segment},
    },
    translation::{Expectation, ExpectationKey, Flow, Fragment, FragmentKey, Way},
    unannounced::EncryptedKey,
};

use crate::{
    control::{Glue, Plan, Progressing},
    data::{encrypted, forward::Route, translate::Ends},
    icmp::{quote::Quote, translate::Translated},
    options::Found,
    packet::Headers,
    reclaim::Walk,
    sync,
};

#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);
#[map]
pub static WATCHED_PORTS: Array<u64> = Array::with_max_entries(PORT_WORDS, 0);
#[map]
pub static LEARNED_PORTS: Array<u64> = Array::with_max_entries(PORT_WORDS, 0);
#[map]
pub static DENIED_PORTS: Array<u64> = Array::with_max_entries(PORT_WORDS, 0);
#[map]
pub static INTERFACES: HashMap<u32, Interface> =
    HashMap::with_max_entries(size::INTERFACES, BPF_F_NO_PREALLOC);
#[map]
pub static SIGHTINGS: LruHashMap<PairingKey, Sighting> =
    LruHashMap::with_max_entries(size::PAIRING, 0);
#[map]
pub static CANDIDATES: LruHashMap<Tuple, Candidate> =
    LruHashMap::with_max_entries(size::PAIRING, 0);
#[map]
pub static HALVES: HashMap<Tuple, HalfRef> =
    HashMap::with_max_entries(2 * size::SESSIONS, BPF_F_NO_PREALLOC);
#[map]
pub static SESSIONS: HashMap<u64, Session> =
    HashMap::with_max_entries(size::SESSIONS, BPF_F_NO_PREALLOC);
#[map]
pub static EDITS: HashMap<EditsKey, Edits> =
    HashMap::with_max_entries(2 * size::SESSIONS, BPF_F_NO_PREALLOC);
#[map]
pub static EXPECTATIONS: HashMap<ExpectationKey, Expectation> =
    HashMap::with_max_entries(size::EXPECTATIONS, BPF_F_NO_PREALLOC);
#[map]
pub static FLOWS: HashMap<Tuple, Flow> =
    HashMap::with_max_entries(2 * size::DATA_CONNECTIONS, BPF_F_NO_PREALLOC);
#[map]
pub static ADVERTISED: HashMap<Addr, Addr> =
    HashMap::with_max_entries(size::ADVERTISED, BPF_F_NO_PREALLOC);
#[map]
pub static STAGES: ProgramArray = ProgramArray::with_max_entries(stage::NAMES.len() as u32, 0);
#[map]
pub static SOURCES: HashMap<SourceKey, Source> =
    HashMap::with_max_entries(size::SOURCES, BPF_F_NO_PREALLOC);
#[map]
pub static STACK_FLOWS: HashMap<Tuple, Tuple> =
    HashMap::with_max_entries(2 * size::DATA_CONNECTIONS, BPF_F_NO_PREALLOC);
#[map]
pub static ENCRYPTED: HashMap<EncryptedKey, u64> =
    HashMap::with_max_entries(size::SESSIONS, BPF_F_NO_PREALLOC);
#[map]
pub static FRAGMENTS: LruHashMap<FragmentKey, Fragment> =
    LruHashMap::with_max_entries(size::FRAGMENTS, 0);
#[map]
pub static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::ALL.len() as u32, 0);
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(size::EVENTS, 0);
#[map]
pub static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Bytes of payload that are looked at in one go.
pub const CHUNK: usize = 2048;

/// What is too large for the stack of 512 bytes.
#[repr(C)]
pub struct Scratch {
    /// What was read of the current packet's headers.
    pub packet: Headers,
    /// A part of the current payload. The verifier sees reads of up to twice its
    /// size, so something of that size has to follow.
    pub chunk: [u8; CHUNK],
    /// The engine's work on the current segment.
    pub run: Run,
    /// The segment as the engine is told of it.
    pub segment: Segment,
    /// How far the engine has come in it.
    pub progress: Progressing,
    /// What becomes of it.
    pub plan: Plan,
    /// What the engine is told and asks for.
    pub glue: Glue,
    /// A program called another one to go on with the current packet.
    pub resumed: u32,
    /// When the current packet's half was looked up, in ns of the monotonic clock.
    pub now_ns: u64,
    /// The sum of the current packet's payload, where it was taken.
    pub payload_sum: u64,
    /// 1: that was taken in one block, so that the chunk begins with the whole payload.
    pub is_in_chunk: u32,
    /// A way through a table.
    pub walk: Walk,
    /// The way out of the current packet.
    pub route: Route,
    /// Its next hop, for the neighbour to be asked.
    pub next_hop: bpf_redir_neigh,
    /// The way as its flow has it: a copy, for another CPU may write the original.
    pub way: Way,
    /// What is written of it anew.
    pub ends: Ends,
    /// A flow on its way into its map.
    pub flow: Flow,
    /// What the current ICMP error is about.
    pub quote: Quote,
    /// What becomes of it.
    pub error: Translated,
    /// The connection that a session is being made of.
    pub candidate: Candidate,
    /// The expectation that a data connection came for.
    pub expected: Expectation,
    /// The encrypted session that a data connection is of.
    pub encrypted: encrypted::Found,
    /// A tuple that is a key.
    pub key: Tuple,
    /// A new session on its way into its map, or a copy to go back to.
    pub session: Session,
    /// The outstanding edits of the half that is worked on.
    pub edits: Edits,
    /// Edits all zero, to make new ones from.
    pub no_edits: Edits,
    /// TCP options, or a header that is being made.
    pub header: [u8; 128],
    /// Where an option was found in it.
    pub option: Found,
    /// An event on its way to userspace.
    pub event: Event,
}

// They are copied by words.
const _: () = assert!(core::mem::offset_of!(Scratch, edits) % 8 == 0);
const _: () = assert!(core::mem::offset_of!(Scratch, header) % 8 == 0);
const _: () = assert!(core::mem::offset_of!(Scratch, candidate) % 8 == 0);
const _: () = assert!(core::mem::offset_of!(Scratch, expected) % 8 == 0);
const _: () = assert!(core::mem::offset_of!(Session, requests) % 8 == 0);
const _: () = assert!(core::mem::offset_of!(Session, line) % 8 == 0);
const _: () = assert!(core::mem::offset_of!(Session, half) % 8 == 0);

/// This CPU's scratch memory. TC programs of one CPU never nest.
#[inline(always)]
pub fn scratch() -> Option<*mut Scratch> {
    SCRATCH.get_ptr_mut(0)
}

/// Counts an event.
#[inline(always)]
pub fn count(counter: Counter) {
    count_raw(counter as u32);
}

/// Counts an event by its counter's number.
#[inline(always)]
pub fn count_raw(counter: u32) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter) {
        // SAFETY: the value is this CPU's own and map values live as long as the program runs.
        unsafe { *value += 1 };
    }
}

/// Counts so many events.
#[inline(always)]
pub fn count_more(counter: Counter, more: u32) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: as above.
        unsafe { *value += u64::from(more) };
    }
}

/// The settings; all zero before userspace has written them.
#[inline(always)]
pub fn settings() -> Settings {
    SETTINGS.get(0).copied().unwrap_or_default()
}

/// Whether interfaces of several domains, or of VRFs, are there.
#[inline(always)]
fn has_domains() -> bool {
    match SETTINGS.get(0) {
        Some(settings) => settings.flags & SETTING_DOMAINS != 0,
        None => false,
    }
}

/// Whether a `SETTING_*` bit is set.
#[inline(always)]
pub fn setting(bit: u32) -> bool {
    match SETTINGS.get(0) {
        Some(settings) => settings.flags & bit != 0,
        None => false,
    }
}

/// The network that hosts behind the interface are in. It costs a look-up only
/// where there are several.
#[inline(always)]
pub fn domain(ifindex: u32) -> Domain {
    if !has_domains() {
        return 0;
    }
    own_domain(ifindex)
}

#[inline(never)]
fn own_domain(ifindex: u32) -> Domain {
    // SAFETY: read at once.
    match unsafe { INTERFACES.get(ifindex) } {
        Some(interface) => interface.domain,
        None => 0,
    }
}

/// The interface that egress is told a packet came in by.
#[inline(never)]
pub fn arrival(ifindex: u32) -> u32 {
    if !has_domains() {
        return ifindex;
    }
    // SAFETY: read at once.
    match unsafe { INTERFACES.get(ifindex) } {
        Some(interface) if interface.vrf != 0 => interface.vrf,
        _ => ifindex,
    }
}

/// The interface isn't one of ours (any more).
pub const SIDE_UNKNOWN: u32 = 0;
/// It faces the inside.
pub const SIDE_INSIDE: u32 = 1;
/// It faces the outside.
pub const SIDE_OUTSIDE: u32 = 2;

/// What the interface faces: one of `SIDE_*`.
#[inline(never)]
pub fn side(ifindex: u32) -> u32 {
    // SAFETY: read at once.
    match unsafe { INTERFACES.get(ifindex) } {
        Some(interface) if interface.flags & INTERFACE_LAN != 0 => SIDE_INSIDE,
        Some(_) => SIDE_OUTSIDE,
        None => SIDE_UNKNOWN,
    }
}

/// Whether both interfaces face the same.
#[inline(always)]
pub fn same_side(one: u32, other: u32) -> bool {
    one == other || side(one) == side(other)
}

#[inline(always)]
fn bit(map: &Array<u64>, port: u16) -> bool {
    match map.get(u32::from(port) / 64) {
        Some(word) => word >> (port % 64) & 1 != 0,
        None => false,
    }
}

/// Whether userspace wants connections to the port to be followed.
#[inline(always)]
pub fn is_watched(port: Port) -> bool {
    bit(&WATCHED_PORTS, port.get())
}

/// Whether the port may be opened to nobody.
#[inline(always)]
pub fn is_denied(port: u16) -> bool {
    bit(&DENIED_PORTS, port)
}

/// Whether a packet with this port may belong to a control connection.
#[inline(always)]
pub fn is_control_port(port: Port) -> bool {
    let port = port.get();
    bit(&WATCHED_PORTS, port) || bit(&LEARNED_PORTS, port)
}

/// Remembers the real port of a server that was dialled by another one.
#[inline(always)]
pub fn learn_port(port: Port) {
    let port = port.get();
    if let Some(word) = LEARNED_PORTS.get_ptr_mut(u32::from(port) / 64) {
        // SAFETY: the pointer is to a value of the map, which outlives the program's run.
        unsafe { sync::or(word, 1 << (port % 64)) };
    }
}

/// Flag of an insert that replaces.
pub const REPLACE: u64 = BPF_ANY as u64;
/// Flag of an insert that fails with `EEXIST` where the key is taken.
pub const CREATE: u64 = aya_ebpf::bindings::BPF_NOEXIST as u64;
