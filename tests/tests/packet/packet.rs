//! A fluent builder of Ethernet packets, whose checksums it computes in full
//! and in its own way.

use std::net::IpAddr;

use ftp_nat_common::tcp::flag;

const ETHERNET_LEN: usize = 14;
pub const TCP: u8 = 6;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;
pub const GATEWAY_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SENDER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A packet in the making.
#[derive(Clone, Debug)]
pub struct Packet {
    pub src: (IpAddr, u16),
    pub dst: (IpAddr, u16),
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub payload: Vec<u8>,
    window: u16,
    urgent: u16,
    ttl: u8,
    id: u16,
    options: Vec<u8>,
    ip_options: Vec<u8>,
    /// Kind and content of IPv6 extension headers.
    extensions: Vec<(u8, Vec<u8>)>,
}

impl Packet {
    /// A TCP segment with ACK and nothing else.
    pub fn tcp(src: (IpAddr, u16), dst: (IpAddr, u16)) -> Self {
        Self {
            src,
            dst,
            seq: 0,
            ack: 0,
            flags: flag::ACK,
            payload: Vec::new(),
            window: 502,
            urgent: 0,
            ttl: 64,
            id: 0x1234,
            options: Vec::new(),
            ip_options: Vec::new(),
            extensions: Vec::new(),
        }
    }

    pub fn from(mut self, src: (IpAddr, u16)) -> Self {
        self.src = src;
        self
    }

    pub fn to(mut self, dst: (IpAddr, u16)) -> Self {
        self.dst = dst;
        self
    }

    pub fn seq(mut self, seq: u32) -> Self {
        self.seq = seq;
        self
    }

    pub fn ack(mut self, ack: u32) -> Self {
        self.ack = ack;
        self
    }

    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub fn fin(mut self) -> Self {
        self.flags |= flag::FIN;
        self
    }

    pub fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    pub fn urgent(mut self, pointer: u16) -> Self {
        self.flags |= flag::URG;
        self.urgent = pointer;
        self
    }

    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub fn payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.payload = payload.as_ref().to_vec();
        self
    }

    /// TCP options as they are; padded with NOPs at the end.
    pub fn options(mut self, bytes: &[u8]) -> Self {
        self.options.extend(bytes);
        self
    }

    pub fn no_options(mut self) -> Self {
        self.options.clear();
        self
    }

    pub fn mss(self, mss: u16) -> Self {
        let [high, low] = mss.to_be_bytes();
        self.options(&[2, 4, high, low])
    }

    pub fn timestamps(self, value: u32, echo: u32) -> Self {
        self.options(&[1, 1, 8, 10])
            .options(&value.to_be_bytes())
            .options(&echo.to_be_bytes())
    }

    /// SACK blocks; `lead` NOPs go before them.
    pub fn sack(self, lead: usize, blocks: &[(u32, u32)]) -> Self {
        let packet = self
            .options(&vec![1; lead])
            .options(&[5, 2 + 8 * blocks.len() as u8]);
        blocks.iter().fold(packet, |p, (start, end)| {
            p.options(&start.to_be_bytes()).options(&end.to_be_bytes())
        })
    }

    /// IPv4 options; a multiple of four bytes.
    pub fn ip_options(mut self, bytes: &[u8]) -> Self {
        self.ip_options.extend(bytes);
        self
    }

    /// An IPv6 extension header; its content is 6 + 8 n bytes.
    pub fn extension(mut self, kind: u8, content: &[u8]) -> Self {
        self.extensions.push((kind, content.to_vec()));
        self
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let segment = self.segment();
        match (self.src.0, self.dst.0) {
            (IpAddr::V4(_), IpAddr::V4(_)) => {
                let ip = ipv4(self.src.0, self.dst.0, TCP, &segment);
                frame(&self.dress(ip))
            }
            _ => {
                let mut next = TCP;
                let mut body = segment;
                for (kind, content) in self.extensions.iter().rev() {
                    let mut header = vec![next, (content.len() / 8) as u8];
                    header.extend(content);
                    header.extend(body);
                    body = header;
                    next = *kind;
                }
                let mut ip = ipv6(self.src.0, self.dst.0, next, &body);
                ip[7] = self.ttl;
                frame(&ip)
            }
        }
    }

    /// Puts TTL, ID and options into an IPv4 header.
    fn dress(&self, mut ip: Vec<u8>) -> Vec<u8> {
        ip[4..6].copy_from_slice(&self.id.to_be_bytes());
        ip[8] = self.ttl;
        ip.splice(20..20, self.ip_options.iter().copied());
        ip[0] += (self.ip_options.len() / 4) as u8;
        let len = ip.len() as u16;
        ip[2..4].copy_from_slice(&len.to_be_bytes());
        ip[10..12].fill(0);
        let check = !sum(&[&ip[..20 + self.ip_options.len()]]);
        ip[10..12].copy_from_slice(&check.to_be_bytes());
        ip
    }

    fn segment(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        while !options.len().is_multiple_of(4) {
            options.push(1);
        }
        let mut tcp = Vec::new();
        tcp.extend(self.src.1.to_be_bytes());
        tcp.extend(self.dst.1.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.push(((20 + options.len()) / 4 * 16) as u8);
        tcp.push(self.flags);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0, 0]);
        tcp.extend(self.urgent.to_be_bytes());
        tcp.extend(options);
        tcp.extend(&self.payload);
        let pseudo = pseudo_header(self.src.0, self.dst.0, TCP, tcp.len());
        let check = !sum(&[&pseudo, &tcp]);
        tcp[16..18].copy_from_slice(&check.to_be_bytes());
        tcp
    }
}

