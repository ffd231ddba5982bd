//! Sending and receiving a stream, at the least cost.

use std::{
    fs::File,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::Host;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::LIMIT;

/// Bytes handed over at once.
const PIECE: usize = 1 << 20;

/// A file in memory, to be sent.
pub fn file() -> Result<File> {
    let mut file = File::from(memfd_create("bench", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&vec![b'x'; PIECE])?;
    Ok(file)
}

/// Sends until the receiver goes away.
pub fn send(stream: &TcpStream, file: &File) -> Result<()> {
    loop {
        let mut offset = 0;
        // SAFETY: both descriptors are open, and the offset lives during the call.
        let sent =
            unsafe { libc::sendfile(stream.as_raw_fd(), file.as_raw_fd(), &mut offset, PIECE) };
        if sent < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(()),
                io::ErrorKind::Interrupted => continue,
                _ => Err(error).context("sending"),
            };
        }
    }
}

/// Receives until `until`, and gives the number of bytes, which are not copied:
/// with `MSG_TRUNC` a TCP socket throws them away.
pub fn receive(stream: &TcpStream, until: Instant) -> Result<u64> {
    let mut total = 0;
    while Instant::now() < until {
        // SAFETY: with MSG_TRUNC nothing is written to the buffer (tcp(7)).
        let got = unsafe {
            libc::recv(
                stream.as_raw_fd(),
                std::ptr::null_mut(),
                PIECE,
                libc::MSG_TRUNC,
            )
        };
        match got {
            0 => break,
            n if n > 0 => total += n.cast_unsigned() as u64,
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error).context("receiving");
                }
            }
        }
    }
    Ok(total)
}

/// Bytes a second of a stream that flows: measured for `slice` after `warm_up`.
pub fn rate(stream: &TcpStream, warm_up: Duration, slice: Duration) -> Result<f64> {
    stream.set_read_timeout(Some(LIMIT))?;
    receive(stream, Instant::now() + warm_up)?;
    let start = Instant::now();
    let bytes = receive(stream, start + slice)?;
    ensure!(bytes > 0, "nothing was received");
    Ok(bytes as f64 / start.elapsed().as_secs_f64())
}

/// Bytes a second from `from` to a plain listener of `to` at `port`.
pub fn between(
    from: &Host,
    to: (&Host, Ipv4Addr, u16),
    warm_up: Duration,
    slice: Duration,
) -> Result<f64> {
    let at = SocketAddr::from((to.1, to.2));
    let listener: TcpListener = to.0.listen(at)?;
    let sender = from.connect(at)?;
    let (receiver, _) = listener.accept()?;
    let file = file()?;
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(&sender, &file));
        let rate = rate(&receiver, warm_up, slice);
        drop(receiver);
        sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        rate
    })
}
