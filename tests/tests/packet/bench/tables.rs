//! The maps of the object, typed.

use std::{
    net::IpAddr,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData, PerCpuArray, PerCpuValues, RingBuf},
};
use ftp_nat_common::{
    addr::Tuple,
    counter::Counter,
    layout::map,
    pairing::{Candidate, PairingKey, Sighting},
    session::{EditsKey, HalfRef, Session},
    source::{Source, SourceKey},
    stream::Edits,
    translation::{Expectation, ExpectationKey, Flow, Fragment, FragmentKey},
};

use super::{Loaded, namespace::ip};

/// A key or a value of the common crate, as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Raw<T>(pub T);
// SAFETY: used with the common crate's `repr(C)` structs of integers only,
// which any bits are a value of.
unsafe impl<T: Copy + 'static> Pod for Raw<T> {}

impl Loaded {
    fn hash<K: Copy + 'static, V: Copy + 'static>(
        &self,
        name: &str,
    ) -> HashMap<&MapData, Raw<K>, Raw<V>> {
        HashMap::try_from(self.ebpf.map(name).expect(name)).expect(name)
    }

    fn hash_mut<K: Copy + 'static, V: Copy + 'static>(
        &mut self,
        name: &str,
    ) -> HashMap<&mut MapData, Raw<K>, Raw<V>> {
        HashMap::try_from(self.ebpf.map_mut(name).expect(name)).expect(name)
    }

    pub fn insert<K: Copy + 'static, V: Copy + 'static>(&mut self, name: &str, key: K, value: V) {
        self.hash_mut::<K, V>(name)
            .insert(Raw(key), Raw(value), 0)
            .expect(name);
    }

    pub fn get<K: Copy + 'static, V: Copy + 'static>(&self, name: &str, key: K) -> Option<V> {
        self.hash::<K, V>(name).get(&Raw(key), 0).ok().map(|v| v.0)
    }

    pub fn entries<K: Copy + 'static, V: Copy + 'static>(&self, name: &str) -> Vec<(K, V)> {
        let found = self.hash::<K, V>(name);
        found
            .iter()
            .map(|e| e.map(|(k, v)| (k.0, v.0)).expect(name))
            .collect()
    }

    /// The events, of which nobody else reads any.
    pub fn events(&self) -> RingBuf<MapData> {
        let Some(Map::RingBuf(events)) = self.ebpf.map(map::EVENTS) else {
            panic!("no ring buffer {}", map::EVENTS);
        };
        let id = events.info().expect(map::EVENTS).id();
        let own = MapData::from_id(id).expect(map::EVENTS);
        RingBuf::try_from(Map::RingBuf(own)).expect(map::EVENTS)
    }

    pub fn sessions(&self) -> Vec<Session> {
        let all = self.entries::<u64, Session>(map::SESSIONS);
        all.into_iter().map(|(_, s)| s).collect()
    }

    /// The only session there is.
    pub fn session(&self) -> Session {
        let all = self.sessions();
        assert_eq!(all.len(), 1, "sessions");
        all[0]
    }

    pub fn expectations(&self) -> Vec<(ExpectationKey, Expectation)> {
        self.entries(map::EXPECTATIONS)
    }

    pub fn flows(&self) -> Vec<(Tuple, Flow)> {
        self.entries(map::FLOWS)
    }

    /// What a host has, as it is counted.
    pub fn source(&self, ip: IpAddr, domain: u32) -> (i32, i32) {
        let key = SourceKey {
            addr: ip.into(),
            domain,
        };
        let found: Source = self.get(map::SOURCES, key).unwrap_or_default();
        (found.sessions, found.expectations)
    }

    pub fn halves(&self) -> Vec<(Tuple, HalfRef)> {
        self.entries(map::HALVES)
    }

    pub fn edits(&self, session: u64, role: usize) -> Option<Edits> {
        let key = EditsKey {
            session,
            role: role as u32,
            _pad: 0,
        };
        self.get(map::EDITS, key)
    }

    /// Enters a session as if it had been learned.
    pub fn enter(&mut self, session: &Session) {
        for role in 0..2 {
            let half = HalfRef::new(session.id, role);
            self.insert(map::HALVES, session.half_key(role), half);
        }
        self.insert(map::SESSIONS, session.id, *session);
    }

