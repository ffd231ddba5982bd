//! An error about a data packet reaches the packet's sender, as one about the
//! packet that it sent. Every byte is compared, with checksums computed anew.

use ftp_nat_common::{counter::Counter as C, layout::map, translation::Flow};

use super::{WAYS, Way, connected, errors, ip_header};
use crate::{
    bench::{At, Bench, DROP, REDIRECT},
    connection::Connection,
    data::{FAMILIES, PORT},
    error::Error,
    hosts::{CLIENT, Family, GATEWAY, SERVER, STRANGER},
    packet::Packet,
};

fn assert_translated(bench: &mut Bench, name: &str, at: At, came: &Error, goes: &Error) {
    let before = bench.count(C::IcmpTranslated);
    let out = bench.run_bytes(at, &came.bytes());
    assert_eq!(out.verdict, REDIRECT, "{name}: verdict");
    let (got, wanted) = (hex(&out.bytes[14..]), hex(&goes.ip()));
    assert_eq!(got, wanted, "{name}: packet");
    assert_eq!(bench.count(C::IcmpTranslated), before + 1, "{name}");
}

/// Readable where two packets differ.
fn hex(bytes: &[u8]) -> String {
    let words = bytes.chunks(4).map(|w| {
        let digits = w.iter().map(|b| format!("{b:02x}"));
        digits.collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_error_of_every_family_reaches_the_sender() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        let flows = bench.flows();
        for way in WAYS {
            for kind in errors(family) {
                let (came, goes) = way.error(family, *kind, |p| p.ttl(17).timestamps(3, 4));
                let name = format!("{way:?} {kind:?} {family:?}");
                assert_translated(&mut bench, &name, way.hook(), &came, &goes);
            }
        }
        assert_eq!(bench.flows(), flows, "no flow is touched");
        assert_eq!(bench.count(C::DataPackets), 1);
    }
}

#[test]
fn eight_bytes_of_the_tcp_header_are_enough() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        for way in WAYS {
            let (came, goes) = way.error(family, errors(family)[3], |p| p);
            let header = ip_header(&came.quote);
            for len in 8..=80 {
                let name = format!("{way:?} {len} bytes {family:?}");
                let came = came.clone().quoting(header + len);
                let mut goes = goes.clone().quoting(header + len);
                if len == 17 {
                    // Half a checksum can't be repaired.
                    goes.quote[header + 16] = came.quote[header + 16];
                }
                assert_translated(&mut bench, &name, way.hook(), &came, &goes);
            }
        }
    }
}

#[test]
fn options_and_extension_headers_are_stepped_over() {
    let mut bench = Bench::new();
    let v4: fn(Packet) -> Packet = |p| p.ip_options(&[1, 1, 1, 7, 7, 4, 0, 0]);
    let longest: fn(Packet) -> Packet = |p| p.ip_options(&[1; 40]);
    let v6: fn(Packet) -> Packet = |p| p.extension(60, &[0; 6]).extension(0, &[0; 14]);
    // All of a source route has been travelled.
    let routed: fn(Packet) -> Packet = |p| p.extension(43, &[0; 22]);
    for (family, dress) in [
        (Family::V4, v4),
        (Family::V4, longest),
        (Family::V6, v6),
        (Family::V6, routed),
    ] {
        connected(&mut bench, family);
        for way in WAYS {
            let (came, goes) = way.error(family, errors(family)[0], dress);
            let header = ip_header(&came.quote);
            for len in [header + 8, header + 20, header + 80] {
                let own = |e: &Error| match family {
                    Family::V4 => e.clone().quoting(len).ip_options(&[1, 1, 1, 1]),
                    Family::V6 => e.clone().quoting(len).extension(60, &[0; 6]),
                };
                let name = format!("{way:?} {len} bytes {family:?}");
                assert_translated(&mut bench, &name, way.hook(), &own(&came), &own(&goes));
                let (came, goes) = (came.clone().quoting(len), goes.clone().quoting(len));
                assert_translated(&mut bench, &name, way.hook(), &came, &goes);
            }
        }
    }
}

#[test]
fn the_end_itself_may_complain() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        let kind = errors(family)[2];
        for (way, host, shown) in [
            (Way::ToServer, SERVER, SERVER),
            (Way::ToClient, CLIENT, GATEWAY),
        ] {
            let (came, goes) = way.error(family, kind, |p| p);
            let (came, goes) = (came.from(host.ip(family)), goes.from(shown.ip(family)));
            assert_translated(&mut bench, &format!("{host:?}"), way.hook(), &came, &goes);
        }
    }
}

