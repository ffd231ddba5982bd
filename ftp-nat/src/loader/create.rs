//! New maps with programs on them, or new programs on pinned maps.

use ftp_nat_common::layout::map;

use super::{
    Config,
    interfaces::Selected,
    object::Object,
    pins::Pins,
    settings,
    undo::{Step, Undo},
};
use crate::{
    error::{Error, Result},
    maps::Maps,
    policy::sizes::Sizes,
};

/// Loads new maps and pins them.
pub(super) fn load(
    pins: &Pins,
    selected: &[Selected],
    config: &Config,
    undo: &mut Undo,
) -> Result<(Maps, Vec<Object>)> {
    // What a start left that was killed before SETTINGS was pinned.
    pins.remove_maps()?;
    pins.remove_stages()?;
    pins.create_links_directory()?;
    let lengths = header_lengths(selected);
    let Some((first, rest)) = lengths.split_first() else {
        return Err(Error::NoInterface);
    };
    let sizes = config.sizes.or_default();
    let object = Object::load(*first, None, &sizes, config.log_level)?;
    let maps = Maps::from_source(&|name| object.map(name))?;
    maps.settings.set(&0, &settings(config, selected, None))?;
    for name in map::PINNED.iter().rev() {
        let path = pins.map(name);
        object.map(name)?.pin(&path).map_err(|e| {
            Error::io(format!("pinning {}", path.display()))(std::io::Error::other(e))
        })?;
        undo.push(Step::Pinned(path));
    }
    let mut objects = vec![object];
    for length in rest {
        let level = config.log_level;
        objects.push(Object::load(*length, Some(pins.path()), &sizes, level)?);
    }
    Ok((maps, objects))
}

/// Loads new programs on the pinned maps, once these are known to fit.
pub(super) fn adopt(
    pins: &Pins,
    selected: &[Selected],
    config: &Config,
) -> Result<(Maps, Vec<Object>)> {
    let maps = Maps::open_checked(pins.path())?;
    let sizes = Sizes::of(&maps);
    if let Some((option, wanted, found)) = config.sizes.conflict(&sizes) {
        return Err(Error::OtherSize {
            path: pins.path().to_owned(),
            option,
            wanted,
            found,
        });
    }
    pins.create_links_directory()?;
    let load = |length| Object::load(length, Some(pins.path()), &sizes, config.log_level);
    Ok((
        maps,
        header_lengths(selected)
            .into_iter()
            .map(load)
            .collect::<Result<_>>()?,
    ))
}

fn header_lengths(selected: &[Selected]) -> Vec<u32> {
    let mut lengths: Vec<_> = selected.iter().map(|s| s.l2_len).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}
