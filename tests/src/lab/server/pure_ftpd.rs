//! Pure-FTPd, unpacked from its package: one virtual user who may upload.

use std::process::Stdio;

use anyhow::Result;

use super::{Ready, Setup};
use crate::lab::{host::Host, peers::Unpacked, wait};

const USER: &str = "lab";
const PASSWORD: &str = "laboratory";
/// crypt(3) of the password. `pure-pw useradd` would hash it so that every log-in
/// takes seconds.
const HASH: &str =
    "$6$lab$tSJw70D/eg6SST8W8VbpRQ3yONCRI0Z.epQywl2GWS6z70NZ3V/aEp3h3g798H.VDrAbkbdTJtT1u1VwScbby1";
const USERS: &str = "users";

pub(super) fn prepare(host: &Host, setup: &Setup) -> Result<Ready> {
    let peer = Unpacked::find("pure-ftpd", "usr/sbin/pure-ftpd")?;
    let pure_pw = peer.tool("usr/bin/pure-pw")?;
    let (users, database) = (setup.dir.join(USERS), setup.dir.join("users.pdb"));
    let (nobody, nogroup) = (65534, 65534);
    setup.write(
        USERS,
        &format!(
            "{USER}:{HASH}:{nobody}:{nogroup}::{}/./::::::::::::\n",
            setup.root.display()
        ),
    )?;
    let mut make = host.command(&pure_pw);
    make.env("LD_LIBRARY_PATH", peer.libraries()?)
        .arg("mkdb")
        .arg(&database)
        .arg("-f")
        .arg(&users);
    host.finish(make, "pure-pw", "", wait::PATIENCE)?
        .success("pure-pw mkdb")?;

    let mut command = host.command(&peer.program);
    command
        .env("LD_LIBRARY_PATH", peer.libraries()?)
        .arg("-S")
        .arg(format!("{},{}", setup.ip, setup.port))
        .arg("-l")
        .arg(format!("puredb:{}", database.display()))
        .arg("-g")
        .arg(setup.dir.join("pure-ftpd.pid"))
        // No names asked for, nobody below uid 1, everyone in their own root, no fortune.
        .args([
            "-H", "-u", "1", "-A", "-E", "-U", "133:022", "-C", "50", "-k", "100",
        ])
        .stdin(Stdio::null());
    if let Some(address) = setup.passive_address {
        command.args(["-P", &address.to_string()]);
    }
    if let Some((first, last)) = setup.passive_ports {
        command.args(["-p", &format!("{first}:{last}")]);
    }
    command.args(&setup.extra);
    Ok(Ready {
        command,
        user: USER.into(),
        password: PASSWORD.into(),
    })
}
