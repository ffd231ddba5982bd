//! The kernel's own FTP helper, assigned by rules of nftables.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::Finding;
use crate::ports::PortSet;

/// Asks `nft`, where there is one.
pub(super) fn look(watched: &PortSet) -> Vec<Finding> {
    match ruleset() {
        Ok(ruleset) => find(&ruleset, watched),
        Err(why) => {
            log::debug!("nft: {why}");
            Vec::new()
        }
    }
}

/// The ruleset (libnftables-json(5)) without the elements of sets, which can be
/// many and hold no rule; or why it can't be had.
pub(crate) fn ruleset() -> Result<Value, String> {
    let listed = Command::new("nft")
        .args(["-j", "-t", "list", "ruleset"])
        .output()
        .map_err(|e| e.to_string())?;
    if !listed.status.success() {
        return Err(String::from_utf8_lossy(&listed.stderr).trim().to_owned());
    }
    serde_json::from_slice(&listed.stdout).map_err(|e| e.to_string())
}

/// The rules of a ruleset (libnftables-json(5)) that give a watched port, or one
/// that can't be told, to a helper of type ftp.
fn find(ruleset: &Value, watched: &PortSet) -> Vec<Finding> {
    let all = ruleset["nftables"].as_array();
    let objects: Vec<_> = all.into_iter().flatten().collect();
    let is_ftp = |rule: &Value, name: &str| {
        objects.iter().any(|object| {
            let helper = &object["ct helper"];
            helper["type"] == "ftp"
                && helper["name"] == name
                && helper["table"] == rule["table"]
                && helper["family"] == rule["family"]
        })
    };
    let rules = objects.iter().map(|object| &object["rule"]);
    rules
        .filter_map(|rule| describe(rule, watched, &|name| is_ftp(rule, name)))
        .collect()
}

fn describe(rule: &Value, watched: &PortSet, is_ftp: &dyn Fn(&str) -> bool) -> Option<Finding> {
    let parts = rule["expr"].as_array()?;
    let mapped = parts
        .iter()
        .find_map(|part| helped(&part["ct helper"], is_ftp))?;
    let matched = || parts.iter().find_map(|part| matched(&part["match"]));
    let ports = mapped.or_else(|| matched().flatten());
    let ours = ports
        .map(|ports| -> BTreeSet<u16> { watched.iter().filter(|p| covers(&ports, *p)).collect() });
    if ours.as_ref().is_some_and(BTreeSet::is_empty) {
        return None;
    }
    let word = |key: &str| rule[key].as_str().unwrap_or("?");
    let place = format!(
        "nftables, table {} {}, chain {}",
        word("family"),
        word("table"),
        word("chain")
    );
    Some(super::helper(&place, ours.as_ref()))
}

/// Ranges of ports.
pub(crate) type Ranges = Vec<(u64, u64)>;

pub(crate) fn covers(ranges: &Ranges, port: u16) -> bool {
    let port = u64::from(port);
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&port))
}

/// Whether a statement assigns an FTP helper; and the ports that it names itself.
fn helped(statement: &Value, is_ftp: &dyn Fn(&str) -> bool) -> Option<Option<Ranges>> {
    if let Some(name) = statement.as_str() {
        return is_ftp(name).then_some(None);
    }
    // A map from ports to helpers; without elements where it has a name.
    let map = &statement["map"]["data"];
    let Some(elements) = map["set"].as_array() else {
        return map.is_string().then_some(None);
    };
    let to_ftp = elements
        .iter()
        .filter(|pair| pair[1].as_str().is_some_and(is_ftp));
    let ports: Ranges = to_ftp.filter_map(|pair| range(&pair[0])).collect();
    (!ports.is_empty()).then_some(Some(ports))
}

/// The ports that a comparison of the destination port lets by. `None`: it is of
/// something else. `Some(None)`: they can't be told.
pub(crate) fn matched(comparison: &Value) -> Option<Option<Ranges>> {
    let field = &comparison["left"]["payload"];
    if field["field"] != "dport" || comparison["op"] == "!=" {
        return None;
    }
    if field["protocol"] == "udp" {
        return Some(Some(Vec::new()));
    }
    let right = &comparison["right"];
    Some(match right["set"].as_array() {
        Some(set) => Some(set.iter().filter_map(range).collect()),
        None => range(right).map(|range| vec![range]),
    })
}

fn range(value: &Value) -> Option<(u64, u64)> {
    if let Some(port) = value.as_u64() {
        return Some((port, port));
    }
    let ends = &value["range"];
    Some((ends[0].as_u64()?, ends[1].as_u64()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(expr: &Value) -> Vec<String> {
        let ruleset = json!({"nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "ip", "name": "help"}},
            {"ct helper": {"family": "ip", "name": "std", "table": "help", "type": "ftp",
                           "protocol": "tcp"}},
            {"ct helper": {"family": "ip", "name": "other", "table": "help", "type": "tftp",
                           "protocol": "udp"}},
            {"ct helper": {"family": "ip6", "name": "six", "table": "help", "type": "ftp",
                           "protocol": "tcp"}},
            {"rule": {"family": "ip", "table": "help", "chain": "pre", "handle": 7,
                      "expr": expr}},
        ]});
        let watched = ["21", "2121"].map(|port| port.parse().unwrap());
        find(&ruleset, &watched.into_iter().collect())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn dport(right: &Value) -> Value {
        json!({"match": {"op": "==", "right": right,
                         "left": {"payload": {"protocol": "tcp", "field": "dport"}}}})
    }

    #[test]
    fn a_rule_on_a_watched_port_is_named() {
        let set = json!({"ct helper": "std"});
        let ranges = json!({"set": [990, {"range": [2000, 3000]}]});
        for (right, ports) in [(json!(21), "21"), (ranges, "2121")] {
            let found = found(&json!([dport(&right), set]));
            assert_eq!(found.len(), 1, "{right}");
            let text = &found[0];
            assert!(text.contains("table ip help, chain pre"), "{text}");
            assert!(text.contains(&format!("to port {ports} ")), "{text}");
        }
        let map = json!({"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}},
                                 "data": {"set": [[21, "std"], [69, "other"]]}}});
        assert_eq!(found(&json!([{"ct helper": map}])).len(), 1);
    }

    #[test]
    fn ports_that_are_not_told_are_said_too() {
        let set = json!({"ct helper": "std"});
        let unknown = "ports that can't be told";
        let by_address = json!({"match": {"op": "==", "right": "10.0.0.1",
            "left": {"payload": {"protocol": "ip", "field": "saddr"}}}});
        for expr in [
            json!([set]),
            json!([by_address, set]),
            json!([dport(&json!("@ports")), set]),
        ] {
            let found = found(&expr);
            assert!(found.len() == 1, "{expr}: {found:?}");
            assert!(found[0].contains(unknown), "{expr}: {found:?}");
        }
    }

    #[test]
    fn other_rules_are_no_conflict() {
        let udp = json!({"match": {"op": "==", "right": 21,
            "left": {"payload": {"protocol": "udp", "field": "dport"}}}});
        for expr in [
            json!([dport(&json!(990)), {"ct helper": "std"}]),
            json!([dport(&json!(21)), {"ct helper": "other"}]),
            json!([dport(&json!(21)), {"ct helper": "six"}]),
            json!([dport(&json!(21)), {"accept": null}]),
            json!([udp, {"ct helper": "std"}]),
            json!([{"ct helper": {"map": {"data": {"set": [[69, "other"]]}}}}]),
        ] {
            assert!(found(&expr).is_empty(), "{expr}");
        }
        assert!(find(&json!({}), &PortSet::default()).is_empty());
    }
}
