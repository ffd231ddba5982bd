//! From nothing to packets being handled, and back.
//!
//! | file | behaviour |
//! |---|---|
//! | [`interfaces`] | which interfaces were named, which go together |
//! | `create` | new maps with programs on them, or programs on pinned maps |
//! | `object` | the eBPF object, verified, on new or on pinned maps |
//! | `pins` | the pin path and its lock |
//! | [`attach`] | the attach policy |
//! | `stages` | the programs, for them to call each other |
//! | `follow` | interfaces that go and come back |
//! | `reload` | another configuration for a data path that runs |
//! | `undo` | a start that fails leaves everything as it was |
//! | [`unload`] | removes everything |

pub mod attach;
mod create;
mod follow;
pub mod interfaces;
mod object;
mod pins;
mod reload;
mod stages;
mod undo;
pub mod unload;

use std::{path::PathBuf, rc::Rc};

use ftp_nat_common::layout::{Interface, SETTING_ADVERTISE, SETTING_DOMAINS, Settings};
use log::LevelFilter;

pub use self::object::OBJECT;
use self::{
    attach::{Hook, PinnedLink},
    interfaces::{NamedDomain, Selected},
    pins::{Content, Lock},
    undo::{Step, Undo},
};
pub(crate) use self::{object::Object, pins::Pins};
pub use crate::policy::default_settings;
use crate::{
    advertise::{self, Advertised},
    drain,
    error::{Error, Result},
    maps::Maps,
    policy::{Policy, sizes::WantedSizes},
    ports::{self, ControlPort, PortSet},
    sys::{
        links,
        privileges::{self, Purpose},
    },
};

/// Where pins are if nothing else is said.
pub const DEFAULT_PIN_PATH: &str = "/sys/fs/bpf/ftp-nat";

/// What to load, and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// Outside interfaces.
    pub wan: Vec<String>,
    /// Inside interfaces.
    pub lan: Vec<String>,
    /// The networks that interfaces are in, where these overlap.
    pub domains: Vec<NamedDomain>,
    /// The control ports to watch. `None`: those already watched when a data
    /// path is adopted, 21 otherwise.
    pub ports: Option<PortSet>,
    /// The addresses that are announced as others.
    pub advertise: Vec<Advertised>,
    /// Where maps and links are pinned.
    pub pin_path: PathBuf,
    /// How to attach. `None`: the best that the kernel has.
    pub hook: Option<Hook>,
    /// The most detailed messages wanted from the kernel side.
    pub log_level: LevelFilter,
    /// What the data path may do.
    pub policy: Policy,
    /// Room in the tables. Those of a data path that is adopted stay as they are.
    pub sizes: WantedSizes,
}

/// A data path that handles packets.
pub struct Loaded {
    /// Its maps.
    pub maps: Rc<Maps>,
    /// What was done.
    pub report: Report,
    pub(crate) objects: Vec<Object>,
    pins: Pins,
    lock: Lock,
    /// What was last said about each interface.
    states: Vec<follow::State>,
    log_level: LevelFilter,
    /// The networks that were named.
    domains: Vec<interfaces::NamedDomain>,
}

/// What a start did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The interfaces.
    pub interfaces: Vec<Selected>,
    /// How the programs are attached.
    pub hook: Hook,
    /// The watched ports.
    pub ports: PortSet,
    /// The sessions that were there already; `None` if all is new.
    pub adopted: Option<u64>,
}

/// The settings that were asked for, and for these interfaces, given the former.
fn settings(config: &Config, selected: &[Selected], former: Option<&Settings>) -> Settings {
    let mut settings = config.policy.settings(former);
    if !config.advertise.is_empty() {
        settings.flags |= SETTING_ADVERTISE;
    }
    if interfaces::has_domains(selected) {
        settings.flags |= SETTING_DOMAINS;
    }
    settings
}

