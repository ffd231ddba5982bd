//! A static 1:1 NAT without netfilter: a pair of TC programs on the gateway's
//! outside interface, stateless, between the hooks of the helper under test.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Result, bail};

use super::program::{
    Hook, L3_CSUM_REPLACE, L4_CSUM_REPLACE, Program, Register, SKB_LOAD_BYTES, SKB_STORE_BYTES,
};
use crate::lab::{bpf::Attached, host::Host};

const ETHERNET: u32 = 14;
/// Offset of `protocol` in `struct __sk_buff`.
const SKB_PROTOCOL: i16 = 16;
/// `BPF_F_PSEUDO_HDR`, and the four bytes of an IPv4 address.
const PSEUDO_HEADER_WORD: u32 = 0x10 | 4;
/// The packet, kept over calls.
const SKB: Register = 6;
/// Where the address is on the stack.
const ADDRESS: i16 = -16;

/// An inside address that has one of its own outside. TCP only.
#[derive(Debug)]
pub struct Mapping {
    _programs: [Attached; 2],
}

impl Mapping {
    /// Translates between `inside` and `outside` at an interface.
    ///
    /// Of two IPv6 addresses the sums must be equal, as RFC 6296 section 3.1
    /// has it ([`neutral`] makes one): no checksum is corrected for those.
    pub fn new(gateway: &Host, wan: &str, inside: IpAddr, outside: IpAddr) -> Result<Self> {
        Ok(Self {
            _programs: [
                translate(outside, inside, Side::Destination)?.attach(
                    gateway,
                    wan,
                    Hook::Ingress,
                )?,
                translate(inside, outside, Side::Source)?.attach(gateway, wan, Hook::Egress)?,
            ],
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// A program that writes `to` where it finds `from`.
fn translate(from: IpAddr, to: IpAddr, side: Side) -> Result<Program> {
    // As a load from memory gives them.
    let words = |ip: IpAddr| -> Vec<u32> {
        let bytes = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let (words, _) = bytes.as_chunks::<4>();
        words.iter().map(|w| u32::from_ne_bytes(*w)).collect()
    };
    let (old, new) = (words(from), words(to));
    if old.len() != new.len() {
        bail!("{from} and {to} are of two families");
    }
    let (ethertype, source) = if from.is_ipv4() {
        (0x0800_u16, ETHERNET + 12)
    } else {
        (0x86dd, ETHERNET + 8)
    };
    let len = u32::try_from(4 * old.len())?;
    let at = match side {
        Side::Source => source,
        Side::Destination => source + len,
    };

    let mut p = Program::default();
    p.copy(SKB, 1);
    p.load(2, SKB, SKB_PROTOCOL);
    p.require(2, u32::from(ethertype.to_be()));
    load(&mut p, at, len);
    for (n, word) in (0..).step_by(4).zip(&old) {
        p.load(2, 10, ADDRESS + n);
        p.require(2, *word);
    }
    if from.is_ipv4() {
        // Version and header length, and the protocol: nothing but plain TCP.
        load(&mut p, ETHERNET, 4);
        p.load(2, 10, ADDRESS);
        p.and(2, u32::from_ne_bytes([0xff, 0, 0, 0]));
        p.require(2, u32::from_ne_bytes([0x45, 0, 0, 0]));
        load(&mut p, ETHERNET + 8, 4);
        p.load(2, 10, ADDRESS);
        p.and(2, u32::from_ne_bytes([0, 0xff, 0, 0]));
        p.require(2, u32::from_ne_bytes([0, 6, 0, 0]));
        replace_sum(
            &mut p,
            L4_CSUM_REPLACE,
            ETHERNET + 20 + 16,
            &old,
            &new,
            PSEUDO_HEADER_WORD,
        );
        replace_sum(&mut p, L3_CSUM_REPLACE, ETHERNET + 10, &old, &new, 4);
    }
    for (n, word) in (0..).step_by(4).zip(&new) {
        p.push(ADDRESS + n, *word);
    }
    p.copy(1, SKB);
    p.set(2, at);
    p.stack(3, ADDRESS);
    p.set(4, len);
    p.set(5, 0);
    p.call(SKB_STORE_BYTES);
    Ok(p)
}

/// Loads bytes of the packet to the stack.
fn load(p: &mut Program, at: u32, len: u32) {
    p.copy(1, SKB);
    p.set(2, at);
    p.stack(3, ADDRESS);
    p.set(4, len);
    p.call(SKB_LOAD_BYTES);
    p.require(0, 0);
}

fn replace_sum(p: &mut Program, helper: i32, at: u32, old: &[u32], new: &[u32], flags: u32) {
    p.copy(1, SKB);
    p.set(2, at);
    p.set(3, old[0]);
    p.set(4, new[0]);
    p.set(5, flags);
    p.call(helper);
}

/// The address of the /48 prefix of `prefix` that stands for `inside` in a
/// translation that keeps all checksums (RFC 6296 sections 3.1 and 3.5).
pub fn neutral(inside: Ipv6Addr, prefix: Ipv6Addr) -> Ipv6Addr {
    let (from, to) = (inside.segments(), prefix.segments());
    let sum = |words: &[u16]| words.iter().map(|w| u32::from(*w)).sum::<u32>();
    let ones = |n: u32| n % 0xffff;
    let adjustment = ones(sum(&from[..3]) + 0xffff * 3 - sum(&to[..3]));
    let mut out = from;
    out[..3].copy_from_slice(&to[..3]);
    // The remainder is never 0xffff, which the RFC has written as 0 too.
    out[3] = u16::try_from(ones(u32::from(from[3]) + adjustment)).unwrap_or_default();
    Ipv6Addr::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6296 section 3.7.
    #[test]
    fn the_example_of_the_rfc() {
        let inside = "fd01:0203:0405:0001::1234".parse().unwrap();
        let prefix = "2001:0db8:0001::".parse().unwrap();
        let outside: Ipv6Addr = "2001:0db8:0001:d550::1234".parse().unwrap();
        assert_eq!(neutral(inside, prefix), outside);
    }
}
