//! What a chain of nftables does with a new connection: as far as can be told
//! from its rules, without knowing the packets.

use serde_json::Value;

use crate::{
    conflicts::nftables::{covers, matched},
    ports::PortSet,
};

/// A base chain that drops what no rule accepts.
pub(super) struct Dropping<'a> {
    objects: &'a [&'a Value],
    chain: &'a Value,
}

/// Whether rules accept something, on conditions that aren't looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A rule does, if its conditions hold.
    Yes,
    /// There are rules that can't be read: maps, sets, other programs' rules.
    CantBeTold,
    /// No rule does.
    No,
}

/// The base chains of a hook (`forward`, `input`) that drop by their policy.
/// Those that iptables made are left to [`super::firewall`].
pub(super) fn dropping<'a>(objects: &'a [&'a Value], hook: &str) -> Vec<Dropping<'a>> {
    let chains = objects.iter().map(|object| &object["chain"]);
    chains
        .filter(|chain| {
            chain["hook"] == hook
                && chain["type"] == "filter"
                && chain["policy"] == "drop"
                && chain["name"] != hook.to_uppercase()
        })
        .map(|chain| Dropping { objects, chain })
        .collect()
}

impl Dropping<'_> {
    /// For messages: `inet filter forward`.
    pub(super) fn place(&self) -> String {
        let word = |key: &str| self.chain[key].as_str().unwrap_or("?");
        format!("{} {} {}", word("family"), word("table"), word("name"))
    }

    /// Whether a new connection to one of these ports may get through.
    pub(super) fn accepts_new(&self, ports: &PortSet) -> Accepts {
        let name = self.chain["name"].as_str().unwrap_or_default();
        self.walk(name, 0, &|parts| {
            let is_old_only = parts
                .iter()
                .any(|part| is_state_without_new(&part["match"]));
            let named = parts.iter().find_map(|part| matched(&part["match"]));
            let is_mark = parts
                .iter()
                .any(|part| mentions_mark(&part["match"]["left"]));
            if is_old_only || is_mark {
                return Accepts::No;
            }
            match named {
                None => Accepts::Yes,
                Some(Some(ranges)) if ports.iter().any(|p| covers(&ranges, p)) => Accepts::Yes,
                Some(Some(_)) => Accepts::No,
                Some(None) => Accepts::CantBeTold,
            }
        })
    }

    /// Whether packets with a mark may get through, whatever its value.
    pub(super) fn accepts_mark(&self) -> Accepts {
        let name = self.chain["name"].as_str().unwrap_or_default();
        self.walk(name, 0, &|parts| {
            if parts
                .iter()
                .any(|part| mentions_mark(&part["match"]["left"]))
            {
                Accepts::Yes
            } else {
                Accepts::No
            }
        })
    }

    fn walk(&self, chain: &str, depth: usize, judge: &dyn Fn(&[Value]) -> Accepts) -> Accepts {
        let mut best = Accepts::No;
        let rules = self.objects.iter().map(|object| &object["rule"]);
        let rules = rules.filter(|rule| {
            rule["chain"] == chain
                && rule["table"] == self.chain["table"]
                && rule["family"] == self.chain["family"]
        });
        for rule in rules {
            let parts = rule["expr"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let found = match verdict(parts) {
                Verdict::Accept => judge(parts),
                Verdict::Chain(next) if depth < 8 => match judge(parts) {
                    Accepts::No => Accepts::No,
                    _ => self.walk(next, depth + 1, judge),
                },
                Verdict::Unknown => Accepts::CantBeTold,
                Verdict::Chain(_) | Verdict::None => Accepts::No,
            };
            match found {
                Accepts::Yes => return Accepts::Yes,
                Accepts::CantBeTold => best = Accepts::CantBeTold,
                Accepts::No => {}
            }
        }
        best
    }
}

enum Verdict<'a> {
    Accept,
    Chain(&'a str),
    /// A map, or what another program's extension does.
    Unknown,
    None,
}

fn verdict(parts: &[Value]) -> Verdict<'_> {
    for part in parts {
        for word in ["jump", "goto"] {
            if let Some(next) = part[word]["target"].as_str() {
                return Verdict::Chain(next);
            }
        }
        if part.get("accept").is_some() {
            return Verdict::Accept;
        }
        if part.get("vmap").is_some() || part.get("xt").is_some() || part.get("queue").is_some() {
            return Verdict::Unknown;
        }
    }
    Verdict::None
}

/// `ct state` of established or related connections alone.
fn is_state_without_new(comparison: &Value) -> bool {
    if comparison["left"]["ct"]["key"] != "state" || comparison["op"] == "!=" {
        return false;
    }
    let text = comparison["right"].to_string();
    !text.contains("\"new\"") && !text.contains("\"untracked\"")
}

