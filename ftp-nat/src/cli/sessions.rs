//! `ftp-nat sessions`.

use anyhow::Context as _;
use clap::Args;

use super::{PinPath, output};
use crate::{
    render,
    view::{Context, sessions::collect},
};

/// Print the FTP control connections that are followed.
///
/// "as" tells how the other end sees an address. ANN counts announcements
/// rewritten or let through, REF those refused, DATA the data connections that
/// came; SHIFT is by how many bytes the client's and the server's stream have
/// grown.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Print JSON (docs/json.md).
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let maps = options.pin_path.maps().context("sessions")?;
    let sessions = collect(&maps, &Context::now()?).context("sessions")?;
    if options.json {
        return output::json(&sessions);
    }
    output::text(&render::sessions(&sessions))
}
