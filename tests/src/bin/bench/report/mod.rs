//! Figures, ratios and the targets they are held against. A target that isn't
//! met is shown, and fails nothing: how fast a machine is, is no test.

mod numbers;

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use self::numbers::{Spread, shown};
use crate::turns::Effort;

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(limit) => format!(">= {limit}"),
            Self::AtMost(limit) => format!("<= {limit}"),
        }
    }

    fn verdict(self, value: f64) -> String {
        let met = if self.is_met(value) { "met" } else { "NOT MET" };
        format!("target {}: {met}", self.text())
    }

    fn json(self, value: f64) -> Value {
        json!({ "target": self.text(), "met": self.is_met(value) })
    }
}

/// What one of the compared gave, turn by turn.
#[derive(Debug, Clone)]
pub struct Series {
    /// Which of the compared.
    pub label: String,
    /// A figure for each turn.
    pub samples: Vec<f64>,
    /// What is wanted of the median.
    pub target: Option<Target>,
}

impl Series {
    /// Without figures yet.
    pub fn new(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            samples: Vec::new(),
            target: None,
        }
    }

    /// With figures, and what is wanted of their median.
    pub fn of(label: &str, samples: Vec<f64>, target: Option<Target>) -> Self {
        Self {
            label: label.to_owned(),
            samples,
            target,
        }
    }
}

/// One series divided by another, turn by turn.
#[derive(Debug, Clone)]
struct Ratio {
    label: String,
    samples: Vec<f64>,
    target: Option<Target>,
}

/// Figures of one kind that belong together.
#[derive(Debug, Clone)]
pub struct Case {
    /// The workload and what was done, for example `bulk: one stream`.
    pub name: String,
    unit: &'static str,
    series: Vec<Series>,
    ratios: Vec<Ratio>,
}

impl Case {
    /// Of series that took turns.
    pub fn new(name: impl Into<String>, unit: &'static str, series: Vec<Series>) -> Self {
        Self {
            name: name.into(),
            unit,
            series,
            ratios: Vec::new(),
        }
    }

    /// Adds the ratio of two series, if both are there.
    #[must_use]
    pub fn ratio(mut self, of: &str, to: &str, target: Option<Target>) -> Self {
        let find = |label: &str| self.series.iter().find(|s| s.label == label);
        if let (Some(of), Some(to)) = (find(of), find(to)) {
            let pairs = of.samples.iter().zip(&to.samples);
            let ratio = Ratio {
                label: format!("{} / {}", of.label, to.label),
                samples: pairs.map(|(a, b)| a / b).collect(),
                target,
            };
            self.ratios.push(ratio);
        }
        self
    }

    /// Prints it, and gives it back.
    #[must_use]
    pub fn print(self) -> Self {
        print!("{}", self.table());
        self
    }

    fn table(&self) -> String {
        let mut text = format!("\n{} ({})\n", self.name, self.unit);
        let rows = self.series.iter().map(|s| (&s.label, &s.samples, s.target));
        let ratios = self.ratios.iter().map(|r| (&r.label, &r.samples, r.target));
        for (label, samples, target) in rows.chain(ratios) {
            let spread = Spread::of(samples);
            let range = format!("({} - {})", shown(spread.least), shown(spread.most));
            let verdict = target.map_or_else(String::new, |t| t.verdict(spread.median));
            let line = format!(
                "  {label:<44} {:>10}  {range:<23} {verdict}",
                shown(spread.median)
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    fn json(&self) -> Value {
        let row = |label: &str, samples: &[f64], target: Option<Target>| {
            let spread = Spread::of(samples);
            let mut row = json!({
                "label": label, "median": spread.median, "least": spread.least,
                "most": spread.most, "samples": samples,
            });
            if let Some(target) = target {
                row["wanted"] = target.json(spread.median);
            }
            row
        };
        let series = self
            .series
            .iter()
            .map(|s| row(&s.label, &s.samples, s.target));
        let ratios = self
            .ratios
            .iter()
            .map(|r| row(&r.label, &r.samples, r.target));
        json!({
            "name": self.name, "unit": self.unit,
            "figures": series.collect::<Vec<_>>(), "ratios": ratios.collect::<Vec<_>>(),
        })
    }

    /// The rows that something is wanted of: name, figure and target.
    fn wanted(&self) -> impl Iterator<Item = (String, f64, Target)> + '_ {
        let series = self.series.iter().map(|s| (&s.label, &s.samples, s.target));
        let ratios = self.ratios.iter().map(|r| (&r.label, &r.samples, r.target));
        series.chain(ratios).filter_map(|(label, samples, target)| {
            let name = format!("{}: {label}", self.name);
            Some((name, Spread::of(samples).median, target?))
        })
    }
}

/// That a workload gave figures: at least one case, and no empty or senseless series.
pub fn verify(workload: &str, cases: &[Case]) -> Result<()> {
    ensure!(!cases.is_empty(), "{workload} measured nothing");
    for case in cases {
        ensure!(!case.series.is_empty(), "{}: no series", case.name);
        for series in &case.series {
            let (name, label) = (&case.name, &series.label);
            ensure!(!series.samples.is_empty(), "{name}: {label} has no figure");
            ensure!(
                series.samples.iter().all(|s| s.is_finite() && *s > 0.0),
                "{name}: {label} has a figure that can't be: {:?}",
                series.samples
            );
        }
    }
    Ok(())
}

/// All targets once more, together.
pub fn targets(cases: &[Case]) -> String {
    let mut text = "targets\n".to_owned();
    for (name, value, target) in cases.iter().flat_map(Case::wanted) {
        let _ = writeln!(
            text,
            "  {name:<92} {:>9}  {}",
            shown(value),
            target.verdict(value)
        );
    }
    text
}

/// Everything, with the machine it was measured on.
pub fn json(cases: &[Case], effort: &Effort) -> Value {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let cpus = read("/proc/cpuinfo");
    let models = || cpus.lines().filter_map(|l| l.strip_prefix("model name"));
    let model = models().next().unwrap_or_default();
    json!({
        "kernel": kernel,
        "cpu": model.trim_start_matches([' ', '\t', ':']),
        "cpus": models().count(),
        "pairs": effort.pairs,
        "smoke": effort.quick,
        "cases": cases.iter().map(Case::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        let a = Series::of("a", vec![30.0, 20.0, 10.0], None);
        let b = Series::of("b", vec![10.0, 10.0, 10.0], Some(Target::AtMost(9.0)));
        Case::new("x", "n", vec![a, b])
    }

    #[test]
    fn ratios_are_taken_turn_by_turn() {
        let case = case().ratio("a", "b", Some(Target::AtLeast(2.0)));
        assert_eq!(case.ratios[0].samples, [3.0, 2.0, 1.0]);
        let text = targets(&[case]);
        assert!(
            text.contains("x: b") && text.contains("<= 9: NOT MET"),
            "{text}"
        );
        assert!(
            text.contains("x: a / b") && text.contains(">= 2: met"),
            "{text}"
        );
    }

    #[test]
    fn a_workload_without_figures_is_an_error() {
        assert!(verify("w", &[case()]).is_ok());
        assert!(verify("w", &[]).is_err());
        assert!(verify("w", &[Case::new("x", "n", Vec::new())]).is_err());
        for bad in [vec![], vec![0.0], vec![1.0, f64::NAN], vec![f64::INFINITY]] {
            let series = vec![Series::of("a", bad, None)];
            assert!(verify("w", &[Case::new("x", "n", series)]).is_err());
        }
    }
}
