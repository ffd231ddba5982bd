//! curl.

use std::process::Command;

use anyhow::Result;

use super::{Job, Mode, Session};

pub(super) fn command(session: &Session, job: Job<'_>) -> Result<(Command, String)> {
    let Session { how, target } = session;
    let mut command = how.host.command("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--verbose",
            "--disable",
            "--max-time",
        ])
        .arg(session.patience().to_string())
        .args(["--user", &format!("{}:{}", target.user, target.password)]);
    match how.mode {
        // `-` means the address of the control connection.
        Mode::Port => command.args(["--ftp-port", "-", "--disable-eprt"]),
        Mode::Eprt => command.args(["--ftp-port", "-", "--eprt"]),
        // By default curl ignores the address in 227 and dials the server's,
        // which would hide that it was wrong.
        Mode::Pasv => command.args(["--ftp-pasv", "--disable-epsv", "--no-ftp-skip-pasv-ip"]),
        Mode::Epsv => command.args(["--ftp-pasv", "--epsv"]),
    };
    if how.encrypted {
        // The certificate is the lab's own.
        command.args(["--ssl-reqd", "--insecure"]);
    }
    let url = |path: &str| format!("ftp://{}/{path}", target.at);
    match job {
        Job::Get(name, local) => command.arg("--output").arg(local).arg(url(name)),
        Job::Put(local, name) => command.arg("--upload-file").arg(local).arg(url(name)),
        Job::List | Job::GetMany(..) => command.arg(url("")),
    };
    Ok((command, String::new()))
}
