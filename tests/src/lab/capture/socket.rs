//! An AF_PACKET socket that tells what tcpdump's files do not: the direction,
//! and what was left to offloads.

use std::{
    io::{self, IoSliceMut},
    mem,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    net::if_::if_nametoindex,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockType, recvmsg,
        setsockopt, socket, sockopt,
    },
};

use super::packet::{Direction, Packet};

/// `PACKET_VNET_HDR` of `linux/if_packet.h`.
const PACKET_VNET_HDR: libc::c_int = 15;
/// `PACKET_IGNORE_OUTGOING` of `linux/if_packet.h`.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
/// `struct virtio_net_hdr`: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
pub(in crate::lab) const VNET_HDR_LEN: usize = 10;
const VNET_NEEDS_CSUM: u8 = 1;
/// Enough for a burst of some transfers while the reader doesn't run.
const BUFFER: usize = 64 << 20;
/// The kind of a device without link headers, such as tun.
const ARPHRD_NONE: u16 = 0xfffe;
/// How long the reader waits before it looks whether to stop.
const TICK: u16 = 20;

/// Opens a capture at an interface of the namespace this is called in.
pub(in crate::lab) fn open(interface: &str) -> Result<OwnedFd> {
    let index = if_nametoindex(interface).with_context(|| format!("no interface {interface}"))?;
    // No protocol yet: until it is bound the socket must receive nothing.
    let fd = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    option(&fd, libc::SOL_PACKET, PACKET_VNET_HDR, 1).context("PACKET_VNET_HDR")?;
    setsockopt(&fd, sockopt::RcvBufForce, &BUFFER)?;
    setsockopt(&fd, sockopt::ReceiveTimestampns, &true)?;
    // SAFETY: all-zero bytes are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as i32;
    // SAFETY: the pointer and the length are those of a live sockaddr_ll.
    let bound = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    ensure!(
        bound == 0,
        "cannot bind to {interface}: {}",
        io::Error::last_os_error()
    );
    Ok(fd)
}

/// Makes a socket not receive what the host itself sends.
pub(in crate::lab) fn ignore_outgoing(fd: &OwnedFd) -> Result<()> {
    option(fd, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1).context("PACKET_IGNORE_OUTGOING")
}

/// Makes reading give up at once when there is nothing to read.
pub(in crate::lab) fn nonblocking(fd: &OwnedFd) -> Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

fn option(fd: &OwnedFd, level: i32, name: i32, value: libc::c_int) -> Result<()> {
    // SAFETY: the pointer and the length are those of a live int.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    ensure!(
        done == 0,
        "cannot set a socket option: {}",
        io::Error::last_os_error()
    );
    Ok(())
}

/// Reads packets until told to stop, and then all that is still waiting.
pub(super) fn read_until(fd: &OwnedFd, stop: &AtomicBool) -> Result<Vec<Packet>> {
    let mut packets = Vec::new();
    let mut buffer = vec![0u8; VNET_HDR_LEN + (1 << 18)];
    loop {
        let stopping = stop.load(Ordering::Acquire);
        while let Some(packet) = read(fd, &mut buffer)? {
            packets.push(packet);
        }
        if stopping {
            break;
        }
        let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::from(TICK))?;
    }
    let lost = lost(fd)?;
    ensure!(
        lost == 0,
        "the capture lost {lost} packets: it can't be relied on"
    );
    Ok(packets)
}

fn read(fd: &OwnedFd, buffer: &mut [u8]) -> Result<Option<Packet>> {
    let mut control = nix::cmsg_space!(libc::timespec);
    let (len, at, outgoing, bare) = {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let message =
            match recvmsg::<LinkAddr>(fd.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => message,
                Err(Errno::EAGAIN) => return Ok(None),
                // The interface went down with its namespace: nothing more will come.
                Err(Errno::ENETDOWN) => return Ok(None),
                Err(error) => return Err(error).context("cannot read from a capture"),
            };
        let mut at = Duration::ZERO;
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmTimestampns(time) = part {
                at = Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32);
            }
        }
        let outgoing = message
            .address
            .is_some_and(|a| a.pkttype() == libc::PACKET_OUTGOING);
        let bare = message.address.filter(|a| a.hatype() == ARPHRD_NONE);
        let bare = bare.map(|a| u16::from_be(a.protocol()));
        (message.bytes, at, outgoing, bare)
    };
    if len < VNET_HDR_LEN || len > buffer.len() {
        bail!("a packet of {len} bytes does not fit the capture");
    }
    let (header, packet) = buffer[..len].split_at(VNET_HDR_LEN);
    let mut frame = bare.map_or_else(Vec::new, ethernet_header);
    frame.extend_from_slice(packet);
    Ok(Some(Packet {
        at,
        direction: if outgoing {
            Direction::Sent
        } else {
            Direction::Received
        },
        checksum_pending: header[0] & VNET_NEEDS_CSUM != 0,
        gso_size: u16::from_ne_bytes([header[4], header[5]]),
        frame,
    }))
}

/// An Ethernet header for a packet that had none, of its protocol.
fn ethernet_header(protocol: u16) -> Vec<u8> {
    [[0; 12].as_slice(), &protocol.to_be_bytes()].concat()
}

/// How many packets the kernel could not give to the socket.
fn lost(fd: &OwnedFd) -> Result<u32> {
    let mut stats = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of a live tpacket_stats.
    let done = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut len,
        )
    };
    ensure!(
        done == 0,
        "cannot read a capture's statistics: {}",
        io::Error::last_os_error()
    );
    Ok(stats.tp_drops)
}
