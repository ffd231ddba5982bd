//! A bad link: a relay that loses, repeats and reorders what passes it.
//!
//! The relay is a namespace of its own, put between a host and the gateway:
//!
//! ```text
//!  host eth0 --- host | gateway --- lan (or wan) of the gateway
//!                  relay
//! ```
//!
//! It copies Ethernet frames between two AF_PACKET sockets and asks a random
//! number with a fixed seed what becomes of each. Frames keep their offload
//! header (`PACKET_VNET_HDR`), so checksums left to the hardware still arrive;
//! segmentation is turned off on both links, so that one frame is one segment.
//! Only TCP is impaired: a lost ARP packet tests nothing but patience.
//!
//! | module | holds |
//! |---|---|
//! | `fate` | what becomes of a frame, and when a held one is let go |
//! | `pump` | the sockets and the loop |

mod fate;
mod pump;

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result, ensure};

pub use fate::Tally;

use super::{
    host::Host,
    link::{self, Offloads},
    topology::{ETH, Lab},
};

/// Which link is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Between the gateway and the host inside.
    Inside,
    /// Between the gateway and the host outside.
    Outside,
}

impl Place {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Inside, Self::Outside];
}

/// What a bad link does to the TCP segments of each direction, each in parts
/// of a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Impairment {
    /// Segments that vanish.
    pub loss: u32,
    /// Segments that arrive twice.
    pub duplication: u32,
    /// Segments that arrive behind one to three later ones, or 10 ms late.
    pub reordering: u32,
    /// Whether SYN segments are treated likewise. A lost one costs a second,
    /// which most tests have no use for.
    pub handshakes: bool,
    /// Where the random numbers begin.
    pub seed: u64,
}

impl Impairment {
    /// A link that loses, repeats and reorders equally often.
    pub fn all(per_mille: u32, seed: u64) -> Self {
        Self {
            loss: per_mille,
            duplication: per_mille,
            reordering: per_mille,
            handshakes: false,
            seed,
        }
    }

    /// A link that only loses.
    pub fn losing(per_mille: u32, seed: u64) -> Self {
        Self {
            loss: per_mille,
            seed,
            ..Self::default()
        }
    }

    /// A link that only repeats.
    pub fn duplicating(per_mille: u32, seed: u64) -> Self {
        Self {
            duplication: per_mille,
            seed,
            ..Self::default()
        }
    }

    /// A link that only reorders.
    pub fn reordering(per_mille: u32, seed: u64) -> Self {
        Self {
            reordering: per_mille,
            seed,
            ..Self::default()
        }
    }
}

/// A bad link at work; it is cut when this is dropped.
#[derive(Debug)]
pub struct Relay {
    stop: Arc<AtomicBool>,
    pump: Option<JoinHandle<Result<Tally>>>,
}

impl Lab {
    /// Makes one of the two links a bad one. The host keeps its addresses and
    /// its default route, the gateway its interface; captures that run at the
    /// host must be begun afterwards.
    pub fn impair(&self, place: Place, impairment: Impairment) -> Result<Relay> {
        let (end, own, gateway_own, interface) = match place {
            Place::Inside => self.inside_link(),
            Place::Outside => self.outside_link(),
        };
        let relay = self.net().host(&format!("relay-{}", end.name()))?;
        relay.sysctl("net.ipv6.conf.default.disable_ipv6", "1")?;
        // The end that leads to the gateway is the old one of the host, so that
        // the gateway's interface stays what it is.
        let netns = relay.netns();
        end.run(&["ip", "link", "set", ETH, "netns", netns, "name", "gateway"])?;
        relay.run(&["ip", "link", "set", "gateway", "up"])?;
        link::join(end, ETH, &relay, "host")?;
        end.address(ETH, &format!("{own}/24"))?;
        end.default_route(gateway_own.into())?;
        for (host, interface) in [
            (end, ETH),
            (&relay, "host"),
            (&relay, "gateway"),
            (&self.gateway, interface),
        ] {
            Offloads::NoSegmentation.set(host, interface)?;
        }
        Relay::start(&relay, impairment)
    }
}

impl Relay {
    fn start(host: &Host, impairment: Impairment) -> Result<Self> {
        let ports: [OwnedFd; 2] =
            host.enter(|| Ok([pump::open("host")?, pump::open("gateway")?]))?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let pump = std::thread::Builder::new()
            .name("bad-link".into())
            .spawn(move || pump::run(&ports, impairment, &flag))?;
        Ok(Self {
            stop,
            pump: Some(pump),
        })
    }

    /// Cuts the link and tells what it did. That it did something of each kind
    /// it was to do is checked: else the test has tested nothing.
    pub fn stop(mut self, impairment: Impairment) -> Result<Tally> {
        self.stop.store(true, Ordering::Release);
        let pump = self.pump.take().context("a relay stops once")?;
        let tally = pump
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        for (what, wanted, done) in [
            ("lost", impairment.loss, tally.lost),
            ("repeated", impairment.duplication, tally.duplicated),
            ("reordered", impairment.reordering, tally.reordered),
        ] {
            ensure!(wanted == 0 || done > 0, "nothing was {what}: {tally:?}");
        }
        Ok(tally)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(pump) = self.pump.take() {
            let _ = pump.join();
        }
    }
}