/// `meta mark`, also behind a mask.
fn mentions_mark(left: &Value) -> bool {
    left["meta"]["key"] == "mark"
        || left["&"]
            .as_array()
            .is_some_and(|parts| parts.iter().any(mentions_mark))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What a chain that drops does, given its rules.
    fn judged(rules: &[Value], ask: impl Fn(&Dropping<'_>) -> Accepts) -> Accepts {
        let chain = json!({"chain": {"family": "inet", "table": "t", "name": "forward",
            "hook": "forward", "type": "filter", "policy": "drop"}});
        let rules = rules.iter().map(|rule| {
            let (chain, expr) = (rule["in"].as_str().unwrap_or("forward"), &rule["expr"]);
            json!({"rule": {"family": "inet", "table": "t", "chain": chain, "expr": expr}})
        });
        let all: Vec<_> = std::iter::once(chain).chain(rules).collect();
        let objects: Vec<_> = all.iter().collect();
        let dropping = dropping(&objects, "forward");
        assert_eq!(dropping[0].place(), "inet t forward");
        ask(&dropping[0])
    }

    fn new(rules: &[Value]) -> Accepts {
        let ports = ["21".parse().unwrap()].into_iter().collect();
        judged(rules, |chain| chain.accepts_new(&ports))
    }

    fn dport(right: &Value) -> Value {
        json!({"match": {"op": "==", "right": right,
                         "left": {"payload": {"protocol": "tcp", "field": "dport"}}}})
    }

    fn state(right: &Value) -> Value {
        json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": right}})
    }

    fn iif() -> Value {
        json!({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lan"}})
    }

    #[test]
    fn a_rule_that_lets_new_connections_by_is_found() {
        let accept = json!({"accept": null});
        for rule in [
            json!({"expr": [dport(&json!(21)), accept]}),
            json!({"expr": [dport(&json!({"set": [21, 80]})), accept]}),
            json!({"expr": [dport(&json!({"range": [20, 30]})), accept]}),
            json!({"expr": [iif(), accept]}),
            json!({"expr": [state(&json!(["new", "established"])), accept]}),
        ] {
            assert_eq!(new(std::slice::from_ref(&rule)), Accepts::Yes, "{rule}");
        }
    }

    #[test]
    fn a_chain_without_one_drops() {
        let accept = json!({"accept": null});
        for rule in [
            json!({"expr": [dport(&json!(80)), accept]}),
            json!({"expr": [state(&json!(["established", "related"])), accept]}),
            json!({"expr": [state(&json!("established")), accept]}),
            json!({"expr": [dport(&json!(21)), {"drop": null}]}),
            json!({"expr": [{"counter": null}]}),
        ] {
            assert_eq!(new(std::slice::from_ref(&rule)), Accepts::No, "{rule}");
        }
        assert_eq!(new(&[]), Accepts::No);
    }

    #[test]
    fn chains_are_followed() {
        let accept = json!({"accept": null});
        let jump = |parts: &[Value]| {
            let parts = [parts, &[json!({"jump": {"target": "more"}})]].concat();
            json!({ "expr": parts })
        };
        let inner = json!({"in": "more", "expr": [dport(&json!(21)), accept]});
        assert_eq!(new(&[jump(&[]), inner.clone()]), Accepts::Yes);
        assert_eq!(
            new(&[jump(&[dport(&json!(80))]), inner.clone()]),
            Accepts::No
        );
        assert_eq!(new(&[inner]), Accepts::No, "nothing leads there");
        let round = json!({"in": "more", "expr": [{"jump": {"target": "more"}}]});
        assert_eq!(new(&[jump(&[]), round]), Accepts::No, "it comes to an end");
    }

    #[test]
    fn what_can_not_be_read_is_said_to_be_so() {
        let accept = json!({"accept": null});
        for rule in [
            json!({"expr": [dport(&json!("@ports")), accept]}),
            json!({"expr": [{"vmap": {}}]}),
            json!({"expr": [{"xt": null}]}),
        ] {
            assert_eq!(
                new(std::slice::from_ref(&rule)),
                Accepts::CantBeTold,
                "{rule}"
            );
        }
    }

    #[test]
    fn a_rule_for_the_mark_is_found() {
        let marked = json!({"match": {"op": "==", "right": 0x10_0000,
            "left": {"&": [{"meta": {"key": "mark"}}, 0x10_0000]}}});
        let rule = json!({"expr": [marked, {"accept": null}]});
        let ask = |rules: &[Value]| judged(rules, |chain| chain.accepts_mark());
        assert_eq!(ask(std::slice::from_ref(&rule)), Accepts::Yes);
        assert_eq!(
            ask(&[json!({"expr": [iif(), {"accept": null}]})]),
            Accepts::No
        );
        assert_eq!(
            new(&[rule]),
            Accepts::No,
            "control connections have no mark"
        );
    }

    #[test]
    fn only_chains_that_drop_are_looked_at() {
        let chain = |key: &str, value: &str| {
            let mut chain = json!({"family": "inet", "table": "t", "name": "forward",
                "hook": "forward", "type": "filter", "policy": "drop"});
            chain[key] = json!(value);
            json!({ "chain": chain })
        };
        for other in [
            chain("hook", "input"),
            chain("type", "nat"),
            chain("policy", "accept"),
            chain("name", "FORWARD"),
        ] {
            assert!(dropping(&[&other], "forward").is_empty(), "{other}");
        }
    }
}
