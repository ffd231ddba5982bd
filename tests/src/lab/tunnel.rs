//! A link without Ethernet headers: two tun devices, and a program that carries
//! packets from one to the other, as a VPN does.
//!
//! The program may change what it carries: IP options and extension headers can
//! be put in, which no FTP program would send, and packets be cut into fragments.

use std::{
    fs::OpenOptions,
    io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{read, write},
};

use super::host::Host;

/// `TUNSETIFF` of `linux/if_tun.h`.
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
/// How long the loop waits before it looks whether to stop.
const TICK: Duration = Duration::from_millis(20);

/// What becomes of an IP packet on its way through a tunnel.
pub type Change = fn(&[u8]) -> Vec<Vec<u8>>;

/// It arrives as it was sent.
pub fn unchanged(packet: &[u8]) -> Vec<Vec<u8>> {
    vec![packet.to_vec()]
}

/// A tunnel; its two devices go when this is dropped.
#[derive(Debug)]
pub struct Tunnel {
    stop: Arc<AtomicBool>,
    stalled: Arc<AtomicBool>,
    pump: Option<JoinHandle<Result<()>>>,
}

impl Tunnel {
    /// Joins two hosts; each end is named by its own host. `change` is done to
    /// what goes from `a` to `b`.
    pub fn join(a: &Host, a_name: &str, b: &Host, b_name: &str, change: Change) -> Result<Self> {
        let ends = [open(a, a_name)?, open(b, b_name)?];
        let stop = Arc::new(AtomicBool::new(false));
        let stalled = Arc::new(AtomicBool::new(false));
        let flags = [Arc::clone(&stop), Arc::clone(&stalled)];
        let pump = std::thread::Builder::new()
            .name("tunnel".into())
            .spawn(move || carry(&ends, change, &flags))?;
        for (host, name) in [(a, a_name), (b, b_name)] {
            host.run(&["ip", "link", "set", name, "up"])?;
        }
        Ok(Self {
            stop,
            stalled,
            pump: Some(pump),
        })
    }

    /// Carries nothing, or goes on: what was sent meanwhile then arrives at once,
    /// as far as the devices' queues have kept it.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Release);
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(pump) = self.pump.take()
            && let Ok(Err(error)) = pump.join()
        {
            eprintln!("lab: a tunnel broke: {error:#}");
        }
    }
}

/// Makes a tun device without packet information before each packet.
fn open(host: &Host, name: &str) -> Result<OwnedFd> {
    let mut request = [0u8; 40];
    let room = request.len() - 24;
    ensure!(name.len() < room, "{name} is too long a name");
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
    request[16..18].copy_from_slice(&flags.to_ne_bytes());
    let made = host.enter(|| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")?;
        // SAFETY: the request is a live `struct ifreq`, of its 40 bytes.
        let done = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, request.as_mut_ptr()) };
        ensure!(done == 0, "TUNSETIFF: {}", io::Error::last_os_error());
        let fd = OwnedFd::from(file);
        fcntl(&fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(fd)
    });
    made.with_context(|| format!("cannot make the tun device {name} on {}", host.name()))
}

fn carry(
    ends: &[OwnedFd; 2],
    change: Change,
    [stop, stalled]: &[Arc<AtomicBool>; 2],
) -> Result<()> {
    let mut buffer = vec![0u8; 1 << 17];
    while !stop.load(Ordering::Acquire) {
        if stalled.load(Ordering::Acquire) {
            std::thread::park_timeout(TICK);
            continue;
        }
        for (from, change) in [(0, change), (1, unchanged as Change)] {
            while let Some(packet) = receive(&ends[from], &mut buffer)? {
                for packet in change(packet) {
                    send(&ends[1 - from], &packet)?;
                }
            }
        }
        let mut polled = ends
            .each_ref()
            .map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
        match poll(&mut polled, PollTimeout::from(TICK.as_millis() as u16)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for packets"),
        }
    }
    Ok(())
}

fn receive<'a>(end: &OwnedFd, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
    match read(end, buffer) {
        Ok(len) => Ok(Some(&buffer[..len])),
        // Nothing there, or not up yet.
        Err(Errno::EAGAIN | Errno::EIO) => Ok(None),
        Err(error) => Err(error).context("cannot read from a tun device"),
    }
}

fn send(end: &OwnedFd, packet: &[u8]) -> Result<()> {
    match write(end, packet) {
        // A full queue loses packets, as queues do; so does a device that is down.
        Ok(_) | Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EIO) => Ok(()),
        Err(error) => Err(error).context("cannot write to a tun device"),
    }
}
