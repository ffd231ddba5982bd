//! The kernel's own FTP helper, assigned by rules of iptables.

use std::{collections::BTreeSet, process::Command};

use super::Finding;
use crate::ports::PortSet;

/// Asks the programs that there are. Without naming a table they list those that
/// exist, and load none.
pub(super) fn look(watched: &PortSet) -> Vec<Finding> {
    let mut found = Vec::new();
    for program in ["iptables-save", "ip6tables-save"] {
        match Command::new(program).output() {
            Ok(done) => {
                let listing = String::from_utf8_lossy(&done.stdout);
                let name = program.trim_end_matches("-save");
                found.extend(find(&listing, name, watched));
            }
            Err(e) => log::debug!("{program}: {e}"),
        }
    }
    found
}

/// The rules of a listing (iptables-save(8)) that give a watched port, or one
/// that can't be told, to the helper `ftp`.
fn find(listing: &str, program: &str, watched: &PortSet) -> Vec<Finding> {
    const PORTS: [&str; 4] = [
        "--dport",
        "--dports",
        "--destination-port",
        "--destination-ports",
    ];
    let mut table = "";
    let mut found = Vec::new();
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
            continue;
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|w| *w == word)?;
            words.get(at + 1).copied()
        };
        if after("--helper") != Some("ftp") || after("-j") != Some("CT") {
            continue;
        }
        // Ports behind `!` are those that the rule is not about.
        let is_negated = words
            .windows(2)
            .any(|pair| pair[0] == "!" && PORTS.contains(&pair[1]));
        let named = PORTS.iter().find_map(|option| after(option));
        let ports = named
            .filter(|_| !is_negated)
            .map(|ports| ours(ports, watched));
        if ports.as_ref().is_some_and(BTreeSet::is_empty) {
            continue;
        }
        let chain = after("-A").unwrap_or("?");
        let place = format!("{program}, table {table}, chain {chain}");
        found.push(super::helper(&place, ports.as_ref()));
    }
    found
}

/// The watched ports among `21,2000:3000`.
fn ours(ports: &str, watched: &PortSet) -> BTreeSet<u16> {
    let covers = |part: &str, port: u16| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let first = first.parse().unwrap_or(0);
        (first..=last.parse().unwrap_or(u16::MAX)).contains(&port)
    };
    watched
        .iter()
        .filter(|port| ports.split(',').any(|part| covers(part, *port)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: &str) -> Vec<String> {
        let listing = format!("# Generated\n*raw\n:PREROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n");
        let watched = ["21", "2121"].map(|port| port.parse().unwrap());
        find(&listing, "iptables", &watched.into_iter().collect())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_rule_on_a_watched_port_is_named() {
        for (what, ports) in [
            ("-p tcp -m tcp --dport 21", "port 21 "),
            ("-p tcp -m multiport --dports 990,2000:3000", "port 2121 "),
            ("-p tcp -m tcp --dport 20:", "port 21,2121 "),
            ("-s 10.0.0.0/8 -p tcp", "can't be told"),
            ("-p tcp -m tcp ! --dport 22", "can't be told"),
        ] {
            let found = found(&format!("-A PREROUTING {what} -j CT --helper ftp"));
            assert_eq!(found.len(), 1, "{what}");
            let text = &found[0];
            assert!(text.contains(ports), "{what}: {text}");
            let place = "iptables, table raw, chain PREROUTING";
            assert!(text.contains(place), "{text}");
        }
    }

    #[test]
    fn other_rules_are_no_conflict() {
        for rule in [
            "-A PREROUTING -p tcp -m tcp --dport 990 -j CT --helper ftp",
            "-A PREROUTING -p udp -m udp --dport 69 -j CT --helper tftp",
            "-A PREROUTING -p tcp -m tcp --dport 21 -j CT --notrack",
            "-A FORWARD -m helper --helper ftp -j ACCEPT",
        ] {
            assert!(found(rule).is_empty(), "{rule}");
        }
    }
}
