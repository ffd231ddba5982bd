//! The configuration file, the data path, and the daemon that tends it.

use ftp_nat_common::layout::{INTERFACE_LAN, Interface, SETTING_STACK, Settings};

use super::{Check, Path, Subject};
use crate::{
    drain,
    error::{Error, Result},
    loader::{Pins, interfaces},
    maps::Maps,
    policy::{DataPath, mark::Mark},
    ports::{self, ControlPort, PortSet},
    sys::links,
};

pub(super) fn configuration(subject: &Subject) -> Check {
    const WHAT: &str = "configuration";
    match &subject.planned {
        None => Check::ok(WHAT, "there is no configuration file"),
        Some((path, Ok(_))) => Check::ok(WHAT, format!("{} can be used", path.display())),
        Some((path, Err(why))) => Check::error(
            WHAT,
            why.as_str(),
            format!("edit it, then: ftp-nat config check {}", path.display()),
        ),
    }
}

/// The data path, or the one that there would be; and how it is.
pub(super) fn data_path(subject: &Subject) -> (Option<Path>, Vec<Check>) {
    const WHAT: &str = "data_path";
    match loaded(subject) {
        Ok((path, checks)) => (Some(path), checks),
        Err(Error::NothingLoaded { path }) => {
            let check = Check::error(
                WHAT,
                format!("nothing is loaded at {}: FTP is not helped", path.display()),
                "systemctl start ftp-nat, or: ftp-nat run --wan IF --lan IF",
            );
            (planned(subject), vec![check])
        }
        Err(e) => {
            let check = Check::error(WHAT, e.whole(), "see the reason");
            (planned(subject), vec![check])
        }
    }
}

fn loaded(subject: &Subject) -> Result<(Path, Vec<Check>)> {
    const WHAT: &str = "data_path";
    crate::sys::privileges::require(crate::sys::privileges::Purpose::Inspect)?;
    let pins = Pins::existing(&subject.pin_path)?;
    let maps = Maps::open_checked(pins.path())?;
    let ports = ports::watched(&maps)?;
    let mut checks = vec![Check::ok(
        WHAT,
        format!(
            "loaded at {}, watching port {ports}, {} sessions",
            pins.path().display(),
            maps.sessions.count()?
        ),
    )];
    if drain::is_on(&maps)? {
        checks.push(Check::error(
            WHAT,
            "`unload` is draining it: nothing new is helped",
            "wait for `ftp-nat unload`, or: ftp-nat run",
        ));
    }
    if ports.is_empty() {
        checks.push(Check::error(
            WHAT,
            "no control port is watched: nothing is taken for FTP",
            "ftp-nat ports add 21",
        ));
    }
    checks.push(daemon(&pins)?);
    let settings = maps.settings.get(&0)?.unwrap_or_default();
    let interfaces = named(&maps.interfaces.all()?);
    Ok((path(interfaces, ports, &settings), checks))
}

fn daemon(pins: &Pins) -> Result<Check> {
    const WHAT: &str = "daemon";
    Ok(match pins.served_by()? {
        Some(Some(pid)) => Check::ok(WHAT, format!("process {pid} tends the data path")),
        Some(None) => Check::ok(
            WHAT,
            "a process of another PID namespace tends the data path",
        ),
        None => Check::warning(
            WHAT,
            "the data path works, and nobody tends it: interfaces that come back stay without \
             programs, and what has expired stays in the tables until they are full",
            "systemctl start ftp-nat, or: ftp-nat run with the same options",
        ),
    })
}

fn path(interfaces: Vec<(String, bool)>, ports: PortSet, settings: &Settings) -> Path {
    let stack = settings.flags & SETTING_STACK != 0;
    Path {
        interfaces: select(&interfaces),
        ports,
        data_path: if stack {
            DataPath::Stack
        } else {
            DataPath::Redirect
        },
        mark: Mark::of(settings.mark, settings.mark_mask),
        is_loaded: true,
    }
}

/// The names in the map, and which are inside; those that moved are left out.
fn named(entries: &[(u32, Interface)]) -> Vec<(String, bool)> {
    let here = entries.iter().filter(|(_, entry)| entry.moved_to == 0);
    here.map(|(_, entry)| {
        let name = entry.name.iter().take_while(|byte| **byte != 0);
        let name: Vec<u8> = name.copied().collect();
        let is_lan = entry.flags & INTERFACE_LAN != 0;
        (String::from_utf8_lossy(&name).into_owned(), is_lan)
    })
    .collect()
}

/// Those that exist; what doesn't is told of by [`super::interfaces`].
fn select(named: &[(String, bool)]) -> Vec<interfaces::Selected> {
    let devices = links::all().unwrap_or_default();
    let one = |(name, is_lan): &(String, bool)| {
        let device = devices.iter().find(|d| d.name == *name);
        let found = device.and_then(|device| interfaces::one(device, *is_lan).ok());
        found.unwrap_or_else(|| interfaces::Selected {
            name: name.clone(),
            index: 0,
            lan: *is_lan,
            l2_len: 0,
            domain: 0,
            vrf: 0,
        })
    };
    named.iter().map(one).collect()
}

/// What the configuration file would make.
fn planned(subject: &Subject) -> Option<Path> {
    let (_, Ok(config)) = subject.planned.as_ref()? else {
        return None;
    };
    let side = |names: &[String], is_lan| {
        let named = names.iter().map(move |name| (name.clone(), is_lan));
        named.collect::<Vec<_>>()
    };
    let named = [side(&config.wan, false), side(&config.lan, true)].concat();
    let default = || PortSet::from_iter([ControlPort::DEFAULT]);
    Some(Path {
        interfaces: select(&named),
        ports: config.ports.clone().unwrap_or_else(default),
        data_path: config.policy.data_path,
        mark: config.policy.mark,
        is_loaded: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_named_by_their_entries() {
        let mut entry = Interface {
            flags: INTERFACE_LAN,
            ..Interface::default()
        };
        entry.name[..3].copy_from_slice(b"lan");
        let moved = Interface {
            moved_to: 4,
            ..entry
        };
        assert_eq!(named(&[(3, moved), (4, entry)]), [("lan".to_owned(), true)]);
    }

    #[test]
    fn without_a_data_path_the_file_says_what_there_would_be() {
        let subject = Subject {
            pin_path: "/nonexistent/pins".into(),
            planned: None,
        };
        assert!(planned(&subject).is_none());
        let (path, checks) = data_path(&subject);
        assert!(path.is_none());
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].state, super::super::State::Error);
    }
}
