//! Doing what the configuration says now, without losing a session.

use serde::{Deserialize, Serialize};

use super::{Again, Messages, Plan};
use crate::{
    config::change::{self, Change},
    conflicts::{self, Setup},
    error::Result,
    loader::Loaded,
    metrics::serve::{Bound, Server},
    ports::{self, ControlPort, PortSet},
    service::logger,
};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// All was applied. Else nothing was.
    pub applied: bool,
    /// The options that differ.
    pub changes: Vec<Change>,
    /// Why nothing was applied.
    pub refused: Option<String>,
    /// The options that only a new start can change.
    pub needs_restart: Vec<String>,
}

/// The server of metrics, and how it is made.
pub(super) struct Metrics<'a> {
    /// It, if there is one.
    pub(super) server: &'a mut Option<Server>,
    /// Makes one.
    pub(super) serve: &'a dyn Fn(Bound) -> Result<Server>,
}

/// Options that are written into maps, and need no new programs.
const SETTLED: [&str; 14] = [
    "port",
    "advertise",
    "deny-ports",
    "expect-timeout",
    "no-hairpin",
    "mark",
    "data-path",
    "max-sessions-per-source",
    "max-pending-per-source",
    // What was asked for; it is known here that it is what there is.
    "max-sessions",
    "max-expectations",
    "max-transfers",
    "unload-on-exit",
    "metrics",
];

/// Reads the options anew and applies them, or leaves all as it is.
pub(super) fn reload(
    loaded: &mut Loaded,
    plan: &mut Plan,
    again: &Again<'_>,
    messages: &mut Messages,
    metrics: &mut Metrics<'_>,
) -> Outcome {
    let outcome = match again().and_then(|next| apply(loaded, plan, next, messages, metrics)) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::refused(error.whole()),
    };
    match &outcome.refused {
        Some(why) => log::error!("nothing was changed: {why}"),
        None if outcome.changes.is_empty() => log::info!("nothing has changed"),
        None => outcome
            .changes
            .iter()
            .for_each(|c| log::info!("changed: {c}")),
    }
    outcome
}

fn apply(
    loaded: &mut Loaded,
    plan: &mut Plan,
    next: Plan,
    messages: &mut Messages,
    metrics: &mut Metrics<'_>,
) -> Result<Outcome> {
    let mut changes = change::between(&plan.values, &next.values);
    let needs_restart = loaded.needs_restart(&next.config)?;
    if !needs_restart.is_empty() {
        return Ok(Outcome {
            changes,
            needs_restart: needs_restart.iter().map(|key| (*key).to_owned()).collect(),
            ..Outcome::refused(format!(
                "only a new start can change {}: `ftp-nat unload --stop`, then start it again",
                needs_restart.join(", ")
            ))
        });
    }
    let mut config = next.config.clone();
    config.ports = ports_wanted(plan.config.ports.as_ref(), config.ports);
    let before = ports::watched(&loaded.maps)?;
    let moved = (plan.metrics != next.metrics).then_some(next.metrics);
    // What can fail goes first.
    let bound = moved.flatten().map(Bound::at).transpose()?;
    if changes.iter().all(|c| SETTLED.contains(&c.option.as_str())) {
        loaded.settle(&config)?;
    } else {
        loaded.replace(&config)?;
        messages.replace(&mut loaded.objects);
        conflicts::look(Setup::of(&loaded.report));
    }
    if moved.is_some() {
        *metrics.server = bound.map(metrics.serve).transpose()?;
    }
    tell_ports(&mut changes, &before, &loaded.report.ports);
    if changes.iter().any(|change| change.option == "log-level") {
        let level = next.config.log_level;
        logger::start(Some(level), level);
    }
    *plan = next;
    Ok(Outcome {
        applied: true,
        changes,
        refused: None,
        needs_restart: Vec::new(),
    })
}

/// An option that is no longer there leaves the default; one that never was,
/// what is watched.
fn ports_wanted(before: Option<&PortSet>, now: Option<PortSet>) -> Option<PortSet> {
    let default = || PortSet::from_iter([ControlPort::DEFAULT]);
    now.or_else(|| before.map(|_| default()))
}

/// Says what became of the ports in fact: `ftp-nat ports` changes them too.
fn tell_ports(changes: &mut Vec<Change>, before: &PortSet, after: &PortSet) {
    changes.retain(|change| change.option != "port");
    if before != after {
        changes.push(Change {
            option: "port".to_owned(),
            before: before.to_string(),
            after: after.to_string(),
        });
    }
}

/// For comparing the document with what is printed.
#[cfg(test)]
pub(crate) fn sample() -> Outcome {
    Outcome {
        changes: vec![Change {
            option: "max-sessions".to_owned(),
            before: String::new(),
            after: "9".to_owned(),
        }],
        needs_restart: vec!["max-sessions".to_owned()],
        ..Outcome::refused("only a new start can change max-sessions".to_owned())
    }
}

impl Outcome {
    fn refused(why: String) -> Self {
        Self {
            applied: false,
            changes: Vec::new(),
            refused: Some(why),
            needs_restart: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Keys, ports::tests::set};

    #[test]
    fn ports_that_are_no_longer_asked_for() {
        let (some, default) = (set(&["2121"]), set(&["21"]));
        assert_eq!(
            ports_wanted(None, None),
            None,
            "what was added by hand stays"
        );
        assert_eq!(ports_wanted(Some(&some), None), Some(default));
        assert_eq!(ports_wanted(None, Some(some.clone())), Some(some));
    }

    #[test]
    fn the_ports_are_told_as_they_were_and_are() {
        let wrong = Change {
            option: "port".to_owned(),
            before: String::new(),
            after: "21,2121".to_owned(),
        };
        let mut changes = vec![wrong.clone()];
        tell_ports(&mut changes, &set(&["21", "990"]), &set(&["21", "2121"]));
        let said: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["port: 21,990 -> 21,2121"]);
        let mut changes = vec![wrong];
        tell_ports(&mut changes, &set(&["21"]), &set(&["21"]));
        assert!(changes.is_empty());
    }

    #[test]
    fn what_is_settled_is_an_option() {
        let keys = Keys::of(crate::cli::command());
        for name in SETTLED {
            assert!(keys.all().any(|arg| arg.get_long() == Some(name)), "{name}");
        }
    }
}
