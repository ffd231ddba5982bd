//! The text of a scrape.

use std::fmt;

use ftp_nat_common::counter::Counter;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::names::{FAMILIES, PREFIX, place};
use crate::{
    traffic::{Class, Totals},
    view::stats::{Fill, Stats},
};

/// The text for what the maps say now, and for what passed so far.
pub fn of(stats: Stats, traffic: Totals) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Now(stats, traffic)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Now(Stats, Totals);

impl Now {
    fn counter(&self, wanted: Counter) -> u64 {
        let found = self
            .0
            .counters
            .iter()
            .find(|(counter, _)| *counter == wanted);
        found.map_or(0, |(_, value)| *value)
    }

    fn tables(&self) -> [(&'static str, Fill); 5] {
        let tables = &self.0.tables;
        [
            ("sessions", tables.sessions),
            ("expectations", tables.expectations),
            ("flows", tables.flows),
            ("stack_flows", tables.stack_flows),
            ("interfaces", tables.interfaces),
        ]
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, values: &[(Labels<'_>, u64)]| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, value) in values {
                // A gauge is signed, and no table has so many entries.
                let value = ConstGauge::new(i64::try_from(*value).unwrap_or(i64::MAX));
                value.encode(metric.encode_family(labels)?)?;
            }
            Ok(())
        };
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        gauge(
            "build_info",
            "The program that serves this",
            &[(&version, 1)],
        )?;
        let draining = u64::from(self.0.draining);
        gauge(
            "draining",
            "Whether `unload` waits for connections to end",
            &[(&[], draining)],
        )?;
        let labels = self.tables().map(|(name, _)| [("table", name)]);
        let fills = self.tables().map(|(_, fill)| fill);
        gauge(
            "table_entries",
            "Entries of a table",
            &labelled(&labels, &fills, |fill| fill.entries),
        )?;
        gauge(
            "table_size",
            "Entries that a table has room for",
            &labelled(&labels, &fills, |fill| fill.max.into()),
        )?;

        let mut counter = |name: &str, help: &str, values: &[(Labels<'_>, u64)]| {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, value) in values {
                ConstCounter::new(*value).encode(metric.encode_family(labels)?)?;
            }
            Ok(())
        };
        let labels = Class::ALL.map(|c| [("direction", c.direction()), ("mode", c.mode())]);
        counter(
            "transfer_bytes",
            "Bytes of IP packets of data connections, since `run` was started",
            &labelled(&labels, &self.1, |amount| amount.bytes),
        )?;
        counter(
            "transfer_packets",
            "Packets of data connections, since `run` was started",
            &labelled(&labels, &self.1, |amount| amount.packets),
        )?;
        for family in FAMILIES {
            let counters: Vec<_> = family.counters().collect();
            let labels: Vec<_> = counters.iter().map(|c| [family.label(*c)]).collect();
            let values = labelled(&labels, &counters, |c| self.counter(*c));
            counter(family.metric, family.help, &values)?;
        }
        let alone = self
            .0
            .counters
            .iter()
            .filter(|(c, _)| place(*c).label.is_none());
        for (of, value) in alone {
            let help = of.description().trim().trim_end_matches('.');
            counter(of.name(), help, &[(&[], *value)])?;
        }
        Ok(())
    }
}

type Labels<'a> = &'a [(&'static str, &'static str)];

/// A value of each, with its labels.
fn labelled<'a, T, const N: usize>(
    labels: &'a [[(&'static str, &'static str); N]],
    of: &[T],
    value: impl Fn(&T) -> u64,
) -> Vec<(Labels<'a>, u64)> {
    let pairs = labels.iter().zip(of);
    pairs
        .map(|(labels, of)| (labels as Labels<'a>, value(of)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        maps::Maps,
        traffic::Amount,
        view::{Context, stats::collect},
    };

    fn scrape(counters: &[(Counter, u64)]) -> String {
        let context = Context {
            now_ns: 0,
            interfaces: [].into(),
        };
        let amount = |n| Amount {
            packets: n,
            bytes: 100 * n,
        };
        let traffic = [1, 2, 3, 4].map(amount);
        of(
            collect(&Maps::in_memory(counters), &context).unwrap(),
            traffic,
        )
        .unwrap()
    }

    /// Every sample by its name and labels.
    fn samples(text: &str) -> BTreeMap<String, String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }

    #[test]
    fn a_scrape_has_everything_once_and_ends_as_it_must() {
        let text = scrape(&[(Counter::RefusedPort, 7), (Counter::Rewrites, 3)]);
        let found = samples(&text);
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(found.len(), lines, "something is there twice:\n{text}");
        // build_info, draining, two for each of five tables, two for each class of
        // traffic.
        assert_eq!(lines, Counter::ALL.len() + 2 + 10 + 8);
        let class = "direction=\"to_server\",mode=\"active\"";
        for (kind, expected) in [("bytes", "300"), ("packets", "3")] {
            let name = format!("ftp_nat_transfer_{kind}_total{{{class}}}");
            assert_eq!(found.get(&name).map(String::as_str), Some(expected));
        }
        let value = |name: &str| found.get(name).map(String::as_str);
        let refused = "ftp_nat_announcements_refused_total{reason=\"port\"}";
        assert_eq!(value(refused), Some("7"));
        assert_eq!(value("ftp_nat_rewrites_total"), Some("3"));
        assert_eq!(
            value("ftp_nat_table_size{table=\"sessions\"}"),
            Some("65536")
        );
        assert!(text.ends_with("# EOF\n"));
        let kinds: Vec<_> = text.lines().filter(|l| l.starts_with("# TYPE ")).collect();
        let unique: BTreeSet<_> = kinds.iter().collect();
        assert_eq!(kinds.len(), unique.len(), "a metric is described twice");
    }

    #[test]
    fn the_document_and_the_dashboard_name_what_there_is() {
        let text = scrape(&[]);
        let known: BTreeSet<_> = samples(&text)
            .into_keys()
            .map(|name| name.split('{').next().unwrap().to_owned())
            .collect();
        let document = include_str!("../../../docs/metrics.md");
        let rows = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `ftp_nat_"));
        let documented: BTreeSet<_> = rows
            .map(|row| format!("ftp_nat_{}", row.split('`').next().unwrap()))
            .collect();
        assert_eq!(documented, known, "docs/metrics.md");
        let dashboard = include_str!("../../../dist/grafana/ftp-nat.json");
        let used = names_in(dashboard);
        assert!(used.len() > 10, "{used:?}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    }

    #[test]
    fn the_dashboard_is_json_and_every_panel_asks_something() {
        let dashboard = include_str!("../../../dist/grafana/ftp-nat.json");
        let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let mut ids = BTreeSet::new();
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{}",
                panel["title"]
            );
            let targets = panel["targets"].as_array().unwrap();
            for target in targets {
                let asked = target["expr"].as_str().unwrap();
                assert!(!names_in(asked).is_empty(), "{}: {asked}", panel["title"]);
            }
        }
    }

    fn names_in(text: &str) -> BTreeSet<String> {
        let words = text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let names = words.filter(|word| word.starts_with("ftp_nat_"));
        names.map(str::to_owned).collect()
    }
}
