//! What is on an interface's hooks, by asking the kernel and not those who put
//! it there: `bpftool net` of Debian 12 doesn't know TCX.

use anyhow::{Context as _, Result};
use aya::programs::{SchedClassifier, TcAttachType};

use super::host::Host;

/// The programs on an interface, at TCX by their names (the kernel keeps 15
/// bytes of them), at clsact as `tc` shows its filters.
pub fn programs(host: &Host, interface: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for hook in [TcAttachType::Ingress, TcAttachType::Egress] {
        let (_, programs) = host
            .enter(|| Ok(SchedClassifier::query_tcx(interface, hook)?))
            .with_context(|| format!("asking for TCX programs on {interface}"))?;
        found.extend(programs.iter().map(|program| {
            program
                .name_as_str()
                .map_or_else(|| format!("#{}", program.id()), str::to_owned)
        }));
    }
    for hook in ["ingress", "egress"] {
        let filters = host.run(&["tc", "filter", "show", "dev", interface, hook])?;
        found.extend(filters.lines().map(str::to_owned));
    }
    Ok(found)
}
