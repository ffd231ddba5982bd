//! The control ports: which connections are taken for FTP.
//!
//! Two bitmaps decide. A bit in `WATCHED_PORTS` makes new connections to the
//! port followed. A bit in `LEARNED_PORTS` only keeps the sessions that exist
//! on a port: it is set by the kernel side for the real port of a server
//! behind DNAT, and here for a port that is no longer watched while sessions
//! still use it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use ftp_nat_common::{
    addr::Port,
    layout::{PICKUP_NS, PORT_WORDS},
    session::{SERVER, Session},
};

use crate::{
    error::Result,
    maps::{Cursor, Maps, Table},
    sys::clock,
};

/// The port that is watched when none is named.
pub const DEFAULT_PORT: u16 = 21;

/// A set of TCP ports, none of them 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(BTreeSet<u16>);

impl PortSet {
    /// The ports in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }

    /// Whether `port` is one of them.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.contains(&port)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<ControlPort> for PortSet {
    fn from_iter<I: IntoIterator<Item = ControlPort>>(ports: I) -> Self {
        Self(ports.into_iter().map(|port| port.0).collect())
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<_> = self.iter().map(|port| port.to_string()).collect();
        f.write_str(
            if ports.is_empty() {
                "none".to_owned()
            } else {
                ports.join(",")
            }
            .as_str(),
        )
    }
}

/// A port as a person names it: 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPort(u16);

impl ControlPort {
    /// [`DEFAULT_PORT`].
    pub const DEFAULT: Self = Self(DEFAULT_PORT);
}

impl FromStr for ControlPort {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        // Wider than a port, so that 70000 is told from something else.
        match text.parse::<u64>() {
            Ok(0) => Err("port 0 can't be connected to: name a port from 1 to 65535".to_owned()),
            Ok(port) => u16::try_from(port)
                .map(Self)
                .map_err(|_| format!("there is no port {port}: the highest is 65535")),
            Err(_) => Err(format!(
                "{text:?} is no port: name a number from 1 to 65535"
            )),
        }
    }
}

/// The word and the bit of a port in a bitmap.
const fn place(port: u16) -> (u32, u64) {
    (port as u32 / 64, 1 << (port % 64))
}

type Bitmap = dyn Table<u32, u64>;

fn word(bitmap: &Bitmap, index: u32) -> Result<u64> {
    Ok(bitmap.get(&index)?.unwrap_or(0))
}

fn set_bit(bitmap: &Bitmap, port: u16) -> Result<()> {
    let (index, bit) = place(port);
    let old = word(bitmap, index)?;
    if old & bit == 0 {
        bitmap.set(&index, &(old | bit))
    } else {
        Ok(())
    }
}

fn clear_bit(bitmap: &Bitmap, port: u16) -> Result<()> {
    let (index, bit) = place(port);
    let old = word(bitmap, index)?;
    if old & bit == 0 {
        Ok(())
    } else {
        bitmap.set(&index, &(old & !bit))
    }
}

fn read(bitmap: &Bitmap) -> Result<PortSet> {
    let mut ports = BTreeSet::new();
    for index in 0..PORT_WORDS {
        let word = word(bitmap, index)?;
        let bits = (0..64).filter(|bit| word & (1 << bit) != 0);
        ports.extend(bits.filter_map(|bit| u16::try_from(index * 64 + bit).ok()));
    }
    Ok(PortSet(ports))
}

/// The watched ports.
pub fn watched(maps: &Maps) -> Result<PortSet> {
    read(maps.watched_ports.as_ref())
}

/// The ports that only existing sessions use.
pub fn learned(maps: &Maps) -> Result<PortSet> {
    read(maps.learned_ports.as_ref())
}

/// Watches `ports` too. For a while, connections to them that are there already
/// are learned, if any of them is new.
pub fn add(maps: &Maps, ports: &PortSet) -> Result<()> {
    let before = watched(maps)?;
    if ports.iter().any(|port| !before.contains(port)) {
        pick_up(maps)?;
    }
    ports
        .iter()
        .try_for_each(|port| set_bit(maps.watched_ports.as_ref(), port))
}

/// Has the connections learned that are there already: those that go on within
/// [`PICKUP_NS`] from now.
pub fn pick_up(maps: &Maps) -> Result<()> {
    let Some(mut settings) = maps.settings.get(&0)? else {
        return Ok(());
    };
    settings.pickup_until_ns = clock::monotonic_ns() + PICKUP_NS;
    maps.settings.set(&0, &settings)
}

