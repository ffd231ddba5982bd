//! One captured packet and the headers in it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

const ETHERNET_LEN: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const IPV6_LEN: usize = 40;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;

/// Which way a packet went, as the capturing host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The host sent it.
    Sent,
    /// It reached the host.
    Received,
}

/// A captured packet.
#[derive(Clone)]
pub struct Packet {
    /// When, since the epoch.
    pub at: Duration,
    /// Which way.
    pub direction: Direction,
    /// The TCP checksum was left to the hardware.
    pub checksum_pending: bool,
    /// Bytes per segment, where cutting into segments was left to the hardware.
    pub gso_size: u16,
    /// The frame from its Ethernet header on.
    pub frame: Vec<u8>,
}

/// An IP header and what follows.
#[derive(Debug, Clone, Copy)]
pub struct Ip<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Length of header and payload in bytes.
    pub total_len: usize,
    /// The header, options and extension headers included.
    pub header: &'a [u8],
    /// What the header says follows.
    pub payload: &'a [u8],
}

/// TCP flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// FIN.
    pub const fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// SYN.
    pub const fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// RST.
    pub const fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// ACK.
    pub const fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = "FSRPAUEC".chars().enumerate();
        letters
            .filter(|(bit, _)| self.0 >> bit & 1 != 0)
            .try_for_each(|(_, c)| write!(f, "{c}"))
    }
}

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub struct Tcp<'a> {
    /// The IP header before it.
    pub ip: Ip<'a>,
    /// Source.
    pub src: SocketAddr,
    /// Destination.
    pub dst: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags.
    pub flags: Flags,
    /// Options, padding included.
    pub options: &'a [u8],
    /// Data.
    pub payload: &'a [u8],
}

impl Packet {
    /// The IP header, if it is an IP packet that is whole.
    pub fn ip(&self) -> Option<Ip<'_>> {
        let ethertype = be16(&self.frame, 12)?;
        Ip::parse(ethertype, self.frame.get(ETHERNET_LEN..)?)
    }

    /// The TCP segment, if it is one and not a later fragment.
    pub fn tcp(&self) -> Option<Tcp<'_>> {
        Tcp::parse(self.ip()?)
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.direction == Direction::Sent {
            "sent"
        } else {
            "received"
        };
        match self.tcp() {
            Some(t) => write!(
                f,
                "{way} {} > {} [{:?}] seq {} ack {} len {} ttl {}",
                t.src,
                t.dst,
                t.flags,
                t.seq,
                t.ack,
                t.payload.len(),
                t.ip.ttl
            )?,
            None => match self.ip() {
                Some(ip) => write!(f, "{way} {} > {} protocol {}", ip.src, ip.dst, ip.protocol)?,
                None => write!(f, "{way} {} bytes, not IP", self.frame.len())?,
            },
        }
        if self.checksum_pending {
            write!(f, " checksum-pending")?;
        }
        if self.gso_size != 0 {
            write!(f, " gso {}", self.gso_size)?;
        }
        Ok(())
    }
}

impl<'a> Ip<'a> {
    fn parse(ethertype: u16, bytes: &'a [u8]) -> Option<Self> {
        match ethertype {
            ETHERTYPE_IPV4 => {
                let header = bytes.get(..usize::from(bytes.first()? & 0xf) * 4)?;
                let total_len = usize::from(be16(header, 2)?);
                Some(Self {
                    src: IpAddr::V4(Ipv4Addr::from(array::<4>(header, 12)?)),
                    dst: IpAddr::V4(Ipv4Addr::from(array::<4>(header, 16)?)),
                    ttl: *header.get(8)?,
                    protocol: *header.get(9)?,
                    total_len,
                    header,
                    payload: bytes.get(header.len()..total_len)?,
                })
            }
            ETHERTYPE_IPV6 => {
                let fixed = bytes.get(..IPV6_LEN)?;
                let total_len = IPV6_LEN + usize::from(be16(fixed, 4)?);
                let (mut protocol, mut header_len) = (*fixed.get(6)?, IPV6_LEN);
                // Hop-by-hop options, routing, destination options (RFC 8200).
                while matches!(protocol, 0 | 43 | 60) {
                    protocol = *bytes.get(header_len)?;
                    header_len += (usize::from(*bytes.get(header_len + 1)?) + 1) * 8;
                }
                let header = bytes.get(..header_len)?;
                Some(Self {
                    src: IpAddr::V6(Ipv6Addr::from(array::<16>(header, 8)?)),
                    dst: IpAddr::V6(Ipv6Addr::from(array::<16>(header, 24)?)),
                    ttl: *header.get(7)?,
                    protocol,
                    total_len,
                    header,
                    payload: bytes.get(header_len..total_len)?,
                })
            }
            _ => None,
        }
    }

    /// Whether this is a fragment other than the first.
    fn later_fragment(&self) -> bool {
        self.src.is_ipv4() && be16(self.header, 6).is_some_and(|f| f & 0x1fff != 0)
    }

    /// ICMP type and code, if it is an ICMP packet.
    pub fn icmp(&self) -> Option<(u8, u8)> {
        let icmp = matches!(self.protocol, ICMP | ICMPV6);
        icmp.then_some((*self.payload.first()?, *self.payload.get(1)?))
    }
}

impl<'a> Tcp<'a> {
    fn parse(ip: Ip<'a>) -> Option<Self> {
        if ip.protocol != TCP || ip.later_fragment() {
            return None;
        }
        let bytes = ip.payload;
        let header_len = usize::from(bytes.get(12)? >> 4) * 4;
        Some(Self {
            ip,
            src: SocketAddr::new(ip.src, be16(bytes, 0)?),
            dst: SocketAddr::new(ip.dst, be16(bytes, 2)?),
            seq: u32::from_be_bytes(array(bytes, 4)?),
            ack: u32::from_be_bytes(array(bytes, 8)?),
            flags: Flags(*bytes.get(13)?),
            options: bytes.get(20..header_len)?,
            payload: bytes.get(header_len..)?,
        })
    }

    /// Sequence space it takes: its data, SYN and FIN.
    pub fn seq_len(&self) -> u32 {
        let phantom = u32::from(self.flags.syn()) + u32::from(self.flags.fin());
        self.payload.len() as u32 + phantom
    }

    /// The options, as (kind, contents).
    pub fn each_option(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.options;
        std::iter::from_fn(move || {
            loop {
                match *rest.first()? {
                    0 => return None,
                    1 => rest = &rest[1..],
                    kind => {
                        let len = usize::from(*rest.get(1)?);
                        let contents = rest.get(2..len)?;
                        rest = &rest[len..];
                        return Some((kind, contents));
                    }
                }
            }
        })
    }

    /// The SACK blocks (RFC 2018).
    pub fn sack(&self) -> Vec<(u32, u32)> {
        let edges = self
            .each_option()
            .filter(|(kind, _)| *kind == 5)
            .flat_map(|(_, blocks)| {
                blocks.chunks_exact(8).filter_map(|b| {
                    Some((
                        u32::from_be_bytes(array(b, 0)?),
                        u32::from_be_bytes(array(b, 4)?),
                    ))
                })
            });
        edges.collect()
    }

    /// The maximum segment size, in a SYN.
    pub fn mss(&self) -> Option<u16> {
        self.each_option()
            .find(|(kind, _)| *kind == 2)
            .and_then(|(_, v)| be16(v, 0))
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}
