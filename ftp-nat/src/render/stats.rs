//! `stats` as text.

use ftp_nat_common::counter::Counter;

use super::table::Table;
use crate::view::stats::Stats;

/// Tables, and the counters that aren't 0 (all of them if `all`). With those of a
/// moment ago, how much each counter has grown since.
#[must_use]
pub fn stats(stats: &Stats, before: Option<&Stats>, all: bool) -> String {
    let list = |ports: &[u16]| {
        let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
        if ports.is_empty() {
            "none".to_owned()
        } else {
            ports.join(",")
        }
    };
    let mut text = format!("control ports  {}\n", list(&stats.ports));
    if !stats.learned_ports.is_empty() {
        text.push_str(&format!("learned ports  {}\n", list(&stats.learned_ports)));
    }
    if stats.draining {
        text.push_str("draining       nothing new is helped\n");
    }
    text.push('\n');

    let mut tables = Table::new(["TABLE", ">ENTRIES", ">ROOM"]);
    let fills = [
        ("sessions", stats.tables.sessions),
        ("expectations", stats.tables.expectations),
        ("flows", stats.tables.flows),
        ("stack flows", stats.tables.stack_flows),
        ("interfaces", stats.tables.interfaces),
    ];
    for (name, fill) in fills {
        tables.push([
            name.to_owned(),
            fill.entries.to_string(),
            fill.max.to_string(),
        ]);
    }
    text.push_str(&tables.render());

    text.push('\n');
    text.push_str(&match before {
        None => {
            let mut counters = Table::new(["COUNTER", ">VALUE", "MEANING"]);
            for (counter, value) in shown(stats, all) {
                let name = counter.name().to_owned();
                counters.push([name, value.to_string(), meaning(counter)]);
            }
            counters.render()
        }
        Some(before) => {
            let mut counters = Table::new(["COUNTER", ">VALUE", ">SINCE", "MEANING"]);
            for (counter, value) in shown(stats, all) {
                let name = counter.name().to_owned();
                let since = since(counter, value, before);
                counters.push([name, value.to_string(), since, meaning(counter)]);
            }
            counters.render()
        }
    });
    if !all {
        text.push_str("(counters that stand at 0 are left out: --all shows them)\n");
    }
    text
}

fn shown(stats: &Stats, all: bool) -> impl Iterator<Item = (Counter, u64)> {
    let counters = stats.counters.iter().copied();
    counters.filter(move |(_, value)| all || *value != 0)
}

fn meaning(counter: Counter) -> String {
    let meaning = counter.description().trim();
    meaning.trim_end_matches('.').to_owned()
}

/// By how much it has grown; nothing where it stands still, or was set back.
fn since(counter: Counter, value: u64, before: &Stats) -> String {
    let then = before.counters.iter().find(|(c, _)| *c == counter);
    match value.checked_sub(then.map_or(0, |(_, value)| *value)) {
        None | Some(0) => String::new(),
        Some(grown) => format!("+{grown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        maps::Maps,
        view::{self, sessions::tests::context},
    };

    #[test]
    fn counters_at_zero_are_shown_on_request_only() {
        let maps = Maps::in_memory(&[(Counter::Rewrites, 12)]);
        let collected = view::stats::collect(&maps, &context()).unwrap();
        let text = stats(&collected, None, false);
        assert!(text.contains("rewrites     12"), "{text}");
        assert!(!text.contains("probes"), "{text}");
        assert!(stats(&collected, None, true).contains("probes"));
    }

    #[test]
    fn what_has_grown_is_told() {
        let at = |rewrites, probes| {
            let maps = Maps::in_memory(&[
                (Counter::Rewrites, rewrites),
                (Counter::Probes, probes),
                (Counter::FlowsMade, 7),
            ]);
            view::stats::collect(&maps, &context()).unwrap()
        };
        let text = stats(&at(15, 2), Some(&at(12, 9)), false);
        let row = |name: &str| {
            let row = text.lines().find(|line| line.starts_with(name));
            row.unwrap().split_whitespace().take(3).collect::<Vec<_>>()
        };
        assert_eq!(row("rewrites"), ["rewrites", "15", "+3"]);
        // Loaded anew in between.
        assert_eq!(row("probes")[..2], ["probes", "2"]);
        assert!(!row("probes")[2].starts_with('+'));
        assert!(!row("flows_made")[2].starts_with('+'));
    }
}
