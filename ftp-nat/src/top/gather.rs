//! Reads the maps, and asks `run`.

use std::{path::Path, time::Duration};

use jiff::Timestamp;

use super::reading::{Ask, NotServed, Reading, Tables, Told};
use crate::{
    control_socket::{Answer, Request, ask::ask_within},
    error::{Error, Result},
    explain::Surroundings,
    history::Which,
    maps::Maps,
    sys::clock::monotonic_ns,
    view::{
        Context, sessions,
        stats::{self, Counted},
        translations,
    },
};

/// How long `run` may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads what is asked for. The maps are opened anew each time: so it is those
/// that are pinned now, and nothing is kept alive that was unloaded.
#[must_use]
pub fn read(pin_path: &Path, ask: &Ask) -> Reading {
    let begun = monotonic_ns();
    let tables = ask.tables.then(|| tables(pin_path).map_err(|e| e.whole()));
    Reading {
        now: Timestamp::now(),
        at_ns: begun,
        told: told(pin_path, ask).map_err(|e| match e {
            Error::NobodyServes { .. } => NotServed::NotRunning,
            other => NotServed::Other(other.whole()),
        }),
        took: Duration::from_nanos(monotonic_ns().saturating_sub(begun)),
        tables,
    }
}

fn tables(pin_path: &Path) -> Result<Tables> {
    let maps = Maps::open(pin_path)?;
    let context = Context::now()?;
    let timeout_ns = maps.settings.get(&0)?.map_or(0, |s| s.expect_timeout_ns);
    let (all, waiting) = (maps.sessions.all()?, maps.expectations.all()?);
    let flows = maps.flows.all()?;
    let counted = Counted {
        sessions: Some(all.len() as u64),
        flows: Some(flows.len() as u64),
    };
    Ok(Tables {
        sessions: sessions::of(&all, &context).sessions,
        transfers: translations::of(&waiting, timeout_ns, flows, &context).translations,
        stats: stats::collect_with(&maps, &context, counted)?,
        around: Surroundings::of(&maps)?,
    })
}

/// What `run` knows of some sessions; of none, that it is there.
pub fn told(pin_path: &Path, ask: &Ask) -> Result<Told> {
    let asked = ask.sessions.clone();
    let which = Which::Names {
        sessions: asked.clone(),
    };
    for answer in ask_within(pin_path, &Request::History { which }, Some(PATIENCE))? {
        if let Answer::History(found) = answer? {
            return Ok(Told { asked, found });
        }
    }
    Err(Error::io("asking `run`")(std::io::Error::other(
        "it is of another version: start it again",
    )))
}
