//! A builder of ICMP errors, whose checksums it computes in full.

use std::net::IpAddr;

use crate::packet::{self, ICMP, ICMPV6, Packet};

/// An ICMP error in the making.
#[derive(Clone, Debug)]
pub struct Error {
    pub src: IpAddr,
    pub dst: IpAddr,
    /// Type and code.
    pub kind: (u8, u8),
    /// The second word of the header: the MTU, a pointer, or nothing.
    pub rest: u32,
    /// What is quoted, from its IP header on.
    pub quote: Vec<u8>,
    ttl: u8,
    ip_options: Vec<u8>,
    extension: Option<(u8, Vec<u8>)>,
}

impl Error {
    /// An error from a host to the sender of `about`, all of which it quotes.
    pub fn new(kind: (u8, u8), from: IpAddr, about: &Packet) -> Self {
        Self {
            src: from,
            dst: about.src.0,
            kind,
            rest: 0,
            quote: about.bytes()[14..].to_vec(),
            ttl: 64,
            ip_options: Vec::new(),
            extension: None,
        }
    }

    pub fn from(mut self, src: IpAddr) -> Self {
        self.src = src;
        self
    }

    pub fn to(mut self, dst: IpAddr) -> Self {
        self.dst = dst;
        self
    }

    pub fn rest(mut self, rest: u32) -> Self {
        self.rest = rest;
        self
    }

    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Quotes no more than so many bytes.
    pub fn quoting(mut self, len: usize) -> Self {
        self.quote.truncate(len);
        self
    }

    /// Options of its own IPv4 header; a multiple of four bytes.
    pub fn ip_options(mut self, bytes: &[u8]) -> Self {
        self.ip_options.extend(bytes);
        self
    }

    /// An extension header of its own; the content is 6 + 8 n bytes.
    pub fn extension(mut self, kind: u8, content: &[u8]) -> Self {
        self.extension = Some((kind, content.to_vec()));
        self
    }

    /// The bytes on the wire, in a frame to the gateway.
    pub fn bytes(&self) -> Vec<u8> {
        packet::frame(&self.ip())
    }

    /// From the IP header on.
    pub fn ip(&self) -> Vec<u8> {
        let is_v4 = self.src.is_ipv4();
        let (kind, code) = self.kind;
        let mut body = vec![kind, code, 0, 0];
        body.extend(self.rest.to_be_bytes());
        body.extend(&self.quote);
        let pseudo = if is_v4 {
            Vec::new()
        } else {
            packet::pseudo_header(self.src, self.dst, ICMPV6, body.len())
        };
        let check = !packet::sum(&[&pseudo, &body]);
        body[2..4].copy_from_slice(&check.to_be_bytes());
        if is_v4 {
            self.v4(&body)
        } else {
            self.v6(&body)
        }
    }

    fn v4(&self, body: &[u8]) -> Vec<u8> {
        let mut ip = packet::ipv4(self.src, self.dst, ICMP, body);
        ip.splice(20..20, self.ip_options.iter().copied());
        ip[0] += (self.ip_options.len() / 4) as u8;
        let len = ip.len() as u16;
        ip[2..4].copy_from_slice(&len.to_be_bytes());
        // The error may itself be fragmented.
        ip[6] = 0;
        ip[8] = self.ttl;
        ip[10..12].fill(0);
        let check = !packet::sum(&[&ip[..20 + self.ip_options.len()]]);
        ip[10..12].copy_from_slice(&check.to_be_bytes());
        ip
    }

    fn v6(&self, body: &[u8]) -> Vec<u8> {
        let mut ip = match &self.extension {
            None => packet::ipv6(self.src, self.dst, ICMPV6, body),
            Some((kind, content)) => {
                let mut all = vec![ICMPV6, (content.len() / 8) as u8];
                all.extend(content);
                all.extend(body);
                packet::ipv6(self.src, self.dst, *kind, &all)
            }
        };
        ip[7] = self.ttl;
        ip
    }
}
