//! What the maps say, as a person or a script wants to know it.
//!
//! The types here are the JSON of the commands: their field names are stable
//! and documented in `docs/json.md`, which a test compares with them.

#[cfg(test)]
mod documented;
pub mod ends;
pub mod ports;
pub mod sessions;
pub mod stats;
pub mod translations;

use std::{collections::HashMap, net::SocketAddr};

use ftp_nat_common::{
    addr::{Addr, Domain, Port},
    layout::DOMAIN_OF_VRF,
};

use self::ends::Name;
use crate::{error::Result, sys};

/// Version of the JSON: a field may be added without a change of it; removing
/// a field or changing its meaning raises it.
pub const SCHEMA: u32 = 1;

/// What the views need beside the maps.
pub struct Context {
    /// Now, in ns of the clock that the maps' times are of.
    pub now_ns: u64,
    /// Names of the interfaces.
    pub interfaces: HashMap<u32, Name>,
}

impl Context {
    /// The present.
    pub fn now() -> Result<Self> {
        let interfaces = sys::links::all()?
            .into_iter()
            .map(|d| (d.index, d.name.into()))
            .collect();
        Ok(Self {
            now_ns: sys::clock::monotonic_ns(),
            interfaces,
        })
    }

    /// Milliseconds since `then_ns`. A time that another CPU stamped a moment
    /// after ours was read is no age at all.
    #[must_use]
    pub const fn ms_since(&self, then_ns: u64) -> u64 {
        self.now_ns.saturating_sub(then_ns) / 1_000_000
    }

    /// The name of an interface; one that is gone is named by its number.
    #[must_use]
    pub fn interface(&self, index: u32) -> Option<Name> {
        if index == 0 {
            return None;
        }
        Some(
            self.interfaces
                .get(&index)
                .cloned()
                .unwrap_or_else(|| format!("#{index}").into()),
        )
    }
}

impl Context {
    /// How a network is named: by its VRF, or by the number it was given;
    /// `None` for the one that all are in unless something else is said.
    #[must_use]
    pub fn domain(&self, domain: Domain) -> Option<Name> {
        match domain {
            0 => None,
            d if d & DOMAIN_OF_VRF != 0 => self.interface(d & !DOMAIN_OF_VRF),
            d => Some(d.to_string().into()),
        }
    }
}

/// In JSON `address:port`, with brackets round IPv6.
fn endpoint(addr: Addr, port: Port) -> SocketAddr {
    SocketAddr::new(addr.to_ip(), port.get())
}