    /// Empties every table and sets every counter to zero.
    pub fn clear(&mut self) {
        self.empty::<PairingKey, Sighting>(map::SIGHTINGS);
        self.empty::<Tuple, Candidate>(map::CANDIDATES);
        self.empty::<Tuple, HalfRef>(map::HALVES);
        self.empty::<u64, Session>(map::SESSIONS);
        self.empty::<EditsKey, Edits>(map::EDITS);
        self.empty::<ExpectationKey, Expectation>(map::EXPECTATIONS);
        self.empty::<Tuple, Flow>(map::FLOWS);
        self.empty::<SourceKey, Source>(map::SOURCES);
        self.empty::<FragmentKey, Fragment>(map::FRAGMENTS);
        for name in [map::WATCHED_PORTS, map::LEARNED_PORTS, map::DENIED_PORTS] {
            let map = self.ebpf.map_mut(name).expect(name);
            let mut array: Array<_, u64> = Array::try_from(map).expect(name);
            for word in 0..array.len() {
                array.set(word, 0, 0).expect(name);
            }
        }
        self.restore_stages();
        self.settings(|_| ());
        self.watch(21);
        self.interfaces();
        self.gso_size = 0;
        for interface in std::mem::take(&mut self.narrowed) {
            ip(&["link", "set", interface, "mtu", "1500"]);
        }
        let map = self.ebpf.map_mut(map::COUNTERS).expect("COUNTERS");
        let mut counters: PerCpuArray<_, u64> = PerCpuArray::try_from(map).expect("COUNTERS");
        let cpus = aya::util::nr_cpus().expect("the number of CPUs");
        for index in 0..Counter::ALL.len() as u32 {
            let zero = PerCpuValues::try_from(vec![0; cpus]).expect("a value for each CPU");
            counters.set(index, zero, 0).expect("COUNTERS");
        }
    }

    pub fn empty<K: Copy + 'static, V: Copy + 'static>(&mut self, name: &str) {
        let keys: Vec<K> = self.entries::<K, V>(name).iter().map(|e| e.0).collect();
        let mut map = self.hash_mut::<K, V>(name);
        for key in keys {
            // An LRU map may have dropped it.
            let _ = map.remove(&Raw(key));
        }
    }

    /// The ways that flows keep are too old to be believed.
    pub fn age_ways(&mut self) {
        for (key, mut flow) in self.flows() {
            flow.way = flow.way.sealed(1);
            self.insert(map::FLOWS, key, flow);
        }
    }

    /// A counter's value.
    pub fn count(&self, counter: Counter) -> u64 {
        let map = self.ebpf.map(map::COUNTERS).expect("COUNTERS");
        let counters: PerCpuArray<_, u64> = PerCpuArray::try_from(map).expect("COUNTERS");
        let values = counters.get(&(counter as u32), 0).expect("a counter");
        values.iter().sum()
    }

    /// What the programs keep in the memory of their own, of all CPUs.
    pub fn scratch(&self) -> Vec<u8> {
        const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
        let Some(Map::PerCpuArray(map)) = self.ebpf.map("SCRATCH") else {
            panic!("no SCRATCH for each CPU");
        };
        let size = map.info().expect("SCRATCH").value_size() as usize;
        // Of each possible CPU, in whole words of eight bytes.
        let cpus = aya::util::nr_cpus().expect("the number of CPUs");
        let mut found = vec![0; size.next_multiple_of(8) * cpus];
        let key = 0u32;
        let asked = [
            map.fd().as_fd().as_raw_fd() as u64,
            (&raw const key) as u64,
            found.as_mut_ptr() as u64,
            0,
        ];
        // SAFETY: union bpf_attr of a look-up: the map, the key, room for the value of
        // every CPU, flags.
        let failed = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_MAP_LOOKUP_ELEM,
                asked.as_ptr(),
                size_of_val(&asked),
            )
        };
        assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
        found
    }

    /// All counters that aren't zero, by name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let all = Counter::ALL.iter().map(|c| (c.name(), self.count(*c)));
        all.filter(|c| c.1 != 0).collect()
    }

    /// Runs something while there is no way to a host inside. (An interface that
    /// goes down would lose its IPv6 addresses for good.)
    pub fn without_way_to<T>(&mut self, host: IpAddr, run: impl FnOnce(&mut Self) -> T) -> T {
        let host = host.to_string();
        ip(&["route", "add", "unreachable", &host]);
        let result = run(self);
        ip(&["route", "del", "unreachable", &host]);
        result
    }

    /// The MTU of the inner (`lan`) or the outer (`wan`) interface.
    pub fn mtu(&mut self, interface: &'static str, mtu: u32) {
        self.narrowed.push(interface);
        ip(&["link", "set", interface, "mtu", &mtu.to_string()]);
    }
}
