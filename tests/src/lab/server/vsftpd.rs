//! vsftpd: an anonymous user who may upload.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use nix::unistd::User;

use super::{Ready, Setup};
use crate::lab::{host::Host, peers};

pub(super) fn prepare(host: &Host, setup: &Setup) -> Result<Ready> {
    let program = peers::installed("vsftpd")?;
    let listen = if setup.ip.is_ipv4() {
        "listen"
    } else {
        "listen_ipv6"
    };
    let address = if setup.ip.is_ipv4() {
        "listen_address"
    } else {
        "listen_address6"
    };
    let mut config = format!(
        "background=NO
{listen}=YES
{address}={ip}
listen_port={port}
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
no_anon_password=YES
ftp_username={user}
anon_root={root}
secure_chroot_dir={empty}
nopriv_user=nobody
connect_from_port_20=YES
pasv_enable=YES
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
xferlog_enable=NO
connect_timeout=10
accept_timeout=10
",
        ip = setup.ip,
        port = setup.port,
        user = anonymous_user()?,
        root = setup.root.display(),
        empty = setup.empty.display(),
    );
    if let Some(address) = setup.passive_address {
        writeln!(config, "pasv_address={address}")?;
    }
    if let Some((first, last)) = setup.passive_ports {
        writeln!(config, "pasv_min_port={first}\npasv_max_port={last}")?;
    }
    for line in &setup.extra {
        writeln!(config, "{line}")?;
    }
    let mut command = host.command(program);
    command.arg(setup.write("vsftpd.conf", &config)?);
    Ok(Ready {
        command,
        user: "anonymous".into(),
        password: "lab@example.org".into(),
    })
}

/// An account without rights whose home exists: vsftpd enters it before it
/// looks at `anon_root`.
fn anonymous_user() -> Result<String> {
    let usable =
        |name: &&str| User::from_name(name).is_ok_and(|user| user.is_some_and(|u| u.dir.is_dir()));
    let user = ["ftp", "nobody", "daemon"].into_iter().find(usable);
    Ok(user
        .context("none of the users ftp, nobody and daemon has a home that exists")?
        .to_owned())
}
