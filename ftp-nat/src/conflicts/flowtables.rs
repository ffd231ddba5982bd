//! Flow tables of nftables: what is in one goes past the forward chain, and what
//! the device forwards no program sees.

use std::process::Command;

use super::Finding;
use crate::loader::interfaces::Selected;

const MEND: &str = "keep the control ports out of it: ... tcp dport != 21 flow add @TABLE";

/// The flow tables that have one of the interfaces.
pub(super) fn look(interfaces: &[Selected]) -> Vec<Finding> {
    let names: Vec<_> = interfaces.iter().map(|i| i.name.as_str()).collect();
    match Command::new("nft").args(["list", "flowtables"]).output() {
        Ok(listed) => find(&String::from_utf8_lossy(&listed.stdout), &names),
        Err(e) => {
            log::debug!("nft: {e}");
            Vec::new()
        }
    }
}

fn find(listing: &str, interfaces: &[&str]) -> Vec<Finding> {
    let mut found = Vec::new();
    for table in listing.split("flowtable ").skip(1) {
        let name = table.split_whitespace().next().unwrap_or("?");
        let words: Vec<_> = table
            .split(|c: char| c.is_whitespace() || ",;{}\"".contains(c))
            .collect();
        let ours: Vec<_> = interfaces
            .iter()
            .filter(|i| words.contains(i))
            .copied()
            .collect();
        if ours.is_empty() {
            continue;
        }
        let of = format!("flow table {name} is on {}", ours.join(", "));
        let by_device = words.contains(&"offload");
        found.push(Finding {
            about: "offloads",
            is_error: by_device,
            what: if by_device {
                format!("{of} with hardware offload: what the device forwards, ftp-nat doesn't see")
            } else {
                format!(
                    "{of}: what is in it goes past the forward chain, not past ftp-nat; that was \
                     tried with control connections alone"
                )
            },
            mend: MEND.to_owned(),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_tables_on_our_interfaces_are_told_of() {
        let listing = |flags: &str| {
            format!(
                "table inet f {{\n\tflowtable ft {{\n\t\thook ingress priority filter\n\t\t\
                 devices = {{ wan, lan }}\n{flags}\t}}\n}}\n"
            )
        };
        let errors = |listing: &str, interfaces: &[&str]| -> Vec<_> {
            find(listing, interfaces)
                .iter()
                .map(|finding| finding.is_error)
                .collect()
        };
        assert_eq!(errors(&listing("\t\tflags offload;\n"), &["wan"]), [true]);
        assert_eq!(errors(&listing(""), &["lan", "wan"]), [false]);
        assert!(errors(&listing(""), &["eth0"]).is_empty());
        assert!(errors("", &["wan"]).is_empty());
    }
}
