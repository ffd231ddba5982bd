//! TCP connections in a capture, checked for sense packet by packet.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};

use super::{
    packet::{Packet, Tcp},
    stream::Stream,
};

/// How many packets of a connection an error shows.
const SHOWN: usize = 12;

/// One TCP connection, as one host saw it.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// When its SYN was seen.
    pub at: Duration,
    /// Who opened it.
    pub client: SocketAddr,
    /// Who accepted it.
    pub server: SocketAddr,
    /// What the client sent.
    pub to_server: Stream,
    /// What the server sent.
    pub to_client: Stream,
    /// SACK blocks the client was given, in order.
    pub sacked_to_client: Vec<(u32, u32)>,
    /// SACK blocks the server was given, in order.
    pub sacked_to_server: Vec<(u32, u32)>,
    /// One end reset it.
    pub reset: bool,
    /// Its last packets in order, for an error: data is told by its length.
    last: VecDeque<String>,
}

impl Conversation {
    fn new(at: Duration, syn: &Tcp<'_>) -> Self {
        let mut to_server = Stream::default();
        to_server.start(syn.seq);
        Self {
            at,
            client: syn.src,
            server: syn.dst,
            to_server,
            to_client: Stream::default(),
            sacked_to_client: Vec::new(),
            sacked_to_server: Vec::new(),
            reset: false,
            last: VecDeque::new(),
        }
    }

    fn is_of(&self, tcp: &Tcp<'_>) -> bool {
        let ends = (self.client, self.server);
        ends == (tcp.src, tcp.dst) || ends == (tcp.dst, tcp.src)
    }

    /// Whether a packet between the same ends is of an earlier connection: the
    /// server, still in TIME-WAIT, answers the SYN of this one by repeating its
    /// last acknowledgement, and the client resets that (RFC 9293 section 3.10.7.4).
    /// Such an acknowledgement isn't of this one's SYN.
    fn speaks_of_the_one_before(&self, tcp: &Tcp<'_>) -> bool {
        let by_client = tcp.src == self.client;
        let flags = tcp.flags;
        let bare = tcp.payload.is_empty() && !flags.syn() && !flags.fin();
        let of_this = !by_client && tcp.ack == self.to_server.isn.wrapping_add(1);
        !self.to_client.started() && bare && by_client == flags.rst() && !of_this
    }

    fn follow(&mut self, at: Duration, tcp: &Tcp<'_>) -> Result<()> {
        let by_client = tcp.src == self.client;
        if tcp.flags.syn() && !by_client {
            self.to_client.start(tcp.seq);
        }
        if tcp.flags.rst() {
            self.reset = true;
            return Ok(());
        }
        let (own, other, sacked) = if by_client {
            (
                &mut self.to_server,
                &self.to_client,
                &mut self.sacked_to_server,
            )
        } else {
            (
                &mut self.to_client,
                &self.to_server,
                &mut self.sacked_to_client,
            )
        };
        if !tcp.flags.syn() {
            if tcp.payload.is_empty() && !tcp.flags.fin() {
                own.bare(tcp.seq)?;
            } else {
                own.add(at, tcp.seq, tcp.payload, tcp.flags.fin())?;
            }
        }
        if tcp.flags.ack() {
            let blocks = tcp.sack();
            other.acknowledged(tcp.ack)?;
            other.sacked(tcp.ack, &blocks)?;
            sacked.extend(blocks);
        }
        Ok(())
    }

    /// Keeps what an error says of a packet.
    fn note(&mut self, packet: &Packet, tcp: &Tcp<'_>) {
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        let number = |of: &Stream, number: u32| i64::from(number.wrapping_sub(of.isn) as i32);
        let (own, other) = if tcp.src == self.client {
            (&self.to_server, &self.to_client)
        } else {
            (&self.to_client, &self.to_server)
        };
        self.last.push_back(format!(
            "{:?} {:?} {} > {} {:?} seq {} ack {} len {}",
            packet.at.saturating_sub(self.at),
            packet.direction,
            tcp.src,
            tcp.dst,
            tcp.flags,
            number(own, tcp.seq),
            number(other, tcp.ack),
            tcp.payload.len()
        ));
    }

    /// That nothing of either direction is missing.
    pub fn complete(&self) -> Result<()> {
        self.to_server
            .complete()
            .context("what the client sent")
            .and_then(|()| self.to_client.complete().context("what the server sent"))
            .with_context(|| {
                let last: Vec<&str> = self.last.iter().map(String::as_str).collect();
                format!("the last packets were\n{}", last.join("\n"))
            })
    }
}

