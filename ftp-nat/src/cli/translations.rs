//! `ftp-nat translations`.

use anyhow::Context as _;
use clap::Args;

use super::{PinPath, output};
use crate::{
    render,
    view::{
        Context,
        translations::{Which, collect},
    },
};

/// Print the announced data connections: who announced what, and what became of it.
///
/// A pending one waits for its connection; the others are named by the state of
/// the connection that came.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Print JSON (docs/json.md).
    #[arg(long)]
    json: bool,
    /// Only those whose data connection has not come yet.
    #[arg(long, conflicts_with = "active")]
    pending: bool,
    /// Only those whose data connection came.
    #[arg(long)]
    active: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let which = match (options.pending, options.active) {
        (true, _) => Which::Pending,
        (_, true) => Which::Active,
        _ => Which::All,
    };
    let maps = options.pin_path.maps().context("translations")?;
    let found = collect(&maps, &Context::now()?, which).context("translations")?;
    if options.json {
        return output::json(&found);
    }
    output::text(&render::translations(&found))
}
