//! A network that several hosts are on: a bridge in a namespace of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use crate::lab::{host::Host, link, net::Net};

const BRIDGE: &str = "bridge";

/// A switch with the hosts that are plugged into it.
#[derive(Debug)]
pub struct Segment {
    name: &'static str,
    inside: bool,
    switch: Host,
    ports: AtomicU32,
}

impl Segment {
    pub(super) fn new(net: &Net, name: &'static str, inside: bool) -> Result<Self> {
        let switch = net.host(&format!("switch-{name}"))?;
        // No snooping: it floods only after a query, and nobody here queries.
        switch.run(&[
            "ip",
            "link",
            "add",
            BRIDGE,
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        ])?;
        switch.run(&["ip", "link", "set", BRIDGE, "up"])?;
        Ok(Self {
            name,
            inside,
            switch,
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
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        link::join(host, interface, &self.switch, &port)?;
        self.switch
            .run(&["ip", "link", "set", &port, "master", BRIDGE])?;
        for address in addresses {
            host.address(interface, address)?;
        }
        Ok(())
    }
}
