//! Rules that control and data connections meet.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use super::{
    Check, Path,
    chain::{Accepts, Dropping, dropping},
};
use crate::{
    conflicts::nftables,
    policy::{DataPath, mark::Mark},
    ports::PortSet,
};

const WHAT: &str = "firewall";

pub(super) fn look(path: &Path) -> Vec<Check> {
    let mut checks = match nftables::ruleset() {
        Ok(ruleset) => by_nftables(&ruleset, path),
        Err(why) => vec![Check::warning(
            WHAT,
            format!("the rules of nftables can't be read: {why}"),
            "apt-get install nftables, or look yourself: does the forward chain accept new \
             connections to the control ports?",
        )],
    };
    checks.extend(by_iptables(path));
    if checks.is_empty() {
        checks.push(Check::ok(
            WHAT,
            "no chain drops by its policy what control and data connections need",
        ));
    }
    checks
}

fn by_nftables(ruleset: &Value, path: &Path) -> Vec<Check> {
    let objects = ruleset["nftables"].as_array();
    let objects: Vec<_> = objects.into_iter().flatten().collect();
    let mut checks = Vec::new();
    for chain in dropping(&objects, "forward") {
        checks.push(control(&chain, &path.ports));
        if path.data_path == DataPath::Stack {
            checks.push(marked(
                &chain,
                path.mark,
                "data connections (--data-path stack)",
            ));
        }
    }
    if serves_itself(&path.ports) {
        for chain in dropping(&objects, "input") {
            checks.push(marked(
                &chain,
                path.mark,
                "data connections to this machine itself",
            ));
        }
    }
    checks
}

fn control(chain: &Dropping<'_>, ports: &PortSet) -> Check {
    let place = chain.place();
    match chain.accepts_new(ports) {
        Accepts::Yes => Check::ok(
            WHAT,
            format!(
                "chain {place} drops by its policy, and a rule may accept port {ports}; on which \
                     conditions is not looked at"
            ),
        ),
        Accepts::CantBeTold => Check::warning(
            WHAT,
            format!(
                "chain {place} drops by its policy, and whether a rule accepts port {ports} can't \
                     be told: it has maps, sets or other programs' rules"
            ),
            format!("nft list chain {place}"),
        ),
        Accepts::No => Check::error(
            WHAT,
            format!(
                "chain {place} drops what no rule accepts, and none accepts a new connection to \
                     port {ports}"
            ),
            format!("nft add rule {place} tcp dport {{ {ports} }} accept"),
        ),
    }
}

fn marked(chain: &Dropping<'_>, mark: Mark, of: &str) -> Check {
    let place = chain.place();
    match chain.accepts_mark() {
        Accepts::Yes => Check::ok(
            WHAT,
            format!("chain {place} has a rule for marks; {of} have {mark}"),
        ),
        _ => Check::error(
            WHAT,
            format!("chain {place} drops by its policy, and no rule accepts the mark of {of}"),
            format!(
                "nft insert rule {place} meta mark and {:#x} == {:#x} ct state new accept",
                mark.mask(),
                mark.value()
            ),
        ),
    }
}

/// Whether something listens at a control port on this machine.
fn serves_itself(ports: &PortSet) -> bool {
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .any(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            listening(&text).iter().any(|port| ports.contains(*port))
        })
}

/// The ports with a listener in a table as proc(5) has it.
fn listening(table: &str) -> BTreeSet<u16> {
    const LISTEN: &str = "0A";
    let rows = table.lines().skip(1);
    rows.filter_map(|row| {
        let words: Vec<_> = row.split_whitespace().collect();
        let (local, state) = (words.get(1)?, words.get(3)?);
        let (_, port) = local.rsplit_once(':')?;
        (*state == LISTEN).then(|| u16::from_str_radix(port, 16).ok())?
    })
    .collect()
}

fn by_iptables(path: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    for program in ["iptables", "ip6tables"] {
        let Ok(listed) = Command::new(format!("{program}-save")).output() else {
            continue;
        };
        let listing = String::from_utf8_lossy(&listed.stdout);
        checks.extend(judge_iptables(&listing, program, &path.ports));
    }
    checks
}

/// A forward chain of iptables-save(8) that drops by its policy.
fn judge_iptables(listing: &str, program: &str, ports: &PortSet) -> Option<Check> {
    let filter = listing
        .split("\n*")
        .find(|t| t.trim_start_matches('*').starts_with("filter"))?;
    if !filter.lines().any(|line| line.starts_with(":FORWARD DROP")) {
        return None;
    }
    let accepts = filter.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|w| *w == word)?;
            words.get(at + 1).copied()
        };
        let states = after("--ctstate").or_else(|| after("--state"));
        let is_old_only = states.is_some_and(|states| !states.contains("NEW"));
        let named = ["--dport", "--dports"].iter().find_map(|w| after(w));
        let is_ours = named.is_none_or(|named| {
            let covers = |part: &str, port: u16| {
                let (first, last) = part.split_once(':').unwrap_or((part, part));
                (first.parse().unwrap_or(0)..=last.parse().unwrap_or(u16::MAX)).contains(&port)
            };
            ports
                .iter()
                .any(|p| named.split(',').any(|part| covers(part, p)))
        });
        line.starts_with("-A ") && after("-j") == Some("ACCEPT") && !is_old_only && is_ours
    });
    Some(if accepts {
        Check::ok(
            WHAT,
            format!(
                "{program}: chain FORWARD drops by its policy, and a rule may accept port {ports}; \
                     on which conditions is not looked at"
            ),
        )
    } else {
        Check::error(
            WHAT,
            format!(
                "{program}: chain FORWARD drops what no rule accepts, and none accepts a new \
                     connection to port {ports}"
            ),
            format!("{program} -A FORWARD -p tcp -m multiport --dports {ports} -j ACCEPT"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn ports() -> PortSet {
        ["21".parse().unwrap()].into_iter().collect()
    }

    #[test]
    fn a_forward_chain_of_iptables_is_judged() {
        let judge = |rules: &str, policy: &str| {
            let text = format!(
                "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:FORWARD {policy} [0:0]\n{rules}\nCOMMIT\n"
            );
            judge_iptables(&text, "iptables", &ports()).map(|check| check.state)
        };
        assert_eq!(judge("", "ACCEPT"), None);
        assert_eq!(judge("", "DROP"), Some(State::Error));
        for (rule, expected) in [
            ("-A FORWARD -p tcp -m tcp --dport 21 -j ACCEPT", State::Ok),
            (
                "-A FORWARD -p tcp -m multiport --dports 20:22,80 -j ACCEPT",
                State::Ok,
            ),
            ("-A FORWARD -i lan -j ACCEPT", State::Ok),
            (
                "-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT",
                State::Error,
            ),
            (
                "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                State::Error,
            ),
            ("-A FORWARD -p tcp --dport 21 -j LOG", State::Error),
        ] {
            assert_eq!(judge(rule, "DROP"), Some(expected), "{rule}");
        }
    }

    #[test]
    fn listeners_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
                     0: 00000000:0015 00000000:0000 0A 00000000:00000000\n   \
                     1: 0100007F:1F90 0100007F:0015 01 00000000:00000000\n";
        assert_eq!(listening(table), BTreeSet::from([21]));
    }
}
