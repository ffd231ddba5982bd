//! The checksums of captured packets, computed apart from the code under test.

use std::net::IpAddr;

use anyhow::{Result, ensure};

use super::packet::{ICMP, ICMPV6, Ip, Packet, TCP};

/// Ones'-complement sum of 16-bit words (RFC 1071), folded.
pub(super) fn sum(parts: &[&[u8]]) -> u16 {
    let mut total = 0u64;
    for part in parts {
        for word in part.chunks(2) {
            total += u64::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
        }
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The pseudo-header of RFC 9293 section 3.1 and RFC 8200 section 8.1.
fn pseudo_header(ip: &Ip<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    for address in [ip.src, ip.dst] {
        match address {
            IpAddr::V4(a) => bytes.extend(a.octets()),
            IpAddr::V6(a) => bytes.extend(a.octets()),
        }
    }
    bytes.extend((ip.payload.len() as u32).to_be_bytes());
    bytes.extend([0, 0, 0, ip.protocol]);
    bytes
}

/// An ICMP message as it would leave. If it was made out of the packet that it
/// is about, a checksum that was left to the hardware is the quoted TCP packet's,
/// and is put in there: over all that follows the quoted IP header.
fn on_wire(packet: &Packet, ip: &Ip<'_>) -> Vec<u8> {
    let mut message = ip.payload.to_vec();
    let quote = message.get(8).copied().unwrap_or_default();
    let tcp = 8 + if quote >> 4 == 4 {
        usize::from(quote & 15) * 4
    } else {
        40
    };
    if packet.checksum_pending && message.len() >= tcp + 18 {
        let check = !sum(&[&message[tcp..]]);
        message[tcp + 16..tcp + 18].copy_from_slice(&check.to_be_bytes());
    }
    message
}

/// That the IP, TCP and ICMP checksums of a packet are right.
pub(super) fn verify(packet: &Packet) -> Result<()> {
    let Some(ip) = packet.ip() else { return Ok(()) };
    if ip.src.is_ipv4() {
        ensure!(sum(&[ip.header]) == 0xffff, "wrong IP header checksum");
    }
    let pseudo = pseudo_header(&ip);
    match ip.protocol {
        TCP => {}
        ICMP => ensure!(
            sum(&[&on_wire(packet, &ip)]) == 0xffff,
            "wrong ICMP checksum"
        ),
        ICMPV6 => ensure!(
            sum(&[&pseudo, &on_wire(packet, &ip)]) == 0xffff,
            "wrong ICMPv6 checksum"
        ),
        _ => {}
    }
    let Some(tcp) = packet.tcp() else {
        return Ok(());
    };
    if packet.checksum_pending {
        let field = u16::from_be_bytes([ip.payload[16], ip.payload[17]]);
        let expected = sum(&[&pseudo]);
        // 0 and 0xffff are the same number here.
        ensure!(
            field % 0xffff == expected % 0xffff,
            "the checksum left to the hardware begins from {field:#06x} instead of {expected:#06x}"
        );
    } else {
        ensure!(
            sum(&[&pseudo, ip.payload]) == 0xffff,
            "wrong TCP checksum ({} bytes of data)",
            tcp.payload.len()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_rfc_1071() {
        assert_eq!(
            sum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]),
            0xddf2
        );
    }

    #[test]
    fn an_odd_byte_is_padded_at_its_end() {
        assert_eq!(sum(&[&[0x12, 0x34, 0x56]]), 0x1234 + 0x5600);
    }
}
