//! The named interfaces and what is on them.

use ftp_nat_common::addr::Addr;

use super::{Check, Path, State};
use crate::{
    conflicts::{self, Finding, Setup},
    loader::{
        attach::{self, Hook, Side},
        interfaces::Selected,
    },
    sys::addresses,
};

/// What [`conflicts`] looks for, and what is said where it finds nothing.
const TOPICS: [(&str, &str); 5] = [
    ("forwarding", "on for every interface that has an address"),
    ("hooks", "no other program runs at a wrong place"),
    (
        "helper",
        "the kernel's own FTP helper is not assigned to these ports",
    ),
    ("offloads", "no device merges or forwards packets by itself"),
    (
        "bridge",
        "no interface is a bridge whose packets are tracked before ftp-nat sees them",
    ),
];

pub(super) fn look(path: &Path) -> Vec<Check> {
    let (here, gone): (Vec<_>, Vec<_>) = path.interfaces.iter().partition(|i| i.index != 0);
    let mut checks: Vec<_> = gone.iter().map(|interface| missing(interface)).collect();
    let here: Vec<Selected> = here.into_iter().cloned().collect();
    checks.extend(here.iter().map(addressed));
    let hook = if path.is_loaded {
        let (hook, found) = attached(&here);
        checks.extend(found);
        hook
    } else {
        Hook::Tcx
    };
    let found = conflicts::all(&Setup {
        interfaces: here,
        hook,
        ports: path.ports.clone(),
    });
    for (topic, well) in TOPICS {
        let of_it: Vec<_> = found.iter().filter(|f| f.about == topic).collect();
        if of_it.is_empty() {
            checks.push(Check::ok(topic, well));
        }
        checks.extend(of_it.into_iter().map(told));
    }
    checks
}

fn told(finding: &Finding) -> Check {
    let state = if finding.is_error {
        State::Error
    } else if finding.mend.is_empty() {
        State::Ok
    } else {
        State::Warning
    };
    Check::new(
        finding.about,
        state,
        finding.what.as_str(),
        finding.mend.as_str(),
    )
}

fn missing(interface: &Selected) -> Check {
    let name = &interface.name;
    Check::error(
        "interfaces",
        format!("{name} doesn't exist: it is served when it comes"),
        format!("ip link show {name}"),
    )
}

fn addressed(interface: &Selected) -> Check {
    const WHAT: &str = "interfaces";
    let name = &interface.name;
    let side = if interface.lan { "inside" } else { "outside" };
    let own = addresses::all().unwrap_or_default();
    let own = own.get(name).copied().unwrap_or_default();
    let known = [own.v4, own.v6]
        .into_iter()
        .filter(|a| *a != Addr::UNSPECIFIED);
    let known: Vec<_> = known.map(|addr| addr.to_string()).collect();
    if known.is_empty() {
        return Check::warning(
            WHAT,
            format!(
                "{name} ({side}) has no address: if it is the port of a bridge or a bond, or the \
                 parent of a VLAN, name that instead"
            ),
            format!("ip address show {name}"),
        );
    }
    Check::ok(WHAT, format!("{name} ({side}) has {}", known.join(" and ")))
}

/// How the programs are attached, and where they are missing.
fn attached(interfaces: &[Selected]) -> (Hook, Vec<Check>) {
    const WHAT: &str = "programs";
    let (mut hook, mut checks) = (Hook::Tcx, Vec::new());
    for interface in interfaces {
        for side in Side::BOTH {
            let chain = match attach::chain(interface, side) {
                Ok(chain) => chain,
                Err(e) => {
                    checks.push(Check::warning(WHAT, e.whole(), "sudo ftp-nat doctor"));
                    continue;
                }
            };
            match chain.iter().find(|runner| runner.name == side.program()) {
                Some(own) if own.clsact => hook = Hook::Clsact,
                Some(_) => {}
                None => checks.push(Check::error(
                    WHAT,
                    format!(
                        "{} has no program at {}: its packets are not handled",
                        interface.name,
                        side.name()
                    ),
                    "systemctl restart ftp-nat, or: ftp-nat run with the same options",
                )),
            }
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok(WHAT, format!("on every interface, by {hook}")));
    }
    (hook, checks)
}
