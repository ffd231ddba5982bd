//! A daemon with full tables: listing them, expiring all of them, and how soon
//! it does what it is told meanwhile.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use ftp_nat::maps::{Cursor, Maps};
use ftp_nat_common::session::{CLIENT, HalfRef, SERVER, SESSION_RST, Session};
use ftp_nat_tests::lab::{Lab, wait};

use crate::{
    report::{Case, Series},
    turns::Effort,
};

/// What a sweep of so many may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Fills the maps of a daemon with the given sessions.
pub fn run(effort: &Effort, sessions: &[Session]) -> Result<Vec<Case>> {
    let lab = Lab::masquerade()?;
    let room = (sessions.len() + sessions.len() / 8).to_string();
    let mut helper = lab.ftp_nat().arg("--max-sessions").arg(&room).start()?;
    let maps = Maps::open(helper.pin_path())?;
    fill(&maps, sessions)?;

    let mut listing = Vec::new();
    for _ in 0..effort.pairs {
        let start = Instant::now();
        let shown = helper.json("sessions")?;
        listing.push(start.elapsed().as_secs_f64());
        let shown = shown["sessions"].as_array().map_or(0, Vec::len);
        ensure!(shown == sessions.len(), "{shown} sessions were listed");
    }

    let looking = super::screen::run(effort, &helper, &maps, sessions)?;

    let (mut sweeping, mut ending) = (Vec::new(), Vec::new());
    for turn in 0..effort.pairs {
        helper.terminate()?;
        fill(&maps, sessions)?;
        expire(&maps, sessions)?;
        // A daemon that has just begun sweeps at once.
        helper.run_again()?;
        let start = Instant::now();
        wait::until_true("the first session to go", LIMIT, || {
            Ok(maps.sessions.get(&sessions[0].id)?.is_none())
        })?;
        wait::until_true("an empty table", LIMIT, || {
            Ok(maps.sessions.page(&mut Cursor::Start, 1)?.is_empty())
        })?;
        sweeping.push(start.elapsed().as_secs_f64());

        helper.terminate()?;
        fill(&maps, sessions)?;
        expire(&maps, sessions)?;
        helper.run_again()?;
        // Somewhere within the sweep.
        thread::sleep(Duration::from_millis(u64::from(turn) * 30));
        let start = Instant::now();
        helper.terminate()?;
        ending.push(start.elapsed().as_secs_f64() * 1e3);
        helper.run_again()?;
    }
    let count = sessions.len();
    let case = |name: &str, unit, label: &str, samples| {
        let series = vec![Series::of(label, samples, None)];
        Case::new(format!("scale: {name}"), unit, series).print()
    };
    Ok(vec![
        case(
            "listing",
            "s",
            &format!("sessions --json, of {count}"),
            listing,
        ),
        case(
            "expiry",
            "s",
            &format!("a sweep that removes {count}"),
            sweeping,
        ),
        case(
            "the daemon meanwhile",
            "ms",
            "from SIGTERM to its end, in a sweep",
            ending,
        ),
        looking,
    ])
}

fn fill(maps: &Maps, sessions: &[Session]) -> Result<()> {
    for session in sessions {
        for role in [CLIENT, SERVER] {
            let half = HalfRef::new(session.id, role);
            maps.halves.set(&session.half_key(role), &half)?;
        }
        maps.sessions.set(&session.id, session)?;
    }
    Ok(())
}

/// As if all had been reset when the machine started.
fn expire(maps: &Maps, sessions: &[Session]) -> Result<()> {
    for session in sessions {
        let mut over = *session;
        over.flags |= SESSION_RST;
        over.last_ns = 1;
        maps.sessions.set(&over.id, &over)?;
    }
    Ok(())
}
