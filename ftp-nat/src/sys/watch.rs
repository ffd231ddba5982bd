//! Tells when network interfaces or their addresses change, by rtnetlink.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::{Interest, unix::AsyncFd};

use crate::error::{Error, Result};

/// `RTMGRP_LINK`, `RTMGRP_TC`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR` of
/// <linux/rtnetlink.h>: devices, filters and addresses that come, change and go.
const GROUPS: u32 = 0x1 | 0x8 | 0x10 | 0x100;

/// A socket on which the kernel tells of changes.
pub(crate) struct Watch(AsyncFd<Fd>);

struct Fd(Socket);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Watch {
    /// From now on.
    pub(crate) fn new() -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, GROUPS))?;
            socket.set_non_blocking(true)?;
            // SAFETY: the socket owns its descriptor, which stays open and the same
            // while it lives.
            unsafe { AsyncFd::register_with_interest(Fd(socket), Interest::READABLE) }
                .map_err(|e| io::Error::other(e.to_string()))
        };
        open()
            .map(Self)
            .map_err(Error::io("watching the network interfaces"))
    }

    /// Waits until something may have changed. What it was is not told: the
    /// kernel drops messages that find no room, so whoever wants to know has to
    /// look at everything anyway.
    pub(crate) async fn changed(&mut self) -> Result<()> {
        let fail = || Error::io("watching the network interfaces");
        loop {
            let mut guard = self.0.readable_mut().await.map_err(fail())?;
            let mut any = false;
            let mut buffer = [0u8; 8192];
            loop {
                match guard.get_inner_mut().0.recv(&mut buffer.as_mut_slice(), 0) {
                    Ok(_) => any = true,
                    Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => any = true,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(fail()(e)),
                }
            }
            guard.clear_ready();
            if any {
                return Ok(());
            }
        }
    }
}
