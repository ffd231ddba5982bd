//! `ftp-nat ports`.

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{PinPath, output};
use crate::{
    maps::Maps,
    ports::{self, ControlPort, PortSet},
    view::ports::collect,
};

/// List or change the control ports that are watched.
///
/// Changes take effect at once and last as long as the data path. They need no
/// running instance.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the watched ports.
    List {
        #[command(flatten)]
        pin_path: PinPath,
        /// Print JSON (docs/json.md).
        #[arg(long)]
        json: bool,
    },
    /// Watch more ports.
    Add {
        #[command(flatten)]
        change: Change,
    },
    /// Watch some ports no longer.
    ///
    /// New connections to them are passed untouched. Sessions that use them
    /// already go on to be served.
    Remove {
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Debug, Args)]
struct Change {
    /// TCP ports, 1 to 65535; separated by spaces or commas.
    #[arg(required = true, value_name = "N", value_delimiter = ',')]
    ports: Vec<ControlPort>,
    #[command(flatten)]
    pin_path: PinPath,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    match &options.action {
        Action::List { pin_path, json } => list(pin_path, *json).context("ports list"),
        Action::Add { change } => change.apply(ports::add).context("ports add"),
        Action::Remove { change } => change.apply(ports::remove).context("ports remove"),
    }
}

fn list(pin_path: &PinPath, json: bool) -> anyhow::Result<()> {
    let found = collect(&pin_path.maps()?)?;
    if json {
        return output::json(&found);
    }
    output::text(
        &found
            .ports
            .iter()
            .map(|port| format!("{port}\n"))
            .collect::<String>(),
    )
}

impl Change {
    fn apply(&self, change: fn(&Maps, &PortSet) -> crate::Result<()>) -> anyhow::Result<()> {
        let pins = self.pin_path.open()?;
        let maps = Maps::open(pins.path())?;
        // Two that change the same word at once would lose one change.
        let _lock = pins.lock_ports()?;
        change(&maps, &self.ports.iter().copied().collect())?;
        output::text(&format!("watching: {}\n", ports::watched(&maps)?))
    }
}
