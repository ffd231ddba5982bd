//! The eBPF object: loaded once per kind of link header, all on the same maps.

use std::path::{Path, PathBuf};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::{ProgramError, SchedClassifier},
};
use ftp_nat_common::layout::{global, map, stage};
use log::LevelFilter;

use crate::{
    error::{Error, Result},
    maps::shape::SHAPES,
    policy::sizes::Sizes,
};

/// The object that ships: committed, so that no eBPF toolchain is needed here.
pub static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/object/ftp-nat.bpf.o"));

/// A loaded object whose programs passed the verifier.
pub(crate) struct Object {
    ebpf: Ebpf,
    /// The length of link header that its programs step over.
    pub(super) l2_len: u32,
    /// Where its program array is pinned, once it is.
    pub(super) stages: Option<PathBuf>,
}

impl Object {
    /// Loads the object. Its maps are those pinned under `pinned`, or new ones
    /// that aren't pinned yet.
    pub(super) fn load(
        l2_len: u32,
        pinned: Option<&Path>,
        sizes: &Sizes,
        level: LevelFilter,
    ) -> Result<Self> {
        // The kernel side checks the level before it builds a record, so that
        // a level nobody reads costs nothing.
        let level = level as u8;
        let paths = SHAPES.map(|shape| pinned.map(|directory| directory.join(shape.name)));
        let mut loader = EbpfLoader::new();
        loader
            .override_global(global::L2_LEN, &l2_len, true)
            .override_global(aya_log::LEVEL, &level, false);
        for (shape, path) in SHAPES.iter().zip(&paths) {
            let entries = sizes.entries(shape.name).unwrap_or(shape.max_entries);
            loader.map_max_entries(shape.name, entries);
            if let Some(path) = path {
                loader.map_pin_path(shape.name, path.as_path());
            }
        }
        let mut object = Self {
            ebpf: loader.load(OBJECT)?,
            l2_len,
            stages: None,
        };
        for name in stage::NAMES {
            load(object.program(name)?).map_err(|source| Error::Program {
                what: format!("the kernel refused program {name}"),
                source: Box::new(source),
            })?;
        }
        Ok(object)
    }

    /// A program by its name.
    pub(super) fn program(&mut self, name: &'static str) -> Result<&mut SchedClassifier> {
        self.ebpf
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .ok_or(Error::ObjectLacks(name))
    }

    /// A second handle of a map.
    pub(crate) fn map(&self, name: &'static str) -> Result<MapData> {
        let what = || Error::io(format!("opening map {name}"));
        let map = self
            .ebpf
            .map(name)
            .and_then(data)
            .ok_or(Error::ObjectLacks(name))?;
        let fd = std::os::fd::AsFd::as_fd(map.fd())
            .try_clone_to_owned()
            .map_err(what())?;
        MapData::from_fd(fd).map_err(|e| what()(std::io::Error::other(e)))
    }

    /// The kernel side's log, if the object writes one.
    pub(crate) fn logger(&mut self) -> Option<aya_log::EbpfLogger<&'static dyn log::Log>> {
        self.ebpf.map(map::LOG)?;
        aya_log::EbpfLogger::init(&mut self.ebpf)
            .inspect_err(|e| log::warn!("messages of the kernel side will be missing: {e}"))
            .ok()
    }
}

fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::ProgramArray(data)
        | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}

/// How often a load is tried again.
const LOAD_RETRIES: u32 = 20;

/// Loads a program. The kernel gives up with EAGAIN where a signal is pending
/// during the check (`bpf_check` in kernel/bpf/verifier.c): then again.
fn load(program: &mut SchedClassifier) -> std::result::Result<(), ProgramError> {
    for _ in 0..LOAD_RETRIES {
        match program.load() {
            Err(ProgramError::LoadError { io_error, .. })
                if io_error.kind() == std::io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
    program.load()
}

#[cfg(test)]
mod tests {
    use aya::maps::MapType;
    use aya_obj::{ProgramSection, maps::Map};

    use super::*;

    fn parsed() -> aya_obj::Object {
        aya_obj::Object::parse(OBJECT).unwrap()
    }

    #[test]
    fn the_shipped_object_has_the_maps_that_the_loader_expects() {
        let object = parsed();
        for shape in &SHAPES {
            let map: &Map = object.maps.get(shape.name).expect(shape.name);
            assert_eq!(map.map_type(), number(shape.kind), "{}: type", shape.name);
            assert_eq!(map.key_size(), shape.key_size, "{}: key", shape.name);
            assert_eq!(map.value_size(), shape.value_size, "{}: value", shape.name);
            assert_eq!(map.map_flags(), shape.flags, "{}: flags", shape.name);
        }
    }

    #[test]
    fn the_shipped_object_has_the_programs_that_call_each_other() {
        let object = parsed();
        assert_eq!(object.programs.len(), stage::NAMES.len());
        for name in stage::NAMES {
            let program = object.programs.get(name).expect(name);
            assert!(matches!(program.section, ProgramSection::SchedClassifier));
        }
        let array = object.maps.get(map::STAGES).unwrap();
        assert_eq!(array.map_type(), number(MapType::ProgramArray));
        assert_eq!(array.max_entries() as usize, stage::NAMES.len());
    }

    /// `BPF_MAP_TYPE_*`.
    fn number(kind: MapType) -> u32 {
        match kind {
            MapType::Hash => 1,
            MapType::Array => 2,
            MapType::ProgramArray => 3,
            MapType::PerCpuArray => 6,
            MapType::LruHash => 9,
            MapType::RingBuf => 27,
            other => panic!("{other:?} is in no shape"),
        }
    }
}