/// Watches `ports` no more. Sessions that use them go on.
pub fn remove(maps: &Maps, ports: &PortSet) -> Result<()> {
    // Before the bits go, so that no packet of a session is missed, and again
    // after: a session may have been learned between.
    keep_sessions(maps, ports)?;
    ports
        .iter()
        .try_for_each(|port| clear_bit(maps.watched_ports.as_ref(), port))?;
    keep_sessions(maps, ports)
}

/// Watches `ports` and no others.
pub fn replace(maps: &Maps, ports: &PortSet) -> Result<()> {
    add(maps, ports)?;
    let others: BTreeSet<_> = watched(maps)?
        .iter()
        .filter(|p| !ports.contains(*p))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    remove(maps, &PortSet(others))
}

/// Sets the learned bit of every port in `ports` that a session uses.
///
/// The kernel side sets bits in the same words, and a word is written as a
/// whole: a bit it set between our read and our write would be lost. So every
/// session's ports are looked at again until nothing is missing.
fn keep_sessions(maps: &Maps, ports: &PortSet) -> Result<()> {
    let learned = maps.learned_ports.as_ref();
    loop {
        let mut changed = false;
        let watched = watched(maps)?;
        for port in used_ports(maps)?.difference(&read(learned)?.0) {
            if ports.contains(*port) || !watched.contains(*port) {
                set_bit(learned, *port)?;
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
    }
}

/// The ports by which the packets of sessions are recognised: the server's
/// real port on its side, and the one the client dialled on the other.
fn used_ports(maps: &Maps) -> Result<BTreeSet<u16>> {
    let (mut cursor, mut used) = (Cursor::Start, BTreeSet::new());
    while cursor != Cursor::End {
        let page = maps.sessions.page(&mut cursor, crate::maps::PAGE)?;
        used.extend(
            page.iter()
                .flat_map(|(_, session)| server_ports(session))
                .map(Port::get),
        );
    }
    Ok(used)
}

const fn server_ports(session: &Session) -> [Port; 2] {
    [session.real_port[SERVER], session.seen_port[SERVER]]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn set(ports: &[&str]) -> PortSet {
        ports
            .iter()
            .map(|p| p.parse::<ControlPort>().unwrap())
            .collect()
    }

    #[test]
    fn a_port_that_can_not_be_is_refused_by_what_is_wrong() {
        let error = |text: &str| text.parse::<ControlPort>().unwrap_err();
        assert!(error("0").contains("port 0"));
        assert!(error("65536").contains("no port 65536"));
        assert!(error("70000").contains("65535"));
        assert!(error("ftp").contains("\"ftp\""));
        assert!(error("-1").contains("1 to 65535"));
        assert_eq!("65535".parse(), Ok(ControlPort(65535)));
    }

    #[test]
    fn ports_are_added_listed_and_removed() {
        let maps = Maps::in_memory(&[]);
        add(&maps, &set(&["21", "65535", "64", "63"])).unwrap();
        assert_eq!(watched(&maps).unwrap().to_string(), "21,63,64,65535");
        remove(&maps, &set(&["63", "64"])).unwrap();
        assert_eq!(watched(&maps).unwrap(), set(&["21", "65535"]));
        replace(&maps, &set(&["2121"])).unwrap();
        assert_eq!(watched(&maps).unwrap(), set(&["2121"]));
        assert!(learned(&maps).unwrap().is_empty(), "no session used them");
    }

    #[test]
    fn connections_from_before_are_learned_for_a_while_after_a_port_was_added() {
        let maps = Maps::in_memory(&[]);
        let until = || maps.settings.get(&0).unwrap().unwrap().pickup_until_ns;
        assert_eq!(until(), 0);
        add(&maps, &set(&["21"])).unwrap();
        let first = until();
        let left = first - clock::monotonic_ns();
        assert!(left <= PICKUP_NS && left > PICKUP_NS / 2, "{left} ns");
        // What is watched already gives no more time, what is new does.
        add(&maps, &set(&["21"])).unwrap();
        replace(&maps, &set(&["21"])).unwrap();
        assert_eq!(until(), first);
        replace(&maps, &set(&["21", "2121"])).unwrap();
        assert!(until() > first);
    }

    #[test]
    fn a_removed_port_stays_learned_while_a_session_uses_it() {
        let maps = Maps::in_memory(&[]);
        add(&maps, &set(&["21", "2121"])).unwrap();
        let session = Session {
            real_port: [Port::new(40_000), Port::new(8021)],
            seen_port: [Port::new(50_000), Port::new(2121)],
            ..Session::default()
        };
        maps.sessions.set(&1, &session).unwrap();
        remove(&maps, &set(&["21", "2121"])).unwrap();
        assert!(watched(&maps).unwrap().is_empty());
        // The DNATed server's own port too: its bit may have been overwritten.
        assert_eq!(learned(&maps).unwrap(), set(&["2121", "8021"]));
    }
}
