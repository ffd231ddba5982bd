//! pyftpdlib, run by a small script: one virtual user who may upload.

use anyhow::Result;

use super::{Ready, Setup};
use crate::lab::{host::Host, peers};

const SCRIPT: &str = include_str!("pyftpdlib_server.py");
const USER: &str = "lab";
const PASSWORD: &str = "laboratory";

pub(super) fn prepare(host: &Host, setup: &Setup) -> Result<Ready> {
    let mut command = host.command(peers::python("pyftpdlib")?);
    command
        .args(["-u", "-W", "ignore"])
        .arg(setup.write("server.py", SCRIPT)?)
        .arg("--root")
        .arg(&setup.root)
        .args([
            "--address",
            &setup.ip.to_string(),
            "--port",
            &setup.port.to_string(),
        ])
        .args(["--user", USER, "--password", PASSWORD]);
    if let Some(address) = setup.passive_address {
        command.args(["--passive-address", &address.to_string()]);
    }
    if let Some((first, last)) = setup.passive_ports {
        command.args(["--passive-ports", &first.to_string(), &last.to_string()]);
    }
    command.args(&setup.extra);
    Ok(Ready {
        command,
        user: USER.into(),
        password: PASSWORD.into(),
    })
}
