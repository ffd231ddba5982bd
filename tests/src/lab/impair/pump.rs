//! Two AF_PACKET sockets and what carries frames from one to the other.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{read, write},
};

use super::{
    Impairment,
    fate::{Lane, Tally},
};
use crate::lab::capture::{Direction, Packet, socket};

/// How long the loop waits before it looks whether to stop.
const TICK: Duration = Duration::from_millis(20);

/// Opens one port of the relay, in the namespace this is called in.
pub(super) fn open(interface: &str) -> Result<OwnedFd> {
    let port = socket::open(interface)?;
    // What the other port sends here must not come back.
    socket::ignore_outgoing(&port)?;
    socket::nonblocking(&port)?;
    Ok(port)
}

/// Carries frames both ways until told to stop.
pub(super) fn run(ports: &[OwnedFd; 2], how: Impairment, stop: &AtomicBool) -> Result<Tally> {
    let mut lanes = [Lane::new(how, 0), Lane::new(how, 1)];
    let mut buffer = vec![0u8; 1 << 18];
    while !stop.load(Ordering::Acquire) {
        for from in [0, 1] {
            let lane = &mut lanes[from];
            while let Some(frame) = receive(&ports[from], &mut buffer)? {
                let now = Instant::now();
                let out = match syn_of(frame) {
                    Some(syn) => lane.take(frame, syn, now),
                    None => vec![frame.to_vec()],
                };
                send(&ports[1 - from], &out)?;
            }
            let due = lane.overdue(Instant::now());
            send(&ports[1 - from], &due)?;
        }
        let first = lanes.iter().filter_map(Lane::deadline).min();
        let wait = first.map_or(TICK, |at| {
            at.saturating_duration_since(Instant::now()).min(TICK)
        });
        let mut polled = ports
            .each_ref()
            .map(|p| PollFd::new(p.as_fd(), PollFlags::POLLIN));
        // Rounded up: a frame is rather late than waited for in a busy loop.
        let wait = PollTimeout::from(wait.as_millis() as u16 + 1);
        match poll(&mut polled, wait) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for frames"),
        }
    }
    let mut tally = Tally::default();
    lanes.iter().for_each(|l| tally += l.tally);
    Ok(tally)
}

/// Whether a frame is a TCP segment with SYN; none if it isn't TCP at all.
fn syn_of(frame: &[u8]) -> Option<bool> {
    let packet = Packet {
        at: Duration::ZERO,
        direction: Direction::Received,
        checksum_pending: false,
        gso_size: 0,
        frame: frame.get(socket::VNET_HDR_LEN..)?.to_vec(),
    };
    packet.tcp().map(|tcp| tcp.flags.syn())
}

/// The next frame that waits, with its offload header.
fn receive<'a>(port: &OwnedFd, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
    match read(port, buffer) {
        Ok(len) => Ok(Some(&buffer[..len])),
        // The link went down with a namespace: nothing more will come.
        Err(Errno::EAGAIN | Errno::ENETDOWN | Errno::ENXIO) => Ok(None),
        Err(error) => Err(error).context("cannot read a frame"),
    }
}

fn send(port: &OwnedFd, frames: &[Vec<u8>]) -> Result<()> {
    for frame in frames {
        match write(port, frame) {
            // A full queue loses frames, as queues do, and so does a link whose
            // other end is gone.
            Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENETDOWN | Errno::ENXIO) => {}
            Err(error) => {
                return Err(io::Error::from(error)).context("cannot pass a frame on");
            }
        }
    }
    Ok(())
}