/// An Ethernet frame from the host to the gateway.
pub fn frame(ip: &[u8]) -> Vec<u8> {
    let mut bytes = [GATEWAY_MAC, SENDER_MAC].concat();
    bytes.extend(if ip.first().is_some_and(|b| b >> 4 == 6) {
        [0x86, 0xdd]
    } else {
        [0x08, 0x00]
    });
    bytes.extend(ip);
    bytes
}

/// The frame with its Ethernet addresses exchanged.
pub fn sent_back(mut frame: Vec<u8>) -> Vec<u8> {
    frame[..6].copy_from_slice(&SENDER_MAC);
    frame[6..12].copy_from_slice(&GATEWAY_MAC);
    frame
}

/// An IPv4 packet with a header of 20 bytes and DF.
pub fn ipv4(src: IpAddr, dst: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend((20 + body.len() as u16).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    for address in [src, dst] {
        ip.extend(octets(address));
    }
    let check = !sum(&[&ip]);
    ip[10..12].copy_from_slice(&check.to_be_bytes());
    ip.extend(body);
    ip
}

/// An IPv6 packet without extension headers.
pub fn ipv6(src: IpAddr, dst: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x60, 0, 0, 0];
    ip.extend((body.len() as u16).to_be_bytes());
    ip.extend([protocol, 64]);
    for address in [src, dst] {
        ip.extend(octets(address));
    }
    ip.extend(body);
    ip
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

/// The pseudo-header of RFC 9293 section 3.1 and RFC 8200 section 8.1.
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let mut bytes = [octets(src), octets(dst)].concat();
    bytes.extend((len as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

/// Ones'-complement sum of 16-bit words (RFC 1071), folded.
pub fn sum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut total: u64 = words
        .map(|w| u64::from(u16::from_be_bytes([w[0], *w.get(1).unwrap_or(&0)])))
        .sum();
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// Where things are in a TCP packet that came out.
#[derive(Clone, Debug)]
pub struct Parsed {
    ip: usize,
    tcp: usize,
    payload: usize,
    bytes: Vec<u8>,
}

impl Parsed {
    /// Parses a TCP packet, and asserts that its lengths and checksums are right.
    pub fn of(bytes: &[u8]) -> Self {
        let ip = &bytes[ETHERNET_LEN..];
        let (tcp, len, pseudo) = if ip[0] >> 4 == 4 {
            let header = usize::from(ip[0] & 15) * 4;
            assert_eq!(sum(&[&ip[..header]]), 0xffff, "wrong IP header checksum");
            let len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            (header, len, [&ip[12..20], &[0, ip[9]]].concat())
        } else {
            let (mut next, mut at) = (ip[6], 40);
            while next != TCP {
                next = ip[at];
                at += (usize::from(ip[at + 1]) + 1) * 8;
            }
            let len = 40 + usize::from(u16::from_be_bytes([ip[4], ip[5]]));
            (at, len, [&ip[8..40], &[0, next]].concat())
        };
        assert_eq!(ip.len(), len, "the length in the IP header");
        let length = ((len - tcp) as u16).to_be_bytes();
        assert_eq!(
            sum(&[&pseudo, &length, &ip[tcp..]]),
            0xffff,
            "wrong TCP checksum"
        );
        let tcp = ETHERNET_LEN + tcp;
        Self {
            ip: ETHERNET_LEN,
            tcp,
            payload: tcp + usize::from(bytes[tcp + 12] >> 4) * 4,
            bytes: bytes.to_vec(),
        }
    }

    fn word(&self, at: usize) -> u32 {
        let b = &self.bytes[at..at + 4];
        u32::from_be_bytes([b[0], b[1], b[2], b[3]])
    }

    pub fn seq(&self) -> u32 {
        self.word(self.tcp + 4)
    }

    pub fn ack(&self) -> u32 {
        self.word(self.tcp + 8)
    }

    pub fn flags(&self) -> u8 {
        self.bytes[self.tcp + 13]
    }

    pub fn options(&self) -> &[u8] {
        &self.bytes[self.tcp + 20..self.payload]
    }

    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.payload..]
    }

    /// The bytes with the checksums taken out: 0 and 0xffff are one number, so
    /// that two right checksums need not be equal.
    pub fn without_checksums(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[self.tcp + 16..self.tcp + 18].fill(0);
        if bytes[self.ip] >> 4 == 4 {
            bytes[self.ip + 10..self.ip + 12].fill(0);
        }
        bytes
    }
}
