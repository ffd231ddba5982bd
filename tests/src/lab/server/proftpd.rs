//! ProFTPD, unpacked from its package: an anonymous user who may upload.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Ready, Setup, UPLOAD};
use crate::lab::{host::Host, peers::Unpacked};

pub(super) fn prepare(host: &Host, setup: &Setup) -> Result<Ready> {
    let peer = Unpacked::find("proftpd", "usr/sbin/proftpd")?;
    let dir = setup.dir.display();
    let mut config = format!(
        "ServerName lab
ServerType standalone
UseIPv6 {ipv6}
DefaultAddress {ip}
SocketBindTight on
Port {port}
User nobody
Group nogroup
Umask 022
UseReverseDNS off
RequireValidShell off
UseFtpUsers off
AuthPAM off
AuthOrder mod_auth_unix.c
ControlsEngine off
DelayEngine off
WtmpLog off
TransferLog none
PidFile {dir}/proftpd.pid
ScoreboardFile {dir}/proftpd.scoreboard
SystemLog {dir}/proftpd.log
TimeoutNoTransfer 30
TimeoutStalled 30
<Anonymous {root}>
  User nobody
  Group nogroup
  UserAlias anonymous nobody
  AnonRequirePassword off
  RequireValidShell off
  <Directory {UPLOAD}>
    AllowOverwrite on
    <Limit ALL>
      AllowAll
    </Limit>
  </Directory>
</Anonymous>
",
        ipv6 = if setup.ip.is_ipv4() { "off" } else { "on" },
        ip = setup.ip,
        port = setup.port,
        root = setup.root.display(),
    );
    if let Some(address) = setup.passive_address {
        writeln!(config, "MasqueradeAddress {address}")?;
    }
    if let Some((first, last)) = setup.passive_ports {
        writeln!(config, "PassivePorts {first} {last}")?;
    }
    for line in &setup.extra {
        writeln!(config, "{line}")?;
    }
    let mut command = host.command(&peer.program);
    command
        .env("LD_LIBRARY_PATH", peer.libraries()?)
        .args(["--nodaemon", "--quiet", "--config"])
        .arg(setup.write("proftpd.conf", &config)?);
    Ok(Ready {
        command,
        user: "anonymous".into(),
        password: "lab@example.org".into(),
    })
}
