//! Examines the machine: what would keep FTP from working, and what mends it.
//!
//! Nothing is changed. What `run` warns of at its start ([`crate::conflicts`])
//! is part of it.
//!
//! | file | examines |
//! |---|---|
//! | `machine` | kernel, capabilities, the JIT compiler, the clock |
//! | `service` | the data path, the daemon, the configuration file |
//! | `interfaces` | the named interfaces and the hooks on them |
//! | `firewall` | rules that control or data connections meet |
//! | `chain` | what a chain of nftables does with a new connection |

mod chain;
mod firewall;
mod interfaces;
mod machine;
mod service;

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    loader::{Config, interfaces::Selected},
    policy::{DataPath, mark::Mark},
    ports::PortSet,
    view::SCHEMA,
};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It may be in the way.
    Warning,
    /// FTP does not work as it should with this.
    Error,
}

impl State {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The exit code of `doctor`, if this is the worst of all.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self as u8
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: a stable word.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub reason: String,
    /// What mends it: a command where there is one. Empty where all is well.
    pub mend: String,
}

/// All that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// The worst of all.
    pub state: State,
    /// In the order in which they were looked at.
    pub checks: Vec<Check>,
}

/// What is to be examined.
pub struct Subject {
    /// Where the data path is pinned.
    pub pin_path: PathBuf,
    /// What `run` would do by the configuration file; or what is wrong with it.
    /// `None`: there is no file.
    pub planned: Option<(PathBuf, Result<Config, String>)>,
}

/// The data path, as it is or as it would be.
struct Path {
    interfaces: Vec<Selected>,
    ports: PortSet,
    data_path: DataPath,
    mark: Mark,
    is_loaded: bool,
}

impl Check {
    fn ok(check: &'static str, reason: impl Into<String>) -> Self {
        Self::new(check, State::Ok, reason, "")
    }

    fn warning(check: &'static str, reason: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, State::Warning, reason, mend)
    }

    fn error(check: &'static str, reason: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, State::Error, reason, mend)
    }

    fn new(
        check: &'static str,
        state: State,
        reason: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            check,
            state,
            reason: reason.into(),
            mend: mend.into(),
        }
    }
}

/// Looks at everything.
#[must_use]
pub fn examine(subject: &Subject) -> Report {
    let mut checks = machine::look();
    checks.push(service::configuration(subject));
    let (path, found) = service::data_path(subject);
    checks.extend(found);
    if let Some(path) = path {
        checks.extend(interfaces::look(&path));
        checks.extend(firewall::look(&path));
    }
    Report {
        schema: SCHEMA,
        state: checks.iter().map(|c| c.state).max().unwrap_or(State::Ok),
        checks,
    }
}

/// What rules of the firewall may stop control connections of the data path at
/// `pin_path`.
#[must_use]
pub fn blocks(pin_path: PathBuf) -> Vec<Check> {
    let subject = Subject {
        pin_path,
        planned: None,
    };
    let (Some(path), _) = service::data_path(&subject) else {
        return Vec::new();
    };
    let mut checks = firewall::look(&path);
    checks.retain(|check| check.state == State::Error);
    checks
}

#[cfg(test)]
pub(crate) fn sample() -> Report {
    Report {
        schema: SCHEMA,
        state: State::Warning,
        checks: vec![Check::warning(
            "clock",
            "it is not kept",
            "chronyc makestep",
        )],
    }
}