/// Follows all connections of a capture. Sequence numbers must be continuous,
/// acknowledgements and SACK blocks must speak of what was sent, and repeated
/// bytes must be the same.
pub fn conversations(packets: &[Packet]) -> Result<Vec<Conversation>> {
    let mut list: Vec<Conversation> = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        let Some(tcp) = packet.tcp() else { continue };
        let mut same_ends = list.iter_mut().rev().filter(|c| c.is_of(&tcp));
        let known = match same_ends.next() {
            Some(new) if new.speaks_of_the_one_before(&tcp) => match same_ends.next() {
                Some(before) => Some(before),
                // This host knows it by another pair of ends: the gateway gives
                // two public ports in turn to one port of the server's.
                None => continue,
            },
            found => found,
        };
        let opens = tcp.flags.syn() && !tcp.flags.ack();
        let result = match known {
            // The same ends again, with new numbers: another connection.
            Some(c) if opens && c.to_server.isn != tcp.seq => {
                list.push(Conversation::new(packet.at, &tcp));
                Ok(())
            }
            Some(_) if opens => Ok(()),
            Some(c) => {
                c.note(packet, &tcp);
                c.follow(packet.at, &tcp)
            }
            None if opens => {
                list.push(Conversation::new(packet.at, &tcp));
                Ok(())
            }
            // An answer to a packet that reached nobody, or the end of a
            // connection that began before the capture.
            None if tcp.flags.rst() || tcp.payload.is_empty() => Ok(()),
            None => bail!("packet {n} belongs to no connection: {packet:?}"),
        };
        result.with_context(|| {
            let before = before(packets, n).join("\n");
            format!("packet {n}: {packet:?}\nafter\n{before}")
        })?;
    }
    Ok(list)
}

/// The packets of the same connection that came before packet `n`, for an error.
fn before(packets: &[Packet], n: usize) -> Vec<String> {
    let ends = |p: &Packet| {
        let mut ends = p.tcp().map(|t| [t.src, t.dst])?;
        ends.sort();
        Some(ends)
    };
    let own = ends(&packets[n]);
    let same = packets[..n].iter().filter(|p| ends(p) == own);
    let mut list: Vec<String> = same
        .rev()
        .take(SHOWN)
        .map(|p| match p.tcp().map(|t| t.sack()) {
            Some(blocks) if !blocks.is_empty() => format!("{p:?} sack {blocks:?}"),
            _ => format!("{p:?}"),
        })
        .collect();
    list.reverse();
    list
}

#[cfg(test)]
mod tests {
    use super::super::packet::Direction;
    use super::*;

    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;

    /// A packet without data between two hosts, to the server or from it.
    fn packet(to_server: bool, flags: u8, seq: u32, ack: u32) -> Packet {
        let mut frame = vec![0; 14 + 20 + 20];
        frame[12] = 0x08; // IPv4
        let ip = &mut frame[14..];
        (ip[0], ip[3], ip[8], ip[9]) = (0x45, 40, 64, super::super::packet::TCP);
        let (client, server) = ([10, 10, 0, 1], [9, 9, 9, 9]);
        let ports = [41_000_u16, 21_000].map(u16::to_be_bytes);
        let (src, dst) = if to_server { (0, 1) } else { (1, 0) };
        ip[12..16].copy_from_slice(&[client, server][src]);
        ip[16..20].copy_from_slice(&[client, server][dst]);
        ip[20..22].copy_from_slice(&ports[src]);
        ip[22..24].copy_from_slice(&ports[dst]);
        ip[24..28].copy_from_slice(&seq.to_be_bytes());
        ip[28..32].copy_from_slice(&ack.to_be_bytes());
        (ip[32], ip[33]) = (5 << 4, flags);
        Packet {
            at: Duration::ZERO,
            direction: Direction::Sent,
            checksum_pending: true,
            gso_size: 0,
            frame,
        }
    }

    #[test]
    fn the_answer_of_a_time_wait_seen_elsewhere_only_is_passed_by() {
        let packets = [
            packet(true, SYN, 1_000, 0),
            packet(false, ACK, 70_000, 900_000),
            packet(true, RST, 900_000, 0),
            packet(true, SYN, 1_000, 0),
            packet(false, SYN | ACK, 5_000, 1_001),
            packet(true, ACK, 1_001, 5_001),
        ];
        let list = conversations(&packets).unwrap();
        assert_eq!(list.len(), 1);
        assert!(!list[0].reset);
        list[0].complete().unwrap();
    }

    #[test]
    fn an_acknowledgement_of_the_syn_by_anything_but_a_syn_is_found() {
        let packets = [
            packet(true, SYN, 1_000, 0),
            packet(false, ACK, 70_000, 1_001),
        ];
        let error = conversations(&packets).unwrap_err();
        assert!(format!("{error:#}").contains("before the SYN"), "{error:#}");
    }
}
