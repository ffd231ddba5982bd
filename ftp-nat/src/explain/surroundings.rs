//! What verdicts depend on besides what happened.

use std::net::SocketAddr;

use ftp_nat_common::layout::{INTERFACE_LAN, Interface};

use super::dials::Dial;
use crate::{error::Result, maps::Maps, ports, view::translations::Translation};

/// What is set up, and what else goes on.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The watched ports.
    pub ports: Vec<u16>,
    /// The outside interfaces.
    pub wan: Vec<String>,
    /// The inside interfaces.
    pub lan: Vec<String>,
    /// The ports that clients of encrypted sessions may reach at their servers, first
    /// and last.
    pub encrypted: Option<(u16, u16)>,
    /// Servers that the client in question talks to by ports that aren't watched.
    pub elsewhere: Vec<SocketAddr>,
    /// Open data connections by which nothing came for a while.
    pub silent: Vec<Silent>,
    /// A control connection that was dialled and didn't come about.
    pub dial: Option<Dial>,
    /// What in the rules of this machine's firewall may have stopped it: what was
    /// found, and what mends it.
    pub blocks: Vec<[String; 2]>,
    /// The named interfaces, by their indices.
    pub interfaces: Vec<(u32, String)>,
}

/// An open data connection by which nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent {
    /// The end that announced it.
    pub announcer: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// For so long.
    pub seconds: u64,
    /// Bytes of IP packets from the announcer, and to it.
    pub bytes: [u64; 2],
}

/// A data connection is told of as silent after so many milliseconds.
const SILENT_MS: u64 = 5_000;

impl Silent {
    /// Those that are silent among the open ones.
    #[must_use]
    pub fn of(open: &[Translation]) -> Vec<Self> {
        let silent = open.iter().filter_map(|one| {
            let idle = one.idle_ms.filter(|idle| *idle >= SILENT_MS)?;
            (one.state == "connecting" || one.state == "established").then_some(())?;
            Some(Self {
                announcer: one.announced,
                peer: SocketAddr::new(one.peer.ip, one.peer.port?),
                seconds: idle / 1_000,
                bytes: [one.bytes_from_announcer, one.bytes_to_announcer],
            })
        });
        silent.collect()
    }
}

impl Surroundings {
    /// What the maps say of them.
    pub fn of(maps: &Maps) -> Result<Self> {
        let mut interfaces = maps.interfaces.all()?;
        interfaces.sort_by_key(|(index, _)| *index);
        let side = |lan: bool| {
            interfaces
                .iter()
                .filter(|(_, entry)| {
                    (entry.flags & INTERFACE_LAN != 0) == lan && entry.moved_to == 0
                })
                .map(|(_, entry)| name(entry))
                .collect()
        };
        let declared = maps.settings.get(&0)?;
        let declared = declared.map(|s| (s.encrypted_first, s.encrypted_last));
        Ok(Self {
            encrypted: declared.filter(|(first, _)| *first != 0),
            ports: ports::watched(maps)?.iter().collect(),
            wan: side(false),
            lan: side(true),
            elsewhere: Vec::new(),
            silent: Vec::new(),
            dial: None,
            blocks: Vec::new(),
            interfaces: interfaces.iter().map(|(i, e)| (*i, name(e))).collect(),
        })
    }

    /// The name of a named interface.
    #[must_use]
    pub fn interface(&self, index: u32) -> String {
        let found = self.interfaces.iter().find(|(known, _)| *known == index);
        found.map_or_else(|| format!("#{index}"), |(_, name)| name.clone())
    }
}

/// An interface's name.
fn name(entry: &Interface) -> String {
    let end = entry.name.iter().position(|b| *b == 0);
    let end = end.unwrap_or(entry.name.len());
    String::from_utf8_lossy(&entry.name[..end]).into_owned()
}
