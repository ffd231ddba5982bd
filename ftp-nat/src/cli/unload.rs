//! `ftp-nat unload`.

use anyhow::Context as _;
use clap::Args;

use super::{PinPath, output};
use crate::{daemon::BROKEN, drain, loader::unload};

/// Remove the programs from all interfaces, and all maps.
///
/// Nothing new is helped from now on, and announcements that wait for their data
/// connection are withdrawn. Then this waits until the control connections whose
/// sequence numbers are shifted, and the data connections, have ended, and
/// removes all. Interrupted, it leaves things as they are then: nothing new is
/// helped, and the rest goes on; `unload` waits again, `run` helps again.
///
/// Also removes what is left of interfaces that are gone, and what another
/// version pinned. A running instance is not disturbed unless --stop is given.
/// The empty clsact qdisc that kernels before 6.6 need stays.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Don't wait: connections that can't go on without the programs are lost.
    #[arg(long)]
    now: bool,
    /// End a running instance first (SIGTERM, then up to 10 seconds).
    ///
    /// One with --unload-on-exit leaves the removing to this command, unless
    /// --now is given too.
    #[arg(long)]
    stop: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let path = &options.pin_path.pin_path;
    let removed = if options.now {
        unload::unload(path, options.stop)
    } else {
        drain::unload(path, options.stop, |left| {
            if left != drain::Left::default() {
                output::progress(&format!("draining, nothing new is helped: {left}"));
            }
        })
    };
    let removed = removed.context("unload")?;
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