/// Loads and attaches, or adopts what is pinned. If anything fails, all is as
/// it was before.
pub fn start(config: &Config) -> Result<Loaded> {
    privileges::require(Purpose::Manage)?;
    let place = Place::of(config)?;
    let mut undo = Undo::default();
    let pins = Pins::create(&config.pin_path)?;
    let lock = pins
        .lock()?
        .map_err(|holder| holder.error(pins.path(), ""))?;
    if pins.content()? == Content::Nothing {
        undo.push(Step::Directories(pins.clone()));
    }
    let Up {
        maps,
        objects,
        report,
        stale,
        devices,
    } = bring_up(config, place, &pins, undo)?;
    let former = maps.interfaces.all()?;
    let loaded = Loaded {
        maps,
        states: vec![follow::State::Served; report.interfaces.len()],
        report,
        objects,
        pins,
        lock,
        log_level: config.log_level,
        domains: config.domains.clone(),
    };
    loaded.release_others(stale, &former, &devices);
    Ok(loaded)
}

/// What a configuration comes to on this machine.
struct Place {
    devices: Vec<links::Device>,
    selected: Vec<Selected>,
    hook: Hook,
}

impl Place {
    fn of(config: &Config) -> Result<Self> {
        let kernel = privileges::kernel()?;
        let devices = links::all()?;
        let mut selected = interfaces::select(&config.wan, &config.lan, &devices)?;
        interfaces::assign(&mut selected, &config.domains, &devices)?;
        let hook = Hook::choose(config.hook, kernel)?;
        Ok(Self {
            devices,
            selected,
            hook,
        })
    }
}

/// A data path that handles packets, before it is kept.
struct Up {
    maps: Rc<Maps>,
    objects: Vec<Object>,
    report: Report,
    /// Links of interfaces that aren't named.
    stale: Vec<PinnedLink>,
    devices: Vec<links::Device>,
}

/// Loads what `config` says on the maps that are pinned, or on new ones, and
/// puts it where it belongs. If anything fails, all is as it was before.
fn bring_up(config: &Config, place: Place, pins: &Pins, mut undo: Undo) -> Result<Up> {
    let Place {
        devices,
        selected,
        hook,
    } = place;
    let content = pins.content()?;
    let (maps, mut objects) = match content {
        Content::Loaded | Content::Damaged => create::adopt(pins, &selected, config)?,
        Content::Nothing => create::load(pins, &selected, config, &mut undo)?,
    };
    for object in &mut objects {
        stages::enter(object, pins, &mut undo)?;
    }
    let maps = Rc::new(maps);
    let adopted = match content {
        Content::Loaded => Some(maps.sessions.count()?),
        _ => None,
    };

    let mut links = live_links(attach::pinned_links(pins)?)?;
    attach::check_owners(&links, &selected, &devices, pins)?;
    let former = maps.interfaces.all()?;

    // New interfaces first: they are what can fail. Links that exist get their
    // new programs when nothing else is left to do.
    let is_new = |s: &Selected| !former.iter().any(|(index, _)| *index == s.index);
    let (new, old): (Vec<_>, Vec<_>) = selected.iter().partition(|s| is_new(s));
    let has_new = !new.is_empty();
    let entries = interfaces::entries(&selected)?;
    for interface in new.into_iter().chain(old) {
        let before = former
            .iter()
            .find(|(index, _)| *index == interface.index)
            .map(|(_, e)| *e);
        undo.push(Step::Interface(Rc::clone(&maps), interface.index, before));
        if let Some((index, entry)) = entries.iter().find(|(index, _)| *index == interface.index) {
            maps.interfaces.set(index, entry)?;
        }
        let object = objects
            .iter_mut()
            .find(|object| object.l2_len == interface.l2_len)
            .ok_or(Error::ObjectLacks("program for this link layer"))?;
        attach::attach(object, interface, hook, &mut links, pins, &mut undo)?;
    }
    let ports = settle(&maps, pins, config, &selected, adopted.is_some())?;
    if has_new {
        // Connections by them were not seen so far.
        let _lock = pins.lock_ports()?;
        ports::pick_up(&maps)?;
    }
    undo.keep();
    for (old, new) in follow::moved::by_name(&former, &selected) {
        let count = follow::moved::follow(&maps, old, new)?;
        log::info!("interface {new} was {old} before: {count} data connections follow");
    }
    let report = Report {
        interfaces: selected,
        hook,
        ports,
        adopted,
    };
    Ok(Up {
        maps,
        objects,
        report,
        stale: links,
        devices,
    })
}

