//! Data packets in IP fragments: the first one has the ports, the others follow it.

use ftp_nat_common::{
    counter::Counter as C,
    layout::map,
    tcp::flag,
    translation::{FLOW_FIN, FLOW_FORWARD, Fragment, FragmentKey},
};

use super::{FAMILIES, PORT, announced, data_syn, forwarded};
use crate::{
    bench::{At, Bench, DROP, PASS, REDIRECT},
    hosts::{CLIENT, Family, GATEWAY, SERVER},
    packet::{Packet, sum},
};

const ETHERNET: usize = 14;
const ID: u16 = 0x1234;

/// The IPv4 or IPv6 packet as fragments that begin at these bytes of its TCP part,
/// after the first one; with right header checksums.
fn cut(packet: &Packet, at: &[usize], id: u16) -> Vec<Vec<u8>> {
    let bytes = packet.clone().id(id).bytes();
    let v4 = bytes[ETHERNET] >> 4 == 4;
    let (head, body) = bytes.split_at(ETHERNET + if v4 { 20 } else { 40 });
    let starts = [&[0], at].concat();
    let ends = [at, &[body.len()]].concat();
    let pieces = starts.iter().zip(&ends);
    pieces
        .map(|(start, end)| {
            let more = u16::from(*end != body.len());
            let mut piece = head.to_vec();
            if v4 {
                let place = (*start / 8) as u16 | more << 13;
                piece[20..22].copy_from_slice(&place.to_be_bytes());
                let len = (20 + end - start) as u16;
                piece[16..18].copy_from_slice(&len.to_be_bytes());
                piece[24..26].fill(0);
                let check = !sum(&[&piece[ETHERNET..]]);
                piece[24..26].copy_from_slice(&check.to_be_bytes());
            } else {
                let len = (8 + end - start) as u16;
                piece[18..20].copy_from_slice(&len.to_be_bytes());
                let next = std::mem::replace(&mut piece[20], 44);
                piece.extend([next, 0]);
                piece.extend((*start as u16 | more).to_be_bytes());
                piece.extend([0, 0]);
                piece.extend(id.to_be_bytes());
            }
            piece.extend(&body[*start..*end]);
            piece
        })
        .collect()
}

/// A data connection that the server opened.
fn opened(bench: &mut Bench, family: Family) -> Packet {
    announced(bench, family);
    let syn = data_syn(family, SERVER);
    assert_eq!(bench.run(At::FromOutside, &syn).verdict, REDIRECT);
    syn.flags(flag::ACK).payload([b'x'; 200]).seq(78)
}

fn untouched(bench: &mut Bench, at: At, fragment: &[u8], why: &str) {
    let out = bench.run_bytes(at, fragment);
    assert_eq!((out.verdict, &out.bytes[..]), (PASS, fragment), "{why}");
}

#[test]
fn fragments_of_a_data_packet_follow_the_first_one() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        let there = opened(&mut bench, family);
        let back = Packet::tcp((CLIENT.ip(family), PORT), (SERVER.ip(family), 20))
            .payload([b'y'; 333])
            .ttl(7);
        let ways = [
            (At::FromOutside, there.clone(), forwarded(family, &there)),
            (
                At::FromInside,
                back.clone(),
                back.clone().from((GATEWAY.ip(family), PORT)).ttl(6),
            ),
        ];
        for (at, sent, arrives) in ways {
            let (before, packets) = (bench.count(C::Fragments), bench.count(C::DataPackets));
            // The whole is right with all its checksums, TCP's too.
            let places = [64, 136];
            let wanted = cut(&arrives, &places, ID);
            for (fragment, wanted) in cut(&sent, &places, ID).iter().zip(&wanted) {
                let out = bench.run_bytes(at, fragment);
                assert_eq!((out.verdict, &out.bytes), (REDIRECT, wanted), "{at:?}");
            }
            assert_eq!(bench.count(C::Fragments), before + 3);
            assert_eq!(bench.count(C::DataPackets), packets + 3);
        }
    }
}

#[test]
fn fragments_that_no_first_one_is_known_of_pass_as_they_are() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        let sent = opened(&mut bench, family);
        let pieces = cut(&sent, &[64, 136], ID);
        let outside = At::FromOutside;
        untouched(&mut bench, outside, &pieces[1], "before the first one");
        assert_eq!(bench.run_bytes(outside, &pieces[0]).verdict, REDIRECT);
        untouched(&mut bench, At::FromInside, &pieces[1], "by the other side");
        let other = cut(&sent, &[64, 136], ID + 1);
        untouched(&mut bench, outside, &other[1], "of another packet");
        let stranger = sent.clone().from((crate::hosts::STRANGER.ip(family), 20));
        let forged = cut(&stranger, &[64, 136], ID);
        untouched(&mut bench, outside, &forged[0], "a stranger's");
        untouched(&mut bench, outside, &forged[1], "a stranger's");
        // It would write a part of the TCP header anew (RFC 1858).
        let over = cut(&sent, &[16, 136], ID);
        untouched(&mut bench, outside, &over[1], "over the header");
        assert_eq!(bench.run_bytes(outside, &pieces[1]).verdict, REDIRECT);
        for (key, mut known) in bench.entries::<FragmentKey, Fragment>(map::FRAGMENTS) {
            known.at_ns = 1;
            bench.insert(map::FRAGMENTS, key, known);
        }
        untouched(&mut bench, outside, &pieces[2], "much later");
    }
}

#[test]
fn a_first_fragment_opens_nothing() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        announced(&mut bench, family);
        let syn = data_syn(family, SERVER).payload([b'x'; 100]);
        for fragment in cut(&syn, &[64], ID) {
            untouched(&mut bench, At::FromOutside, &fragment, "no SYN in pieces");
        }
        assert_eq!((bench.expectations().len(), bench.flows().len()), (1, 0));
    }
}

#[test]
fn no_error_is_sent_about_a_later_fragment() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        let sent = opened(&mut bench, family);
        let pieces = cut(&sent, &[64, 136], ID);
        let tired = cut(&sent.clone().ttl(1), &[64, 136], ID);
        bench.run_bytes(At::FromOutside, &pieces[0]);
        assert_eq!(bench.run_bytes(At::FromOutside, &tired[1]).verdict, DROP);
        assert_eq!(bench.count(C::DataTtlExceeded), 1);
        bench.mtu("lan", 1280);
        let long = sent.payload([b'z'; 1700]);
        let pieces = cut(&long, &[64], ID);
        bench.run_bytes(At::FromOutside, &pieces[0]);
        assert_eq!(bench.run_bytes(At::FromOutside, &pieces[1]).verdict, DROP);
        assert_eq!(bench.count(C::DataTooBig), 1);
    }
}

#[test]
fn an_end_in_a_first_fragment_is_seen() {
    let mut bench = Bench::new();
    let sent = opened(&mut bench, Family::V4).fin();
    let pieces = cut(&sent, &[64], ID);
    bench.run_bytes(At::FromOutside, &pieces[0]);
    bench.run_bytes(At::FromOutside, &pieces[1]);
    let flows = bench.flows();
    let forward = flows.iter().find(|f| f.1.flags & FLOW_FORWARD != 0);
    assert_ne!(forward.expect("a flow").1.flags & FLOW_FIN, 0);
}
