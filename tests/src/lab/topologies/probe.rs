//! Trial connections that must not get through.

use std::{net::SocketAddr, os::fd::AsRawFd as _};

use anyhow::{Result, bail};
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getpeername, getsockopt,
        socket, sockopt,
    },
};

use super::Site;
use crate::lab::{firewall, host::Host, wait};

impl Site {
    /// That a host can't connect to `to`: the attempt is refused, or its SYN is
    /// dropped by the gateway's forward chain. Silence alone proves nothing.
    pub fn is_shut(&self, from: &Host, to: SocketAddr) -> Result<()> {
        let family = if to.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        let dropped = || firewall::counted(&self.gateway, "dropped_new");
        let before = dropped()?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let trial = from.enter(|| Ok(socket(family, SockType::Stream, flags, None)?))?;
        match connect(trial.as_raw_fd(), &SockaddrStorage::from(to)) {
            Err(Errno::EINPROGRESS) => {}
            Ok(()) => bail!("{} came through to {to}", from.name()),
            Err(_) => return Ok(()),
        }
        let what = format!("an answer to {} at {to}, or its SYN dropped", from.name());
        wait::until_true(&what, wait::PATIENCE, || {
            if getpeername::<SockaddrStorage>(trial.as_raw_fd()).is_ok() {
                bail!("{} came through to {to}", from.name());
            }
            Ok(getsockopt(&trial, sockopt::SocketError)? != 0 || dropped()? > before)
        })
    }
}
