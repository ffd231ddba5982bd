//! A gateway's interfaces, addresses and routes, in a network namespace of
//! their own.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::hosts::{Family, GATEWAY, GATEWAY_INSIDE, SERVER, STRANGER};

/// Gives this thread a network namespace with the gateway's interfaces and
/// routes; it is gone when the thread ends.
pub fn enter_namespace() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace (are you root?)");
    for (interface, gateway) in [("lan", GATEWAY_INSIDE), ("wan", GATEWAY)] {
        let peer = format!("{interface}-peer");
        ip(&[
            "link", "add", interface, "type", "veth", "peer", "name", &peer,
        ]);
        // Nobody there answers, and nobody has to ask.
        ip(&["link", "set", interface, "addrgenmode", "none"]);
        ip(&["link", "set", &peer, "addrgenmode", "none"]);
        for family in [Family::V4, Family::V6] {
            let len = if family == Family::V4 { 24 } else { 64 };
            let address = format!("{}/{len}", gateway.ip(family));
            let mut add = vec!["address", "add", &address, "dev", interface];
            if family == Family::V6 {
                add.push("nodad");
            }
            ip(&add);
        }
        // The address that packets are sent to.
        let mac = crate::packet::GATEWAY_MAC
            .map(|b| format!("{b:02x}"))
            .join(":");
        ip(&["link", "set", interface, "address", &mac]);
        ip(&["link", "set", interface, "up"]);
        ip(&["link", "set", &peer, "up"]);
    }
    for host in [SERVER, STRANGER] {
        for family in [Family::V4, Family::V6] {
            ip(&["route", "add", &host.ip(family).to_string(), "dev", "wan"]);
        }
    }
    for name in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        std::fs::write(format!("/proc/sys/net/{name}"), "1").expect(name);
    }
}

pub fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip");
    assert!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}

pub fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).expect(interface)
}
