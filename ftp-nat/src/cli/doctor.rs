//! `ftp-nat doctor`.

use std::path::PathBuf;

use clap::Args;

use super::{PinPath, given, output};
use crate::{
    doctor::{self, Report, State, Subject},
    render,
};

/// Look for what keeps FTP from working on this machine, and say what mends it.
///
/// Looks at the kernel, the configuration file, the data path and the daemon, the
/// interfaces, other programs on their hooks, and the firewall. Changes nothing.
/// The exit code is 0 if all is well, 1 with warnings, 2 with errors.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// The configuration file [default: /etc/ftp-nat/config.toml, if it exists].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let planned = given::planned(options.config.as_deref());
    let report = doctor::examine(&Subject {
        pin_path: options.pin_path.pin_path.clone(),
        planned: planned.map(|(path, plan)| {
            let config = plan.map(|plan| plan.config).map_err(|e| e.whole());
            (path, config)
        }),
    });
    if options.json {
        output::json(&report)?;
    } else {
        output::text(&render::doctor(&report))?;
    }
    finish(&report)
}

/// Ends the process with the code of the worst that was found.
fn finish(report: &Report) -> anyhow::Result<()> {
    match report.state {
        State::Ok => Ok(()),
        state => std::process::exit(state.exit_code().into()),
    }
}
