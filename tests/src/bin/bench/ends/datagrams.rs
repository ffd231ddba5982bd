//! Small UDP packets, many with each call.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::Host;

use super::LIMIT;

const BATCH: usize = 32;
/// 60 bytes of IP packet, as of a query or a game.
const PAYLOAD: usize = 32;

/// Packets a second that arrive at a socket of `to`.
pub fn between(
    from: &Host,
    to: (&Host, Ipv4Addr, u16),
    warm_up: Duration,
    slice: Duration,
) -> Result<f64> {
    let at = SocketAddr::from((to.1, to.2));
    let receiver = to.0.enter(|| Ok(UdpSocket::bind(at)?))?;
    receiver.set_read_timeout(Some(LIMIT))?;
    let sender = from.enter(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(at)?;
        Ok(socket)
    })?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                exchange(&sender, Way::Send)?;
            }
            Ok(())
        });
        let received = receive(&receiver, Instant::now() + warm_up).and_then(|_| {
            let start = Instant::now();
            let count = receive(&receiver, start + slice)?;
            ensure!(count > 0, "nothing was received");
            Ok(count as f64 / start.elapsed().as_secs_f64())
        });
        stop.store(true, Ordering::Relaxed);
        let sent: Result<()> = sending
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        sent.and(received)
    })
}

fn receive(socket: &UdpSocket, until: Instant) -> Result<usize> {
    let mut count = 0;
    while Instant::now() < until {
        count += exchange(socket, Way::Receive)?;
    }
    Ok(count)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Send,
    Receive,
}

/// One call for up to [`BATCH`] packets; how many they were.
fn exchange(socket: &UdpSocket, way: Way) -> Result<usize> {
    let mut bytes = [[b'x'; PAYLOAD]; BATCH];
    let mut parts = bytes.each_mut().map(|packet| libc::iovec {
        iov_base: packet.as_mut_ptr().cast(),
        iov_len: packet.len(),
    });
    let mut messages = parts.each_mut().map(|part| {
        // SAFETY: a message header of zeroes is an empty one.
        let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
        message
    });
    let (fd, list, len) = (socket.as_raw_fd(), messages.as_mut_ptr(), BATCH as u32);
    // SAFETY: the headers and the buffers they point to live during the call.
    let done = unsafe {
        match way {
            Way::Send => libc::sendmmsg(fd, list, len, 0),
            Way::Receive => libc::recvmmsg(fd, list, len, libc::MSG_WAITFORONE, ptr::null_mut()),
        }
    };
    match usize::try_from(done) {
        Ok(count) => Ok(count),
        Err(_) => match io::Error::last_os_error() {
            // A full queue, or an answer that nobody is there (any more).
            error
                if [libc::ENOBUFS, libc::EAGAIN, libc::ECONNREFUSED, libc::EINTR]
                    .contains(&error.raw_os_error().unwrap_or_default())
                    && way == Way::Send =>
            {
                Ok(0)
            }
            error => Err(error).context("UDP packets"),
        },
    }
}