/// Drops the links of interfaces that are gone, so that their file names are free.
fn live_links(links: Vec<PinnedLink>) -> Result<Vec<PinnedLink>> {
    let (live, dead): (Vec<_>, Vec<_>) = links.into_iter().partition(|l| l.place.is_some());
    dead.into_iter().try_for_each(PinnedLink::detach)?;
    Ok(live)
}

impl Loaded {
    /// Tells the kernel side the interfaces' present addresses.
    pub fn refresh_addresses(&self) -> Result<()> {
        for (at, (index, entry)) in interfaces::entries(&self.report.interfaces)?
            .into_iter()
            .enumerate()
        {
            // One that is gone keeps its last addresses.
            if self.states[at] == follow::State::Served
                && self.maps.interfaces.get(&index)? != Some(entry)
            {
                self.maps.interfaces.set(&index, &entry)?;
            }
        }
        Ok(())
    }

    /// Takes the programs off interfaces that are no longer named, and lets go
    /// those that new ones took the place of. The data path is complete by now,
    /// so a failure here is only worth a warning.
    fn release_others(
        &self,
        links: Vec<PinnedLink>,
        former: &[(u32, Interface)],
        devices: &[links::Device],
    ) {
        for link in links {
            if let Err(e) = link.detach() {
                log::warn!("{}", e.whole());
            }
        }
        let named = |index: u32| self.report.interfaces.iter().any(|s| s.index == index);
        let released =
            |(index, entry): &&(u32, Interface)| !named(*index) && !named(entry.moved_to);
        for (index, _) in former.iter().filter(released) {
            if let Some(device) = devices.iter().find(|d| d.index == *index) {
                log::info!("{} is no longer named: detached", device.name);
                for side in attach::Side::BOTH {
                    attach::remove_filter(&device.name, side);
                }
            }
            if let Err(e) = self.maps.interfaces.take(index) {
                log::warn!("{}", e.whole());
            }
        }
        if let Err(e) = stages::remove_others(&self.pins, &self.objects) {
            log::warn!("{}", e.whole());
        }
    }

    /// Removes everything.
    pub fn unload(self) -> Result<unload::Unloaded> {
        drop(self.objects);
        unload::remove(&self.pins, self.lock)
    }
}

/// Writes settings and ports. The ports are last: without any, nothing is helped.
fn settle(
    maps: &Maps,
    pins: &Pins,
    config: &Config,
    selected: &[Selected],
    adopted: bool,
) -> Result<PortSet> {
    let _lock = pins.lock_ports()?;
    let former = maps.settings.get(&0)?;
    let was_draining = drain::is_on(maps)?;
    if was_draining {
        log::info!("the data path was being drained: new connections are helped again");
    }
    advertise::replace(maps, &config.advertise)?;
    let settings = settings(config, selected, former.as_ref());
    maps.settings.set(&0, &settings)?;
    config.policy.denied.write(maps)?;
    match &config.ports {
        Some(wanted) => ports::replace(maps, wanted)?,
        None if adopted => {}
        None => ports::add(maps, &PortSet::from_iter([ControlPort::DEFAULT]))?,
    }
    if was_draining {
        // Those that began meanwhile.
        ports::pick_up(maps)?;
    }
    ports::watched(maps)
}
