//! Packets as they were on a link, and what can be checked on them.
//!
//! A capture is taken at an end host, so it shows what that host really sent
//! and what really reached it.

mod both;
mod checksum;
mod conversation;
mod icmp;
mod packet;
pub(in crate::lab) mod socket;
mod stream;

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result, bail, ensure};

pub use both::{Edit, Ports, Sides};
pub use conversation::{Conversation, conversations};
pub use icmp::IcmpError;
pub use packet::{Direction, Flags, Ip, Packet, Tcp};
pub use stream::{Line, Stream};

use super::host::Host;

/// A capture that is going on.
#[derive(Debug)]
pub struct Capture {
    host: String,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<Result<Vec<Packet>>>>,
}

impl Capture {
    pub(super) fn start(host: &Host, interface: &str) -> Result<Self> {
        let socket: OwnedFd = host
            .enter(|| socket::open(interface))
            .with_context(|| format!("cannot capture at {interface} of {}", host.name()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let reader = std::thread::Builder::new()
            .name(format!("capture-{}", host.name()))
            .spawn(move || socket::read_until(&socket, &flag))?;
        Ok(Self {
            host: host.name().to_owned(),
            stop,
            reader: Some(reader),
        })
    }

    /// Ends the capture. All that passed before this call is in the trace.
    pub fn stop(mut self) -> Result<Trace> {
        self.stop.store(true, Ordering::Release);
        let reader = self.reader.take().context("a capture ends once")?;
        let packets = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Trace {
            host: self.host.clone(),
            packets,
        })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// What a capture saw, in order.
#[derive(Debug, Clone)]
pub struct Trace {
    host: String,
    /// The packets.
    pub packets: Vec<Packet>,
}

impl Trace {
    /// The TCP segments with the packets they came in.
    pub fn tcp(&self) -> impl Iterator<Item = (&Packet, Tcp<'_>)> {
        self.packets.iter().filter_map(|p| Some((p, p.tcp()?)))
    }

    /// That every IP, TCP and ICMP checksum is right.
    ///
    /// A checksum that was left to the hardware must be that of the
    /// pseudo-header, which is what the hardware would go on from.
    pub fn verify_checksums(&self) -> Result<()> {
        for (n, packet) in self.packets.iter().enumerate() {
            checksum::verify(packet)
                .with_context(|| format!("packet {n} at {}: {packet:?}", self.host))?;
        }
        Ok(())
    }

    /// That no checksum was left to the hardware and no packet is longer than
    /// `mtu`: the capture shows what a wire would.
    pub fn verify_like_a_wire(&self, mtu: usize) -> Result<()> {
        for (n, packet) in self.packets.iter().enumerate() {
            let len = packet.ip().map_or(0, |ip| ip.total_len);
            ensure!(
                !packet.checksum_pending && packet.gso_size == 0 && len <= mtu,
                "packet {n} at {} was left to an offload: {packet:?}",
                self.host,
            );
        }
        Ok(())
    }

    /// The TCP connections, each checked for sense as it is followed.
    pub fn conversations(&self) -> Result<Vec<Conversation>> {
        conversations(&self.packets).with_context(|| format!("capture at {}", self.host))
    }

    /// The control connections: those to a given port.
    pub fn control(&self, port: u16) -> Result<Vec<Conversation>> {
        let mut list = self.conversations()?;
        list.retain(|c| c.server.port() == port);
        if list.is_empty() {
            bail!(
                "no connection to port {port} in the capture at {}",
                self.host
            );
        }
        Ok(list)
    }

    /// The first packets of connections other than those to a given port, in
    /// order: what opened the data connections.
    pub fn data_syns(&self, control_port: u16) -> Vec<Syn> {
        let mut list: Vec<Syn> = Vec::new();
        for (packet, tcp) in self.tcp() {
            let control = [tcp.src.port(), tcp.dst.port()].contains(&control_port);
            if tcp.flags.syn() && !tcp.flags.ack() && !control {
                let syn = Syn {
                    at: packet.at,
                    direction: packet.direction,
                    from: tcp.src,
                    to: tcp.dst,
                    seq: tcp.seq,
                };
                // A repeated SYN says nothing new.
                if !list
                    .iter()
                    .any(|s| (s.from, s.to, s.seq) == (syn.from, syn.to, syn.seq))
                {
                    list.push(syn);
                }
            }
        }
        list
    }
}

/// The opening of a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syn {
    /// When.
    pub at: std::time::Duration,
    /// Whether the host sent or received it.
    pub direction: Direction,
    /// From where.
    pub from: SocketAddr,
    /// To where.
    pub to: SocketAddr,
    /// Its initial sequence number, the same on both sides of the gateway.
    pub seq: u32,
}
