//! Where this machine would have sent a connection on to, had nothing dropped it.

use std::fs;

use super::{Dial, Stage};
use crate::{
    explain::Surroundings,
    sys::{
        links,
        routes::{self, Route},
    },
};

/// Why a connection may not have left by a named interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It can't be told.
    Unknown,
    /// By this named interface: a firewall dropped it.
    Named(String),
    /// By this interface, which isn't named.
    NotNamed(String),
    /// It is for this machine itself.
    Local,
    /// There is none.
    NoRoute,
    /// The way back to the client is by another interface, and the kernel is strict.
    ReversePath,
    /// The interface that it came in by doesn't forward; what says so.
    ForwardingOff(String),
}

/// Looks for the way of a connection that was not forwarded.
pub fn look(dial: &mut Dial, around: &Surroundings) {
    if let Stage::NotForwarded(way) = &mut dial.stage {
        let came_by = (dial.came_by, around.interface(dial.came_by));
        let family = if dial.server.is_ipv4() {
            "ipv4"
        } else {
            "ipv6"
        };
        let path = format!("/proc/sys/net/{family}/conf/{}/forwarding", came_by.1);
        let found = routes::of_forwarded(dial.client.ip(), dial.server.ip(), came_by.0);
        let forwards = fs::read_to_string(&path).map_or(true, |value| value.trim() != "0");
        *way = match found {
            Ok(Route::Local) => Way::Local,
            _ if !forwards => Way::ForwardingOff(path),
            Ok(Route::By(index)) => by(index, around),
            Ok(Route::Nowhere) => Way::NoRoute,
            Err(e) => match e.raw_os_error() {
                // Linux says EXDEV of a source that its reverse path filter drops, or EINVAL (seen with 6.18).
                Some(libc::EXDEV | libc::EINVAL) => Way::ReversePath,
                Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => Way::NoRoute,
                _ => Way::Unknown,
            },
        };
    }
}

fn by(index: u32, around: &Surroundings) -> Way {
    if around.interfaces.iter().any(|(known, _)| *known == index) {
        return Way::Named(around.interface(index));
    }
    let devices = links::all().unwrap_or_default();
    let name = devices.into_iter().find(|device| device.index == index);
    name.map_or(Way::Unknown, |device| Way::NotNamed(device.name))
}
