//! Bridges on which packets meet the rules for IP (`br_netfilter`). What comes by
//! one of their ports is tracked, and its destination translated, before the
//! bridge's own hook (`br_nf_pre_routing` of net/bridge/br_netfilter_hooks.c).

use std::fs;

use super::Finding;
use crate::{
    loader::interfaces::Selected,
    sys::links::{self, Device},
};

const CALL: &str = "net.bridge.bridge-nf-call-ip";
const LIBERAL: &str = "net.netfilter.nf_conntrack_tcp_be_liberal";

/// The named bridges whose packets the connection tracker sees first.
pub(super) fn look(interfaces: &[Selected]) -> Vec<Finding> {
    let called: Vec<_> = ["tables", "6tables"]
        .into_iter()
        .filter(|family| is_on(&format!("{CALL}{family}")))
        .collect();
    if called.is_empty() {
        return Vec::new();
    }
    match links::all() {
        Ok(devices) => find(interfaces, &devices, &called, is_on(LIBERAL)),
        Err(e) => {
            log::debug!("{}", e.whole());
            Vec::new()
        }
    }
}

/// Whether a switch of this network namespace is on; off where there is none.
fn is_on(name: &str) -> bool {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).is_ok_and(|value| value.trim() != "0")
}

fn find(
    interfaces: &[Selected],
    devices: &[Device],
    called: &[&str],
    is_liberal: bool,
) -> Vec<Finding> {
    let is_bridge = |index| devices.iter().any(|d| d.index == index && d.is_bridge);
    let bridges = interfaces.iter().filter(|i| is_bridge(i.index));
    let off: Vec<_> = called.iter().map(|f| format!("{CALL}{f}=0")).collect();
    let mut mend = format!("sysctl -w {}", off.join(" "));
    if !is_liberal {
        mend += &format!("; or, where other software needs it, sysctl -w {LIBERAL}=1");
    }
    let finding = |bridge: &Selected| Finding {
        about: "bridge",
        is_error: !is_liberal,
        what: format!(
            "{} is a bridge whose packets the connection tracker sees before ftp-nat does ({CALL}{}): \
             {}hosts on it can't reach each other by a public address",
            bridge.name,
            called[0],
            if is_liberal {
                ""
            } else {
                "sessions stall once an announcement has changed its length, and "
            },
        ),
        mend: mend.clone(),
    };
    bridges.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::interfaces;

    #[test]
    fn a_bridge_is_named_with_what_mends_it() {
        let device = |index, name: &str, is_bridge| Device {
            index,
            name: name.to_owned(),
            link_type: 1,
            is_bridge,
            ..Device::default()
        };
        let devices = [device(2, "eth0", false), device(3, "br0", true)];
        let named: Vec<_> = devices
            .iter()
            .map(|d| interfaces::one(d, true).unwrap())
            .collect();
        let found = find(&named, &devices, &["tables"], false);
        assert_eq!(found.len(), 1);
        assert!(found[0].is_error && found[0].what.starts_with("br0 is a bridge"));
        for mend in [
            "net.bridge.bridge-nf-call-iptables=0",
            "nf_conntrack_tcp_be_liberal=1",
        ] {
            assert!(found[0].mend.contains(mend), "{}", found[0].mend);
        }
        let found = find(&named, &devices, &["tables", "6tables"], true);
        assert!(!found[0].is_error && !found[0].what.contains("stall"));
        assert!(found[0].mend.ends_with("bridge-nf-call-ip6tables=0"));
        assert!(find(&named[..1], &devices, &["tables"], false).is_empty());
    }
}
