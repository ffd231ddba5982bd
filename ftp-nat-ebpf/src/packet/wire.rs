//! Headers as they stand in a packet.

/// Offsets in an IPv4 header.
pub mod v4 {
    pub const TOTAL_LEN: u32 = 2;
    pub const TTL: u32 = 8;
    pub const CHECK: u32 = 10;
    pub const SRC: u32 = 12;
    pub const HEADER_LEN: u32 = 20;
}

/// Offsets in an IPv6 header.
pub mod v6 {
    pub const PAYLOAD_LEN: u32 = 4;
    pub const HOP_LIMIT: u32 = 7;
    pub const SRC: u32 = 8;
    pub const HEADER_LEN: u32 = 40;
}

/// Offsets in a TCP header.
pub mod tcp {
    pub const SPORT: u32 = 0;
    pub const SEQ: u32 = 4;
    pub const ACK: u32 = 8;
    pub const FLAGS: u32 = 13;
    pub const CHECK: u32 = 16;
    pub const URGENT: u32 = 18;
    pub const HEADER_LEN: u32 = 20;
}

/// Offsets and types of ICMP (RFC 792) and ICMPv6 (RFC 4443) errors.
pub mod icmp {
    pub const CHECK: u32 = 2;
    pub const HEADER_LEN: u32 = 8;
    pub const V4_UNREACHABLE: u8 = 3;
    pub const V4_FRAGMENTATION_NEEDED: u8 = 4;
    pub const V4_TIME_EXCEEDED: u8 = 11;
    pub const V4_PARAMETER_PROBLEM: u8 = 12;
    pub const V6_UNREACHABLE: u8 = 1;
    pub const V6_TOO_BIG: u8 = 2;
    pub const V6_TIME_EXCEEDED: u8 = 3;
    pub const V6_PARAMETER_PROBLEM: u8 = 4;
}

/// Protocol numbers.
pub mod protocol {
    use network_types::ip::IpProto;

    pub const ICMP: u8 = IpProto::Icmp as u8;
    pub const TCP: u8 = IpProto::Tcp as u8;
    pub const ICMPV6: u8 = IpProto::Ipv6Icmp as u8;
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Ipv4Header {
    pub version_len: u8,
    pub tos: u8,
    pub total_len: u16,
    pub id: u16,
    pub fragment: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub check: u16,
    pub src: u32,
    pub dst: u32,
}

impl Ipv4Header {
    /// Bytes of the header, options included; 0 where it is none.
    #[inline(always)]
    pub fn len(&self) -> u32 {
        let len = u32::from(self.version_len & 15) * 4;
        if self.version_len >> 4 == 4 && len >= v4::HEADER_LEN {
            len
        } else {
            0
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Ipv6Header {
    pub version_class_flow: u32,
    pub payload_len: u16,
    pub next_header: u8,
    pub hop_limit: u8,
    pub src: [u32; 4],
    pub dst: [u32; 4],
}

/// RFC 8200 section 4.5.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FragmentHeader {
    pub next_header: u8,
    pub reserved: u8,
    /// The offset in eight bytes, in the upper 13 bits; bit 0 is set where more follow.
    pub place: u16,
    pub id: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct TcpHeader {
    pub sport: u16,
    pub dport: u16,
    pub seq: u32,
    pub ack: u32,
    pub offset: u8,
    pub flags: u8,
    pub window: u16,
    pub check: u16,
    pub urgent: u16,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct IcmpHeader {
    pub kind: u8,
    pub code: u8,
    pub check: u16,
    /// The MTU, its place depending on the family.
    pub rest: u32,
}
