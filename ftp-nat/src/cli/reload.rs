//! `ftp-nat reload`.

use anyhow::{Context as _, bail};
use clap::Args;

use super::{PinPath, output};
use crate::{
    control_socket::{Answer, Request, ask},
    daemon::reload::Outcome,
};

/// Make a running `run` do what its configuration file says now.
///
/// No session is lost. Prints what changed, and exits with 1 if something can't be
/// done: then nothing was changed. The command line that `run` was started with
/// wins over the file, as at the start. SIGHUP does the same without an answer.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Print JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let outcome = asked(options).context("reload")?;
    if options.json {
        output::json(&outcome)?;
    } else {
        output::text(&text(&outcome))?;
    }
    match outcome.refused {
        None => Ok(()),
        Some(_) if options.json => std::process::exit(1),
        Some(why) => bail!("reload: nothing was changed: {why}"),
    }
}

fn asked(options: &Options) -> anyhow::Result<Outcome> {
    for answer in ask::ask(&options.pin_path.pin_path, &Request::Reload)? {
        if let Answer::Reloaded(outcome) = answer? {
            return Ok(outcome);
        }
    }
    bail!("`run` gave no answer");
}

/// What is said on stdout: of what is refused, what was asked for.
fn text(outcome: &Outcome) -> String {
    if outcome.applied && outcome.changes.is_empty() {
        return "nothing has changed\n".to_owned();
    }
    let word = if outcome.applied {
        "changed"
    } else {
        "not changed"
    };
    let lines = outcome.changes.iter().map(|c| format!("{word} {c}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::reload::sample;

    #[test]
    fn what_was_refused_is_not_said_to_have_changed() {
        assert_eq!(text(&sample()), "not changed max-sessions: (none) -> 9\n");
        let applied = Outcome {
            applied: true,
            ..sample()
        };
        assert_eq!(text(&applied), "changed max-sessions: (none) -> 9\n");
        let same = Outcome {
            changes: Vec::new(),
            ..applied
        };
        assert_eq!(text(&same), "nothing has changed\n");
    }
}
