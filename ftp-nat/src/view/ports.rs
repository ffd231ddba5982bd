//! `ports list`: the control ports.

use serde::Serialize;

use super::SCHEMA;
use crate::{error::Result, maps::Maps, ports};

/// The output of `ports list`.
#[derive(Clone, Debug, Serialize)]
pub struct Ports {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Watched control ports.
    pub ports: Vec<u16>,
    /// Ports that only sessions use.
    pub learned_ports: Vec<u16>,
}

/// Reads them.
pub fn collect(maps: &Maps) -> Result<Ports> {
    Ok(Ports {
        schema: SCHEMA,
        ports: ports::watched(maps)?.iter().collect(),
        learned_ports: ports::learned(maps)?.iter().collect(),
    })
}
