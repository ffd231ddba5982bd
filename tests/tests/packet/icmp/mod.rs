//! ICMP errors that somebody beyond the gateway sends.
//!
//! ```text
//!   CLIENT:7684 ----- ROUTER_INSIDE -- GATEWAY:7684 ----- ROUTER ----- SERVER:20
//!   error about CLIENT > SERVER  <--  error about GATEWAY > SERVER
//!               error about SERVER > CLIENT  -->  error about SERVER > GATEWAY
//! ```

mod control;
mod data;
mod untouched;

use crate::{
    bench::{At, Bench, REDIRECT},
    data::{PORT, announced, data_syn},
    error::Error,
    hosts::{CLIENT, Family, GATEWAY, Host, ROUTER, ROUTER_INSIDE, SERVER},
    packet::Packet,
};

/// A hop that a data packet takes, and the errors about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The client sent it; a router outside complains.
    ToServer,
    /// The server sent it; a router inside complains.
    ToClient,
}

const WAYS: [Way; 2] = [Way::ToServer, Way::ToClient];

impl Way {
    /// Where the error comes in.
    fn hook(self) -> At {
        match self {
            Self::ToServer => At::FromOutside,
            Self::ToClient => At::FromInside,
        }
    }

    /// Who complains.
    fn router(self) -> Host {
        match self {
            Self::ToServer => ROUTER,
            Self::ToClient => ROUTER_INSIDE,
        }
    }

    /// A data packet, as its sender sent it.
    fn sent(self, family: Family) -> Packet {
        let (server, client) = (SERVER.ip(family), CLIENT.ip(family));
        let packet = match self {
            Self::ToServer => Packet::tcp((client, PORT), (server, 20)),
            Self::ToClient => Packet::tcp((server, 20), (GATEWAY.ip(family), PORT)),
        };
        packet.seq(0x0102_0304).ack(0x0506_0708).payload([7; 60])
    }

    /// The same behind the gateway.
    fn translated(self, family: Family) -> Packet {
        let packet = self.sent(family);
        match self {
            Self::ToServer => packet.from((GATEWAY.ip(family), PORT)),
            Self::ToClient => packet.to((CLIENT.ip(family), PORT)),
        }
    }

    /// The error as it comes, and as it is sent on. `dress` is done to the
    /// quoted packet on both sides: its age, its options.
    fn error(
        self,
        family: Family,
        kind: (u8, u8),
        dress: impl Fn(Packet) -> Packet,
    ) -> (Error, Error) {
        let router = self.router().ip(family);
        let (before, after) = (dress(self.sent(family)), dress(self.translated(family)));
        let came = Error::new(kind, router, &after).rest(0x0000_0514);
        // A router inside has no address that the server could know.
        let shown = match self {
            Self::ToServer => router,
            Self::ToClient => GATEWAY.ip(family),
        };
        let goes = Error::new(kind, shown, &before).rest(0x0000_0514).ttl(63);
        (came, goes)
    }
}

/// Types and codes of errors.
fn errors(family: Family) -> &'static [(u8, u8)] {
    match family {
        Family::V4 => &[
            (3, 0),
            (3, 1),
            (3, 3),
            (3, 4),
            (3, 13),
            (11, 0),
            (11, 1),
            (12, 0),
        ],
        Family::V6 => &[(1, 0), (1, 3), (1, 4), (2, 0), (3, 0), (3, 1), (4, 1)],
    }
}

/// A data connection between SERVER:20 and the client's announced port.
fn connected(bench: &mut Bench, family: Family) {
    announced(bench, family);
    let out = bench.run(At::FromOutside, &data_syn(family, SERVER));
    assert_eq!(out.verdict, REDIRECT);
    assert_eq!(bench.flows().len(), 2);
}

/// The bytes of the quoted packet's IP header.
fn ip_header(quote: &[u8]) -> usize {
    if quote[0] >> 4 == 4 {
        usize::from(quote[0] & 15) * 4
    } else {
        let (mut next, mut at) = (quote[6], 40);
        while next != crate::packet::TCP {
            next = quote[at];
            at += (usize::from(quote[at + 1]) + 1) * 8;
        }
        at
    }
}
