//! A network that several hosts are on: a bridge in a namespace of its own, or
//! on the gateway itself.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use crate::lab::{host::Host, link, net::Net};

/// The bridge of a switch.
const BRIDGE: &str = "bridge";

/// A switch with the hosts that are plugged into it.
#[derive(Debug)]
pub struct Segment {
    name: &'static str,
    inside: bool,
    switch: Host,
    bridge: &'static str,
    ports: AtomicU32,
}

impl Segment {
    pub(super) fn new(net: &Net, name: &'static str, inside: bool) -> Result<Self> {
        let switch = net.host(&format!("switch-{name}"))?;
        Self::of(switch, BRIDGE, name, inside)
    }

    /// A segment whose switch is the gateway: its interface there is the bridge.
    pub(super) fn on(gateway: &Host, name: &'static str, inside: bool) -> Result<Self> {
        Self::of(gateway.clone(), name, name, inside)
    }

    fn of(switch: Host, bridge: &'static str, name: &'static str, inside: bool) -> Result<Self> {
        // No snooping: it floods only after a query, and nobody here queries.
        switch.run(&[
            "ip",
            "link",
            "add",
            bridge,
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        ])?;
        switch.run(&["ip", "link", "set", bridge, "up"])?;
        Ok(Self {
            name,
            inside,
            switch,
            bridge,
            ports: AtomicU32::new(0),
        })
    }

    /// Its name, which is that of the gateway's interface too.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is named `--lan`.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Plugs an interface of a host in.
    pub fn plug(&self, host: &Host, interface: &str, addresses: &[&str]) -> Result<()> {
        let n = self.ports.fetch_add(1, Ordering::Relaxed);
        let port = format!(
            "{}{n}",
            if self.bridge == BRIDGE {
                "port"
            } else {
                "veth"
            }
        );
        link::join(host, interface, &self.switch, &port)?;
        self.switch
            .run(&["ip", "link", "set", &port, "master", self.bridge])?;
        for address in addresses {
            host.address(interface, address)?;
        }
        Ok(())
    }
}
