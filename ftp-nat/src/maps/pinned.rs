//! The kernel's maps under a pin path.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd as _, BorrowedFd},
    path::Path,
};

use aya::maps::{Map, MapData, MapInfo, PerCpuArray};
use ftp_nat_common::{
    counter::Counter,
    layout::{LAYOUT_VERSION, map},
};

use super::{
    AnyTable, Counts, Cursor, Maps, Shared, Table,
    shape::{SHAPES, Shape},
};
use crate::{
    error::{Error, Result},
    sys::bpf,
};

/// A map of the kernel.
struct KernelTable<K, V> {
    name: &'static str,
    data: MapData,
    max_entries: u32,
    _types: PhantomData<fn(K) -> V>,
}

impl<K: Shared, V: Shared> KernelTable<K, V> {
    fn fd(&self) -> BorrowedFd<'_> {
        self.data.fd().as_fd()
    }

    fn failed(&self, verb: &str) -> impl FnOnce(io::Error) -> Error {
        Error::io(format!("{verb} map {}", self.name))
    }

    fn write(&self, key: &K, value: &V, flags: u64) -> io::Result<()> {
        bpf::update(self.fd(), key, value, flags)
    }
}

impl<K: Shared, V: Shared> Table<K, V> for KernelTable<K, V> {
    fn get(&self, key: &K) -> Result<Option<V>> {
        bpf::lookup(self.fd(), key).map_err(self.failed("reading"))
    }

    fn set(&self, key: &K, value: &V) -> Result<()> {
        self.write(key, value, bpf::ANY)
            .map_err(self.failed("writing"))
    }

    fn insert(&self, key: &K, value: &V) -> Result<bool> {
        match self.write(key, value, bpf::NO_EXIST) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(self.failed("writing")(e)),
        }
    }

    fn take(&self, key: &K) -> Result<Option<V>> {
        bpf::take(self.fd(), key).map_err(self.failed("removing from"))
    }

    fn page(&self, cursor: &mut Cursor, max: usize) -> Result<Vec<(K, V)>> {
        let from = match *cursor {
            Cursor::Start => None,
            Cursor::At(token) => Some(token),
            Cursor::End => return Ok(Vec::new()),
        };
        let mut room = max;
        loop {
            match bpf::lookup_batch(self.fd(), from, room) {
                Ok((entries, next)) => {
                    *cursor = next.map_or(Cursor::End, Cursor::At);
                    return Ok(entries);
                }
                // A bucket that doesn't fit can't be given in parts.
                Err(e)
                    if e.raw_os_error() == Some(libc::ENOSPC)
                        && room < self.max_entries as usize =>
                {
                    room *= 2;
                }
                Err(e) => return Err(self.failed("reading")(e)),
            }
        }
    }

    fn max_entries(&self) -> u32 {
        self.max_entries
    }
}

struct KernelCounts(PerCpuArray<MapData, u64>);

impl Counts for KernelCounts {
    fn get(&self, counter: Counter) -> Result<u64> {
        let per_cpu = self.0.get(&(counter as u32), 0).map_err(|e| {
            Error::io(format!("reading map {}", map::COUNTERS))(io::Error::other(e))
        })?;
        Ok(per_cpu.iter().sum())
    }
}

