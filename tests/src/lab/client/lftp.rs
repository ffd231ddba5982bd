//! lftp.

use std::process::Command;

use anyhow::Result;

use super::{Job, Mode, Session};

pub(super) fn command(session: &Session, job: Job<'_>) -> Result<(Command, String)> {
    let Session { how, target } = session;
    let (passive, epsv) = match how.mode {
        Mode::Port => ("no", "no"),
        Mode::Pasv => ("yes", "no"),
        Mode::Epsv => ("yes", "yes"),
        // Over IPv6 there is no other active mode.
        Mode::Eprt if target.at.is_ipv6() => ("no", "no"),
        Mode::Eprt => return session.unsupported(),
    };
    let patience = session.patience();
    let work = match job {
        Job::Get(name, local) => format!("get {name} -o {}", local.display()),
        Job::Put(local, name) => format!("put {} -o {name}", local.display()),
        Job::List | Job::GetMany(..) => "ls".to_owned(),
    };
    // One try only, no silent change of the mode, no address but the server's own.
    let script = format!(
        "set cmd:fail-exit yes
set ftp:passive-mode {passive}
set ftp:auto-passive-mode no
set ftp:prefer-epsv {epsv}
set ftp:fix-pasv-address no
set ftp:ssl-allow {encrypted}
set ftp:ssl-force {encrypted}
set ftp:ssl-protect-data {encrypted}
set ssl:verify-certificate no
set ftp:use-mlsd no
set net:max-retries 1
set net:timeout {patience}
set net:persist-retries 0
set xfer:clobber yes
debug -o {log} 5
open -u {user},{password} -p {port} {ip}
{work}
",
        encrypted = if how.encrypted { "yes" } else { "no" },
        user = target.user,
        password = target.password,
        port = target.at.port(),
        ip = target.at.ip(),
        log = how.host.dir().join("lftp.log").display(),
    );
    let mut command = how.host.command("lftp");
    // Neither the settings nor the history of whoever runs this.
    command
        .args(["--norc", "-f", "/dev/stdin"])
        .env("HOME", how.host.dir());
    Ok((command, script))
}