/// A server inside announced itself: both ends are translated the other way
/// round, and the client is told by the address that it dialled.
#[test]
fn a_published_server_stays_hidden() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        bench.clear();
        bench.only_port(PORT);
        let mut c = Connection::published(family, GATEWAY);
        c.establish(&mut bench);
        c.client_says(&mut bench, "EPSV\r\n");
        c.server_says(&mut bench, format!("229 Ok (|||{PORT}|)\r\n"));
        let client = (STRANGER.ip(family), 5000);
        let sent = Packet::tcp(client, (GATEWAY.ip(family), PORT)).payload("data");
        let syn = sent.clone().flags(ftp_nat_common::tcp::flag::SYN);
        assert_eq!(bench.run(At::FromOutside, &syn).verdict, REDIRECT);
        let behind = sent.clone().to((c.server.0, PORT));
        let router = crate::hosts::ROUTER_INSIDE.ip(family);
        let kind = errors(family)[3];
        assert_translated(
            &mut bench,
            "the client's",
            At::FromInside,
            &Error::new(kind, router, &behind),
            &Error::new(kind, GATEWAY.ip(family), &sent).ttl(63),
        );
        // And the server is told by the router itself.
        let sent = Packet::tcp((c.server.0, PORT), client).payload("more");
        let behind = sent.clone().from((GATEWAY.ip(family), PORT));
        let router = crate::hosts::ROUTER.ip(family);
        assert_translated(
            &mut bench,
            "the server's",
            At::FromOutside,
            &Error::new(kind, router, &behind),
            &Error::new(kind, router, &sent).ttl(63),
        );
    }
}

#[test]
fn nothing_but_a_pinhole_leaves_the_quote_alone() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        bench.clear();
        let mut c = Connection::routed(family);
        c.establish(&mut bench);
        let (af, client) = match family {
            Family::V4 => (1, CLIENT.v4.to_string()),
            Family::V6 => (2, CLIENT.v6.to_string()),
        };
        c.client_says(&mut bench, format!("EPRT |{af}|{client}|{PORT}|\r\n"));
        let sent = Packet::tcp((SERVER.ip(family), 20), (CLIENT.ip(family), PORT));
        let syn = sent.clone().flags(ftp_nat_common::tcp::flag::SYN);
        assert_eq!(bench.run(At::FromOutside, &syn).verdict, REDIRECT);
        let router = crate::hosts::ROUTER_INSIDE.ip(family);
        let came = Error::new(errors(family)[3], router, &sent);
        let goes = came.clone().ttl(63);
        assert_translated(&mut bench, "pinhole", At::FromInside, &came, &goes);
    }
}

/// A checksum that was wrong is as wrong afterwards: nothing broken is mended.
#[test]
fn a_broken_error_stays_broken() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        for way in WAYS {
            let (came, goes) = way.error(family, errors(family)[3], |p| p);
            let at = came.bytes().len() - 1;
            let (mut came, mut goes) = (came.bytes(), goes.ip());
            came[at] ^= 0x40;
            goes[at - 14] ^= 0x40;
            let out = bench.run_bytes(way.hook(), &came);
            assert_eq!(out.verdict, REDIRECT);
            assert_eq!(hex(&out.bytes[14..]), hex(&goes), "{way:?} {family:?}");
        }
    }
}

#[test]
fn an_error_whose_ttl_ends_here_is_dropped_without_a_word() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        for ttl in [0, 1] {
            let (came, _) = Way::ToServer.error(family, errors(family)[0], |p| p);
            let out = bench.run_bytes(At::FromOutside, &came.ttl(ttl).bytes());
            assert_eq!(out.verdict, DROP);
        }
        assert_eq!(bench.count(C::IcmpDropped), 2);
        assert_eq!(bench.count(C::IcmpTranslated), 0);
    }
}

#[test]
fn an_error_without_a_way_is_dropped() {
    let mut bench = Bench::new();
    for family in FAMILIES {
        connected(&mut bench, family);
        let (came, _) = Way::ToServer.error(family, errors(family)[3], |p| p);
        let out = bench.without_way_to(CLIENT.ip(family), |bench| {
            bench.run_bytes(At::FromOutside, &came.bytes())
        });
        assert_eq!(out.verdict, DROP);
        assert_eq!(bench.count(C::IcmpDropped), 1);
    }
}

#[test]
fn an_error_about_a_flow_that_is_over_passes() {
    let mut bench = Bench::new();
    connected(&mut bench, Family::V4);
    let mut flows = bench.flows();
    for (key, flow) in &mut flows {
        // Long before the machine was started.
        flow.last_ns = 0;
        flow.flags = ftp_nat_common::translation::FLOW_RST;
        bench.insert::<_, Flow>(map::FLOWS, *key, *flow);
    }
    let (came, _) = Way::ToServer.error(Family::V4, (3, 4), |p| p);
    let out = bench.run_bytes(At::FromOutside, &came.bytes());
    assert_eq!((out.verdict, out.bytes), (crate::bench::PASS, came.bytes()));
    assert_eq!(bench.flows().len(), 2, "an error removes nothing");
}
