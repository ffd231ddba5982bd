//! The two clients that are typed at: tnftp and inetutils' ftp. Both read their
//! commands from standard input and end with success whatever happened.

use std::process::Command;

use anyhow::{Result, bail};

use super::{Job, Mode, Session};
use crate::lab::process::Finished;

/// Where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Tnftp,
    Inetutils,
}

pub(super) fn command(
    session: &Session,
    job: Job<'_>,
    dialect: Dialect,
) -> Result<(Command, String)> {
    let Session { how, target } = session;
    let (program, active, passive) = match dialect {
        Dialect::Tnftp => ("tnftp", "-A", "-p"),
        Dialect::Inetutils => ("inetutils-ftp", "-A", "-p"),
    };
    let mut command = how.host.command(program);
    // No auto-login, no questions, replies shown.
    command.args(["-n", "-i", "-v"]).env("HOME", how.host.dir());
    let mut script = String::new();
    match (dialect, how.mode) {
        (Dialect::Tnftp, Mode::Port) => {
            command.arg(active);
            script.push_str("epsv4\n");
        }
        (Dialect::Tnftp, Mode::Eprt) => drop(command.arg(active)),
        (Dialect::Tnftp, Mode::Pasv) => {
            command.arg(passive);
            script.push_str("epsv4\n");
        }
        (Dialect::Tnftp, Mode::Epsv) => drop(command.arg(passive)),
        (Dialect::Inetutils, Mode::Port) => drop(command.arg(active)),
        (Dialect::Inetutils, Mode::Pasv) => drop(command.arg(passive)),
        (Dialect::Inetutils, Mode::Eprt | Mode::Epsv) => return session.unsupported(),
    }
    let work = match job {
        Job::Get(name, local) => format!("get {name} {}", local.display()),
        Job::Put(local, name) => format!("put {} {name}", local.display()),
        Job::List | Job::GetMany(..) => "ls".to_owned(),
    };
    script.push_str(&format!(
        "open {ip} {port}
user {user} {password}
binary
{work}
quit
",
        ip = target.at.ip(),
        port = target.at.port(),
        user = target.user,
        password = target.password,
    ));
    Ok((command, script))
}

/// Success is a login and a transfer that the server confirmed.
pub(super) fn judge(done: Finished, what: &str) -> Result<Finished> {
    let said = done.text() + &done.stderr;
    let confirmed = |code: &str| said.lines().any(|line| line.starts_with(code));
    if !confirmed("230") || !confirmed("226") {
        bail!("{what}: the server confirmed no transfer\n{said}");
    }
    Ok(done)
}
