//! Python's ftplib.

use std::{fs, process::Command};

use anyhow::Result;

use super::{Job, Mode, Session};
use crate::lab::peers;

const SCRIPT: &str = include_str!("ftplib_client.py");

pub(super) fn command(session: &Session, job: Job<'_>) -> Result<(Command, String)> {
    let Session { how, target } = session;
    let mode = match how.mode {
        Mode::Port => "port",
        Mode::Eprt => "eprt",
        Mode::Pasv => "pasv",
        Mode::Epsv => "epsv",
    };
    let script = how.host.dir().join("ftplib_client.py");
    fs::write(&script, SCRIPT)?;
    let mut command = how.host.command(peers::python("ftplib")?);
    command
        .args(["-W", "ignore"])
        .arg(script)
        .args(["--address", &target.at.ip().to_string()])
        .args(["--port", &target.at.port().to_string()])
        .args(["--user", &target.user, "--password", &target.password])
        .args(["--timeout", &session.patience().to_string(), "--mode", mode]);
    match job {
        Job::Get(name, local) => command.args(["get", name]).arg(local),
        Job::Put(local, name) => command.arg("put").arg(local).arg(name),
        Job::List => command.arg("list"),
        Job::GetMany(name, local, times) => command
            .args(["--times", &times.to_string(), "get", name])
            .arg(local),
    };
    Ok((command, String::new()))
}