/// Where the maps of a load come from.
pub(crate) type Source<'a> = &'a dyn Fn(&'static str) -> Result<MapData>;

/// The file of a pinned map. Missing is `NotFound`.
pub(crate) fn open(directory: &Path, name: &'static str) -> Result<MapData> {
    let path = directory.join(name);
    let fail = || Error::io(format!("opening pinned map {}", path.display()));
    let fd = bpf::open_pinned(&path).map_err(fail())?;
    MapData::from_fd(fd).map_err(|e| fail()(io::Error::other(e)))
}

impl Maps {
    /// Opens the maps under `directory`, after checking that they are what
    /// this version expects. Fails with [`Error::NothingLoaded`] if there is
    /// nothing.
    pub fn open(directory: &Path) -> Result<Self> {
        let settings = directory.join(map::SETTINGS);
        let is_there = settings
            .try_exists()
            .map_err(Error::io(format!("looking at {}", settings.display())))?;
        if !is_there {
            return Err(Error::NothingLoaded {
                path: directory.to_owned(),
            });
        }
        Self::open_checked(directory)
    }

    /// The same for a directory that must hold all maps.
    pub(crate) fn open_checked(directory: &Path) -> Result<Self> {
        check(directory)?;
        Self::from_source(&|name| open(directory, name))
    }

    /// The maps that `source` gives; they must have the shapes of [`SHAPES`].
    pub(crate) fn from_source(source: Source<'_>) -> Result<Self> {
        let counters =
            PerCpuArray::try_from(Map::PerCpuArray(source(map::COUNTERS)?)).map_err(|e| {
                Error::io(format!("opening map {}", map::COUNTERS))(io::Error::other(e))
            })?;
        Ok(Self {
            settings: table(source, map::SETTINGS)?,
            watched_ports: table(source, map::WATCHED_PORTS)?,
            learned_ports: table(source, map::LEARNED_PORTS)?,
            denied_ports: table(source, map::DENIED_PORTS)?,
            interfaces: table(source, map::INTERFACES)?,
            halves: table(source, map::HALVES)?,
            sessions: table(source, map::SESSIONS)?,
            edits: table(source, map::EDITS)?,
            expectations: table(source, map::EXPECTATIONS)?,
            flows: table(source, map::FLOWS)?,
            advertised: table(source, map::ADVERTISED)?,
            sources: table(source, map::SOURCES)?,
            stack_flows: table(source, map::STACK_FLOWS)?,
            encrypted: table(source, map::ENCRYPTED)?,
            sightings: table(source, map::SIGHTINGS)?,
            candidates: table(source, map::CANDIDATES)?,
            counters: Box::new(KernelCounts(counters)),
        })
    }
}

fn table<K: Shared, V: Shared>(source: Source<'_>, name: &'static str) -> Result<AnyTable<K, V>> {
    let data = source(name)?;
    let info = info(&data, name)?;
    // The system calls copy as many bytes as the kernel's map says: with
    // another size they would run over `K` or `V`.
    if info.key_size() as usize != size_of::<K>() || info.value_size() as usize != size_of::<V>() {
        return Err(Error::ObjectLacks(name));
    }
    let max_entries = info.max_entries();
    Ok(Box::new(KernelTable {
        name,
        data,
        max_entries,
        _types: PhantomData,
    }))
}

fn info(data: &MapData, name: &'static str) -> Result<MapInfo> {
    data.info()
        .map_err(|e| Error::io(format!("looking at map {name}"))(io::Error::other(e)))
}

/// Checks every pinned map's shape, and the layout version.
fn check(directory: &Path) -> Result<()> {
    let incompatible = |map, difference| {
        Err(Error::Incompatible {
            path: directory.to_owned(),
            map,
            difference,
        })
    };
    for shape in &SHAPES {
        if !directory.join(shape.name).exists() {
            return incompatible(shape.name, "no file".to_owned());
        }
        let data = open(directory, shape.name)?;
        let info = info(&data, shape.name)?;
        let Ok(kind) = info.map_type() else {
            return incompatible(shape.name, "a type that is not known".to_owned());
        };
        let found = Shape {
            name: shape.name,
            kind,
            key_size: info.key_size(),
            value_size: info.value_size(),
            max_entries: info.max_entries(),
            flags: info.map_flags(),
        };
        if let Some(difference) = shape.difference(&found) {
            return incompatible(shape.name, difference);
        }
    }
    let settings: AnyTable<u32, ftp_nat_common::layout::Settings> =
        table(&|name| open(directory, name), map::SETTINGS)?;
    let version = settings
        .get(&0)?
        .map_or(0, |settings| settings.layout_version);
    if version != LAYOUT_VERSION {
        return incompatible(
            map::SETTINGS,
            format!("layout {version} instead of {LAYOUT_VERSION}"),
        );
    }
    Ok(())
}
