//! `ftp-nat explain`.

use std::{
    io::{IsTerminal as _, stdout},
    net::IpAddr,
    path::Path,
};

use anyhow::{Context as _, bail};
use clap::Args;
use ftp_nat_common::layout::INTERFACE_LAN;
use jiff::Timestamp;

use super::{PinPath, output};
use crate::{
    control_socket::{Answer, Request, ask::ask},
    doctor,
    explain::{Explanation, Silent, Surroundings, dials, elsewhere, explain},
    history::{Found, Which},
    maps::Maps,
    render,
    sys::clock,
    view::{Context, translations},
};

/// Say why a transfer works or doesn't: what each end said and got, and what to do.
///
/// Without arguments it is about the session that was heard of last. `run` keeps
/// the latest few thousand sessions, finished ones too. Passwords and names are not
/// among what it keeps.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The session, as `ftp-nat sessions` and `ftp-nat events` name it; its first
    /// digits are enough.
    #[arg(conflicts_with_all = ["client", "last"])]
    session: Option<String>,
    /// The sessions of a client, by its own address or by the one that servers see.
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
    /// How many sessions, the latest ones.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    last: u16,
    /// Print JSON (docs/json.md).
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pin_path: PinPath,
}

impl Options {
    fn which(&self) -> Which {
        let last = usize::from(self.last);
        match (&self.session, self.client) {
            (Some(name), _) => Which::Name {
                prefix: name.trim_start_matches("0x").to_owned(),
            },
            (None, Some(address)) => Which::Client { address, last },
            (None, None) => Which::Last { last },
        }
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let explanation = explanation(options).context("explain")?;
    if options.json {
        return output::json(&explanation);
    }
    let style = render::Style {
        width: width(),
        color: stdout().is_terminal(),
    };
    output::text(&render::explanation(&explanation, Timestamp::now(), style))
}

/// Columns of the terminal; 98 where there is none, which is what a ladder needs.
fn width() -> usize {
    if !stdout().is_terminal() {
        return 98;
    }
    terminal_size::terminal_size().map_or(80, |(columns, _)| usize::from(columns.0))
}

fn explanation(options: &Options) -> anyhow::Result<Explanation> {
    let path = options.pin_path.served()?;
    let maps = options.pin_path.maps()?;
    let which = options.which();
    let found = find(&path, which)?;
    if let Some(name) = &options.session
        && found.sessions.is_empty()
    {
        bail!(
            "no session {name}: `ftp-nat explain --last 10` shows the latest ones, `ftp-nat sessions` those \
             that are open"
        );
    }
    let mut around = Surroundings::of(&maps)?;
    around.elsewhere = elsewhere::of(options.client, &around.ports);
    let open = translations::collect(&maps, &Context::now()?, translations::Which::Active)?;
    around.silent = Silent::of(&open.translations);
    if options.session.is_none() {
        look_at_dials(options, &path, &maps, &found, &mut around)?;
    }
    Ok(explain(found, options.client, Timestamp::now(), &around))
}

/// Looks for a control connection that didn't come about, later than what was found.
fn look_at_dials(
    options: &Options,
    path: &Path,
    maps: &Maps,
    found: &Found,
    around: &mut Surroundings,
) -> anyhow::Result<()> {
    let sightings = maps.sightings.all()?;
    let candidates = maps.candidates.all()?;
    let is_watched = |port| around.ports.contains(&port);
    let all = dials::of(&sightings, &candidates, is_watched, clock::monotonic_ns());
    let inside = maps.interfaces.all()?;
    let is_inside = |index| {
        let mut entries = inside.iter();
        entries.any(|(known, entry)| *known == index && entry.flags & INTERFACE_LAN != 0)
    };
    let chosen = dials::choose(&all, options.client, found, is_inside, Timestamp::now());
    for dial in chosen {
        // Of a server on the gateway only the session tells that it came about.
        let which = Which::Client {
            address: dial.client.ip(),
            last: usize::from(u16::MAX),
        };
        let known = find(path, which)?.sessions;
        let mut ends = known.iter().filter_map(|record| record.ends.as_ref());
        if ends.any(|ends| ends.client == dial.client) {
            continue;
        }
        let mut dial = dial.clone();
        dials::way::look(&mut dial, around);
        around.dial = Some(dial);
        let blocks = doctor::blocks(options.pin_path.pin_path.clone());
        let blocks = blocks.into_iter().map(|check| [check.reason, check.mend]);
        around.blocks = blocks.collect();
        break;
    }
    Ok(())
}

/// Asks `run` what it knows.
pub(super) fn find(path: &Path, which: Which) -> anyhow::Result<Found> {
    for answer in ask(path, &Request::History { which })? {
        if let Answer::History(found) = answer? {
            return Ok(found);
        }
    }
    bail!("`run` did not answer as expected: it is of another version; start it again")
}
