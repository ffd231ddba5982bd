//! The maps that the kernel side works on, as typed tables.
//!
//! Everything that reads or changes them goes through [`Table`], which the
//! kernel's maps ([`pinned`]) and a fake in memory ([`memory`]) implement: the
//! logic above is tested without root.

pub mod memory;
pub mod pinned;
pub mod shape;
mod shared;
mod table;

use ftp_nat_common::{
    addr::{Addr, Tuple},
    counter::Counter,
    layout::{Interface, Settings},
    pairing::{Candidate, PairingKey, Sighting},
    session::{EditsKey, HalfRef, Session},
    source::{Source, SourceKey},
    stream::Edits,
    translation::{Expectation, ExpectationKey, Flow},
    unannounced::EncryptedKey,
};

pub(crate) use self::table::PAGE;
pub use self::{
    shared::Shared,
    table::{Cursor, Table},
};
use crate::error::Result;

/// A table whose implementation doesn't matter.
pub type AnyTable<K, V> = Box<dyn Table<K, V>>;

/// The counters, summed over the CPUs.
pub trait Counts {
    /// What `counter` stands at.
    fn get(&self, counter: Counter) -> Result<u64>;
}

/// All maps that userspace reads or writes. See [`ftp_nat_common::layout::map`].
pub struct Maps {
    /// One entry, 0.
    pub settings: AnyTable<u32, Settings>,
    /// The bitmap of watched ports.
    pub watched_ports: AnyTable<u32, u64>,
    /// The bitmap of ports that sessions use beside the watched ones.
    pub learned_ports: AnyTable<u32, u64>,
    /// The bitmap of ports that are never opened.
    pub denied_ports: AnyTable<u32, u64>,
    /// By ifindex.
    pub interfaces: AnyTable<u32, Interface>,
    /// By what ingress sees of the near end.
    pub halves: AnyTable<Tuple, HalfRef>,
    /// By session id.
    pub sessions: AnyTable<u64, Session>,
    /// Outstanding edits of a half.
    pub edits: AnyTable<EditsKey, Edits>,
    /// Pending data connections.
    pub expectations: AnyTable<ExpectationKey, Expectation>,
    /// Data connections, two entries each.
    pub flows: AnyTable<Tuple, Flow>,
    /// What is announced instead of an address.
    pub advertised: AnyTable<Addr, Addr>,
    /// What each host has in the other tables.
    pub sources: AnyTable<SourceKey, Source>,
    /// What egress makes of data connections that the stack forwards.
    pub stack_flows: AnyTable<Tuple, Tuple>,
    /// Ids of sessions in TLS, by their ends.
    pub encrypted: AnyTable<EncryptedKey, u64>,
    /// What ingress saw lately of handshakes, and of packets that may teach.
    pub sightings: AnyTable<PairingKey, Sighting>,
    /// What was learned of connections that are no sessions yet.
    pub candidates: AnyTable<Tuple, Candidate>,
    /// The counters.
    pub counters: Box<dyn Counts>,
}
