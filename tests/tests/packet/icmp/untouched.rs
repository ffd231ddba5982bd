//! What is no error about a live flow passes byte for byte.

use ftp_nat_common::counter::Counter as C;

use super::{WAYS, Way, connected, errors, ip_header};
use crate::{
    bench::{At, Bench, DROP, PASS, REDIRECT},
    data::FAMILIES,
    error::Error,
    hosts::{Family, NEIGHBOUR, STRANGER},
    rng::Rng,
};

const HOOKS: [At; 4] = [At::FromInside, At::ToOutside, At::FromOutside, At::ToInside];

fn assert_untouched(bench: &mut Bench, name: &str, bytes: &[u8]) {
    let before = bench.counts();
    for at in HOOKS {
        let out = bench.run_bytes(at, bytes);
        assert_eq!(out.verdict, PASS, "{name} {at:?}");
        assert_eq!(out.bytes, bytes, "{name} {at:?}");
    }
    assert_eq!(bench.counts(), before, "{name}");
}

#[test]
fn errors_about_other_packets() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        for way in WAYS {
            for kind in errors(family) {
                let router = way.router().ip(family);
                let quoted = way.translated(family);
                let (src, dst) = (quoted.src, quoted.dst);
                for (name, about) in [
                    ("other source port", quoted.clone().from((src.0, src.1 ^ 1))),
                    ("other destination port", quoted.clone().to((dst.0, 80))),
                    (
                        "other source",
                        quoted.clone().from((NEIGHBOUR.ip(family), src.1)),
                    ),
                    (
                        "other destination",
                        quoted.clone().to((STRANGER.ip(family), dst.1)),
                    ),
                    ("the wrong way round", quoted.clone().from(dst).to(src)),
                ] {
                    let error = Error::new(*kind, router, &about);
                    assert_untouched(&mut bench, name, &error.bytes());
                }
                let elsewhere = Error::new(*kind, router, &quoted).to(STRANGER.ip(family));
                assert_untouched(&mut bench, "not to the sender", &elsewhere.bytes());
            }
        }
    }
}

#[test]
fn messages_that_are_no_errors() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        let is_error = |kind: u8| errors(family).iter().any(|e| e.0 == kind);
        for kind in (0..=255).filter(|k| !is_error(*k)) {
            for way in WAYS {
                let (came, _) = way.error(family, (kind, 0), |p| p);
                assert_untouched(&mut bench, &format!("type {kind}"), &came.bytes());
            }
        }
    }
}

/// A field of the quoted IP header, or of the error's own.
fn with_byte(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = value;
    bytes
}

#[test]
fn fragments_and_other_protocols() {
    let mut bench = Bench::new();
    connected(&mut bench, Family::V4);
    let (came, _) = Way::ToServer.error(Family::V4, (3, 4), |p| p);
    let bytes = came.bytes();
    // Frame, IP header, ICMP header.
    let quote = 14 + 20 + 8;
    for (name, at, value) in [
        ("more fragments", 14 + 6, 0x20),
        ("a later fragment", 14 + 7, 1),
        ("about a later fragment", quote + 7, 1),
        ("about UDP", quote + 9, 17),
        ("about ICMP", quote + 9, 1),
        ("quoted version", quote, 0x65),
        ("quoted header too short", quote, 0x44),
        ("quoted header longer than it is", quote, 0x4f),
        ("its own version", 14, 0x65),
        ("its own header too short", 14, 0x44),
    ] {
        let packet = with_byte(&bytes, at, value);
        assert_untouched(&mut bench, name, &packet);
    }
    connected(&mut bench, Family::V6);
    let (came, _) = Way::ToServer.error(Family::V6, (2, 0), |p| p);
    let bytes = came.bytes();
    let quote = 14 + 40 + 8;
    for (name, at, value) in [
        ("about UDP", quote + 6, 17),
        ("about nothing", quote + 6, 59),
        ("quoted version", quote, 0x45),
    ] {
        let packet = with_byte(&bytes, at, value);
        assert_untouched(&mut bench, name, &packet);
    }
    let fragment = came.clone().extension(44, &[0, 1, 0, 0, 0, 9]).bytes();
    for at in HOOKS {
        let out = bench.run_bytes(at, &fragment);
        assert_eq!((out.verdict, &out.bytes), (PASS, &fragment));
    }
    let mut routed = vec![0; 22];
    routed[1] = 1;
    let under_way = came.extension(43, &routed).bytes();
    assert_untouched(&mut bench, "on a source route", &under_way);
    for kind in [43, 44] {
        let dress = |p: crate::packet::Packet| p.extension(kind, &[0, 1, 0, 0, 0, 9]);
        let (came, _) = Way::ToServer.error(Family::V6, (2, 0), dress);
        assert_untouched(&mut bench, "about one under way", &came.bytes());
    }
}

#[test]
fn quotes_that_are_too_short() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        for way in WAYS {
            let (came, _) = way.error(family, errors(family)[3], |p| p);
            let header = ip_header(&came.quote);
            for len in 0..header + 8 {
                let short = came.clone().quoting(len).bytes();
                assert_untouched(&mut bench, &format!("{len} bytes"), &short);
                // What follows the IP packet on the wire is none of it.
                let mut padded = short.clone();
                padded.extend(&came.quote[len..]);
                assert_untouched(&mut bench, &format!("{len} bytes, padded"), &padded);
            }
            // And where the wire has less than the IP header says.
            let whole = came.bytes();
            let shortest = if family == Family::V4 { 34 } else { 54 };
            for len in shortest..whole.len() {
                assert_untouched(&mut bench, &format!("cut to {len}"), &whole[..len]);
            }
        }
    }
}

/// Ten thousand errors that are nearly right. What is translated is no longer
/// than it was, nothing is changed that passes, and no flow ever is.
#[test]
fn garbage() {
    let mut bench = Bench::new();
    let mut rng = Rng::new(33);
    for family in FAMILIES {
        connected(&mut bench, family);
        let flows = bench.flows();
        let mut seen = [0; 3];
        for n in 0..5_000 {
            let way = *rng.pick(&WAYS);
            let dress = |p: crate::packet::Packet| match (family, n % 3) {
                (Family::V4, 0) => p.ip_options(&[7, 7, 4, 0, 0, 0, 0, 0]),
                (Family::V6, 0) => p.extension(60, &[0; 6]),
                _ => p,
            };
            let (came, _) = way.error(family, *rng.pick(errors(family)), dress);
            let mut bytes = came.bytes();
            for _ in 0..rng.below(4) {
                let at = rng.range(14, bytes.len() - 1);
                bytes[at] = rng.next() as u8;
            }
            if rng.chance(20) {
                bytes.truncate(rng.range(62, bytes.len()));
            }
            let out = bench.run_bytes(*rng.pick(&HOOKS), &bytes);
            match out.verdict {
                PASS => assert_eq!(out.bytes, bytes, "packet {n}"),
                DROP => {}
                verdict => assert_eq!(verdict, REDIRECT, "packet {n}: {bytes:?}"),
            }
            assert_eq!(out.bytes.len(), bytes.len(), "packet {n}");
            seen[[PASS, DROP, REDIRECT]
                .iter()
                .position(|v| *v == out.verdict)
                .unwrap_or(0)] += 1;
        }
        assert_eq!(bench.count(C::IcmpTranslated), seen[2]);
        assert_eq!(bench.count(C::IcmpDropped), seen[1]);
        assert!(seen[2] > 500, "{seen:?}");
        assert_eq!(bench.flows(), flows);
    }
}
