//! `ftp-nat unload`.

use anyhow::Context as _;
use clap::Args;

use super::{PinPath, output};
use crate::{daemon::BROKEN, loader::unload};

/// Remove the programs from all interfaces, and all maps.
///
/// Also removes what is left of interfaces that are gone, and what another
/// version pinned. A running instance is not disturbed unless --stop is given.
/// The empty clsact qdisc that kernels before 6.6 need stays.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// End a running instance first (SIGTERM, then up to 10 seconds).
    #[arg(long)]
    stop: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let removed = unload::unload(&options.pin_path.pin_path, options.stop).context("unload")?;
    if removed.broken > 0 {
        log::warn!(
            "{} control connections can't go on: {BROKEN}",
            removed.broken
        );
    }
    if removed.stopped {
        output::text("ended the running instance\n")?;
        if removed.maps == 0 {
            return output::text("it removed everything itself (--unload-on-exit)\n");
        }
    }
    output::text(&format!(
        "removed {} programs and {} maps, {} sessions were followed\n",
        removed.programs, removed.maps, removed.sessions
    ))
}
