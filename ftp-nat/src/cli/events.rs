//! `ftp-nat events`.

use anyhow::Context as _;
use clap::Args;

use super::{PinPath, output};
use crate::{
    control_socket::{Answer, Request, ask::ask},
    render,
};

/// Print what happened lately: sessions, announcements, replies, data connections.
///
/// `run` keeps the latest few thousand in its memory. Nothing that was said is
/// among them: only verbs that matter, reply codes, addresses and ports.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    pin_path: PinPath,
    /// Print JSON (docs/json.md), one object per line.
    #[arg(long)]
    json: bool,
    /// Go on with what happens from now on, until interrupted.
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let follow = options.follow;
    let path = options.pin_path.served().context("events")?;
    for answer in ask(&path, &Request::Events { follow }).context("events")? {
        match answer.context("events")? {
            Answer::Event(entry) if options.json => output::json_line(&entry)?,
            Answer::Event(entry) => output::text(&render::event(&entry))?,
            Answer::Lost(lost) if options.json => {
                output::json_line(&serde_json::json!({ "event": "lost", "lost": lost }))?;
            }
            Answer::Lost(lost) => output::text(&format!("({lost} events were lost)\n"))?,
            _ => {}
        }
    }
    Ok(())
}
