//! What on this machine gets into ftp-nat's way: looked for at the start, and
//! said. Nothing is changed, and nothing of it keeps `run` from starting.
//!
//! | file | looks for |
//! |---|---|
//! | `nftables` | the kernel's own FTP helper on the same ports, by nftables |
//! | `iptables` | the same, by iptables |
//! | `hooks` | other programs on the same hooks, and who runs first |
//! | `forwarding` | interfaces that don't forward |
//! | `offload` | large receive offload |
//! | `flowtables` | flow tables, and what devices forward by themselves |
//! | `bridge` | bridges whose packets the connection tracker sees before ftp-nat |

mod bridge;
mod flowtables;
mod forwarding;
mod hooks;
mod iptables;
pub(crate) mod nftables;
mod offload;

use std::{collections::BTreeSet, fmt, thread};

pub(crate) use self::hooks::Runner;
use crate::{
    loader::{Report, attach::Hook, interfaces::Selected},
    ports::PortSet,
};

/// What the checks are about.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The interfaces in use.
    pub interfaces: Vec<Selected>,
    /// How the programs are attached.
    pub hook: Hook,
    /// The watched ports.
    pub ports: PortSet,
}

impl Setup {
    /// That of a data path.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        Self {
            interfaces: report.interfaces.clone(),
            hook: report.hook,
            ports: report.ports.clone(),
        }
    }
}

/// Something in the way, or not quite in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is: `forwarding`, `hooks`, `helper`, `offloads` or `bridge`.
    pub about: &'static str,
    /// Nothing, or not all, works because of it. Else it is only to be known.
    pub is_error: bool,
    /// What it is.
    pub what: String,
    /// What mends it: a command where there is one.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.mend.is_empty() {
            write!(f, ": {}", self.mend)?;
        }
        Ok(())
    }
}

/// Looks, and warns of what is found. It is done beside the work: programs are
/// asked that may take their time with many rules.
pub fn look(setup: Setup) {
    let looking = thread::Builder::new().name("conflicts".to_owned());
    let started = looking.spawn(move || {
        for warning in all(&setup) {
            log::warn!("{warning}");
        }
    });
    if let Err(e) = started {
        log::debug!("conflicts can't be looked for: {e}");
    }
}

/// All that is found.
#[must_use]
pub fn all(setup: &Setup) -> Vec<Finding> {
    let mut found = nftables::look(&setup.ports);
    found.extend(iptables::look(&setup.ports));
    found.extend(hooks::look(&setup.interfaces, setup.hook));
    found.extend(forwarding::look(&setup.interfaces));
    found.extend(offload::look(&setup.interfaces));
    found.extend(flowtables::look(&setup.interfaces));
    found.extend(bridge::look(&setup.interfaces));
    found
}

/// What is said of a rule that gives our connections to the kernel's helper.
fn helper(place: &str, ports: Option<&BTreeSet<u16>>) -> Finding {
    let ports = match ports {
        Some(ports) => {
            let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
            format!("port {}", ports.join(","))
        }
        None => "ports that can't be told".to_owned(),
    };
    Finding {
        about: "helper",
        is_error: false,
        what: format!(
            "the kernel's own FTP helper is assigned to {ports} ({place}): ftp-nat leaves it nothing \
             to rewrite, so it is of no use on the same port"
        ),
        mend: "remove the rule".to_owned(),
    }
}
