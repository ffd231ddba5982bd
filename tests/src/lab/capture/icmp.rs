//! The ICMP errors that a host received, and the packets they are about.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use super::{
    Direction, Trace,
    checksum::sum,
    packet::{ICMP, ICMPV6, Ip, TCP},
};

/// An ICMP error about a TCP packet of the host that received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// Who complained.
    pub from: IpAddr,
    /// Type and code.
    pub kind: (u8, u8),
    /// The second word of the header: with a packet too big, the MTU.
    pub rest: u32,
    /// Ports of the packet that it is about.
    pub ports: (u16, u16),
}

/// The quoted packet: addresses, and from the TCP header on.
struct Quote<'a> {
    src: &'a [u8],
    dst: &'a [u8],
    header: &'a [u8],
    tcp: &'a [u8],
}

impl<'a> Quote<'a> {
    fn parse(icmp: &'a [u8]) -> Option<Self> {
        let bytes = icmp.get(8..)?;
        let version = bytes.first()? >> 4;
        let (protocol, len, at) = match version {
            4 => (*bytes.get(9)?, usize::from(bytes.first()? & 15) * 4, 12..20),
            6 => (*bytes.get(6)?, 40, 8..40),
            _ => return None,
        };
        let (src, dst) = bytes.get(at.clone())?.split_at(at.len() / 2);
        let (header, tcp) = bytes.split_at_checked(len)?;
        let found = Self {
            src,
            dst,
            header,
            tcp,
        };
        (protocol == TCP && tcp.len() >= 8).then_some(found)
    }

    /// Whether the host sent this packet: the same addresses, and every byte of
    /// TCP that is quoted.
    fn is_of(&self, sent: &Ip<'_>) -> bool {
        let addresses = match (sent.src, sent.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                self.src == src.octets() && self.dst == dst.octets()
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                self.src == src.octets() && self.dst == dst.octets()
            }
            _ => false,
        };
        addresses && sent.protocol == TCP && sent.payload.starts_with(self.tcp)
    }
}

fn is_error(ip: &Ip<'_>) -> bool {
    match (ip.protocol, ip.icmp()) {
        (ICMP, Some((kind, _))) => matches!(kind, 3 | 11 | 12),
        (ICMPV6, Some((kind, _))) => matches!(kind, 1..=4),
        _ => false,
    }
}

impl Trace {
    /// The ICMP errors about TCP packets that the host received, in order. Each
    /// must quote a packet of the capture to the byte, as the host sent it; no
    /// checksum may have been left to the hardware.
    pub fn icmp_errors(&self) -> Result<Vec<IcmpError>> {
        let received = self
            .packets
            .iter()
            .filter(|p| p.direction == Direction::Received);
        let mut errors = Vec::new();
        for ip in received.filter_map(|p| p.ip()).filter(is_error) {
            let Some(quote) = Quote::parse(ip.payload) else {
                continue;
            };
            let sent = self
                .packets
                .iter()
                .filter(|p| p.direction == Direction::Sent);
            sent.filter_map(|p| p.ip())
                .find(|ip| quote.is_of(ip))
                .with_context(|| {
                    format!(
                        "{} was told by {} of a packet that it hasn't sent: {:02x?}",
                        self.host, ip.src, ip.payload
                    )
                })?;
            ensure!(
                ip.src.is_ipv6() || sum(&[quote.header]) == 0xffff,
                "the quoted IP header has a wrong checksum"
            );
            let word = |at: usize| u16::from_be_bytes([quote.tcp[at], quote.tcp[at + 1]]);
            let mut rest = [0; 4];
            rest.copy_from_slice(&ip.payload[4..8]);
            errors.push(IcmpError {
                from: ip.src,
                kind: (ip.payload[0], ip.payload[1]),
                rest: u32::from_be_bytes(rest),
                ports: (word(0), word(2)),
            });
        }
        Ok(errors)
    }
}
