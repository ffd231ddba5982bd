//! Client sockets whose options are set before they connect.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket,
        sockopt,
    },
};

use crate::lab::{host::Host, wait};

/// How a socket is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Socket {
    /// `TCP_MAXSEG`: limits the segments of both directions.
    pub max_segment: Option<u32>,
    /// Keep-alive probes after so many idle seconds, and again as often.
    pub keep_alive: Option<u32>,
    /// `SO_RCVBUF`.
    pub receive_buffer: Option<usize>,
    /// Leaves Nagle's algorithm on.
    pub nagle: bool,
    /// Connects from this address and port.
    pub from: Option<SocketAddr>,
    /// `TCP_FASTOPEN_CONNECT`: what is written first goes into the SYN.
    pub fast_open: bool,
}

impl Socket {
    /// Connects from a host.
    pub fn connect(self, host: &Host, to: SocketAddr) -> Result<TcpStream> {
        let family = if to.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        host.enter(|| {
            let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            self.prepare(&fd)?;
            if let Some(from) = self.from {
                bind(fd.as_raw_fd(), &SockaddrStorage::from(from))
                    .with_context(|| format!("cannot connect from {from}"))?;
            }
            connect(fd.as_raw_fd(), &SockaddrStorage::from(to))
                .with_context(|| format!("cannot connect to {to}"))?;
            let stream = TcpStream::from(fd);
            stream.set_nodelay(!self.nagle)?;
            Ok(stream)
        })
    }

    /// Sends a SYN and doesn't wait for an answer.
    pub fn begin(self, host: &Host, to: SocketAddr) -> Result<OwnedFd> {
        host.enter(|| {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
            self.prepare(&fd)?;
            match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
                Ok(()) | Err(Errno::EINPROGRESS) => Ok(fd),
                Err(e) => Err(e).with_context(|| format!("cannot connect to {to}")),
            }
        })
    }

    fn prepare(self, fd: &OwnedFd) -> Result<()> {
        if let Some(max) = self.max_segment {
            setsockopt(fd, sockopt::TcpMaxSeg, &max).context("TCP_MAXSEG")?;
        }
        if let Some(seconds) = self.keep_alive {
            setsockopt(fd, sockopt::KeepAlive, &true)?;
            setsockopt(fd, sockopt::TcpKeepIdle, &seconds)?;
            setsockopt(fd, sockopt::TcpKeepInterval, &seconds)?;
        }
        if let Some(bytes) = self.receive_buffer {
            setsockopt(fd, sockopt::RcvBuf, &bytes)?;
        }
        if self.fast_open {
            let on: libc::c_int = 1;
            // SAFETY: the pointer is to a live int of the size given.
            let done = unsafe {
                libc::setsockopt(
                    fd.as_raw_fd(),
                    libc::IPPROTO_TCP,
                    libc::TCP_FASTOPEN_CONNECT,
                    (&raw const on).cast(),
                    size_of_val(&on) as libc::socklen_t,
                )
            };
            ensure!(
                done == 0,
                "TCP_FASTOPEN_CONNECT: {}",
                std::io::Error::last_os_error()
            );
        }
        Ok(())
    }
}

/// Bytes that were written and that the peer has not acknowledged.
pub fn unacknowledged(stream: &TcpStream) -> Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the pointer is to a live int, which SIOCOUTQ writes.
    let done = unsafe { libc::ioctl(stream.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    ensure!(done == 0, "SIOCOUTQ: {}", std::io::Error::last_os_error());
    Ok(usize::try_from(bytes)?)
}

/// Waits until all that was written has been acknowledged.
pub fn until_acknowledged(stream: &TcpStream, limit: Duration) -> Result<()> {
    wait::until_true("all that was written to be acknowledged", limit, || {
        Ok(unacknowledged(stream)? == 0)
    })
}
