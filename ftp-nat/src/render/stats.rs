//! `stats` as text.

use super::table::Table;
use crate::view::stats::Stats;

/// Tables, and the counters that aren't 0 (all of them if `all`).
#[must_use]
pub fn stats(stats: &Stats, all: bool) -> String {
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

    let mut counters = Table::new(["COUNTER", ">VALUE", "MEANING"]);
    for (counter, value) in stats
        .counters
        .iter()
        .filter(|(_, value)| all || *value != 0)
    {
        let meaning = counter.description().trim().trim_end_matches('.');
        counters.push([
            counter.name().to_owned(),
            value.to_string(),
            meaning.to_owned(),
        ]);
    }
    text.push('\n');
    text.push_str(&counters.render());
    if !all {
        text.push_str("(counters that stand at 0 are left out: --all shows them)\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use ftp_nat_common::counter::Counter;

    use super::*;
    use crate::{
        maps::Maps,
        view::{self, sessions::tests::context},
    };

    #[test]
    fn counters_at_zero_are_shown_on_request_only() {
        let maps = Maps::in_memory(&[(Counter::Rewrites, 12)]);
        let collected = view::stats::collect(&maps, &context()).unwrap();
        let text = stats(&collected, false);
        assert!(text.contains("rewrites     12"), "{text}");
        assert!(!text.contains("probes"), "{text}");
        assert!(stats(&collected, true).contains("probes"));
    }
}
