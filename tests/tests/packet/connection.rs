//! A control connection through the gateway: what its ends send, and what
//! becomes of it by the gateway's NAT, which isn't ours.

use std::net::IpAddr;

use ftp_nat_common::tcp::flag;

use crate::{
    bench::{At, Loaded, PASS},
    hosts::{CLIENT, Family, Host, INNER_SERVER, SERVER, STRANGER},
    packet::{Packet, Parsed},
};

type End = (IpAddr, u16);

/// A connection, and where its ends are in their streams.
#[derive(Clone, Debug)]
pub struct Connection {
    pub client: End,
    /// The client as the server sees it.
    pub client_seen: End,
    pub server: End,
    /// The server as the client sees it.
    pub server_seen: End,
    pub client_isn: u32,
    pub server_isn: u32,
    /// What the client sends next, and what it acknowledges.
    pub client_next: u32,
    pub server_next: u32,
    client_is_inside: bool,
}

impl Connection {
    fn new(ends: [End; 4], client_is_inside: bool) -> Self {
        let [client, client_seen, server, server_seen] = ends;
        Self {
            client,
            client_seen,
            server,
            server_seen,
            client_isn: 0x1000_0000,
            server_isn: 0x2000_0000,
            client_next: 0x1000_0001,
            server_next: 0x2000_0001,
            client_is_inside,
        }
    }

    /// CLIENT to SERVER, by masquerading as `gateway`.
    pub fn masqueraded(family: Family, gateway: Host) -> Self {
        let server = (SERVER.ip(family), 21);
        let ends = [
            (CLIENT.ip(family), 40_000),
            (gateway.ip(family), 50_123),
            server,
            server,
        ];
        Self::new(ends, true)
    }

    /// STRANGER to INNER_SERVER, which is published as port 21 of `gateway`.
    pub fn published(family: Family, gateway: Host) -> Self {
        let client = (STRANGER.ip(family), 40_000);
        let ends = [
            client,
            client,
            (INNER_SERVER.ip(family), 2121),
            (gateway.ip(family), 21),
        ];
        Self::new(ends, false)
    }

    /// CLIENT to SERVER without any NAT.
    pub fn routed(family: Family) -> Self {
        let client = (CLIENT.ip(family), 40_000);
        let server = (SERVER.ip(family), 21);
        Self::new([client, client, server, server], true)
    }

    /// With other initial sequence numbers.
    pub fn numbered(mut self, client_isn: u32, server_isn: u32) -> Self {
        (self.client_isn, self.server_isn) = (client_isn, server_isn);
        self.client_next = client_isn.wrapping_add(1);
        self.server_next = server_isn.wrapping_add(1);
        self
    }

    /// The hooks that the client's packets pass.
    pub fn client_hooks(&self) -> (At, At) {
        if self.client_is_inside {
            (At::FromInside, At::ToOutside)
        } else {
            (At::FromOutside, At::ToInside)
        }
    }

    /// The hooks that the server's packets pass.
    pub fn server_hooks(&self) -> (At, At) {
        if self.client_is_inside {
            (At::FromOutside, At::ToInside)
        } else {
            (At::FromInside, At::ToOutside)
        }
    }

    /// The client's next segment, as it leaves the client.
    pub fn client_packet(&self) -> Packet {
        Packet::tcp(self.client, self.server_seen)
            .seq(self.client_next)
            .ack(self.server_next)
    }

    /// The server's next segment, as it leaves the server.
    pub fn server_packet(&self) -> Packet {
        Packet::tcp(self.server, self.client_seen)
            .seq(self.server_next)
            .ack(self.client_next)
    }

    /// A packet of the client's behind the gateway's NAT.
    pub fn to_server(&self, packet: &Packet) -> Packet {
        packet.clone().from(self.client_seen).to(self.server)
    }

    /// A packet of the server's behind the gateway's NAT.
    pub fn to_client(&self, packet: &Packet) -> Packet {
        packet.clone().from(self.server_seen).to(self.client)
    }

    pub fn syn(&self) -> Packet {
        self.client_packet()
            .seq(self.client_isn)
            .ack(0)
            .flags(flag::SYN)
    }

    pub fn syn_ack(&self) -> Packet {
        self.server_packet()
            .seq(self.server_isn)
            .ack(self.client_isn.wrapping_add(1))
            .flags(flag::SYN | flag::ACK)
    }

    /// SYN and SYN-ACK through both hooks each, and the client's ACK.
    pub fn shake_hands(&self, bench: &mut Loaded) {
        self.open(bench);
        bench.run(self.client_hooks().0, &self.client_packet());
    }

    /// SYN and SYN-ACK only: the session isn't trusted.
    pub fn open(&self, bench: &mut Loaded) {
        let (syn, syn_ack) = (self.syn(), self.syn_ack());
        bench.run(self.client_hooks().0, &syn);
        bench.run(self.client_hooks().1, &self.to_server(&syn));
        bench.run(self.server_hooks().0, &syn_ack);
        bench.run(self.server_hooks().1, &self.to_client(&syn_ack));
    }

    /// A session that may open pinholes: the server has greeted.
    pub fn establish(&mut self, bench: &mut Loaded) {
        self.shake_hands(bench);
        self.server_says(bench, "220 Ready\r\n");
    }

    /// The client's next text; what ingress makes of it.
    pub fn client_says(&mut self, bench: &mut Loaded, text: impl AsRef<[u8]>) -> Parsed {
        let packet = self.client_packet().payload(&text);
        self.client_next = self.client_next.wrapping_add(text.as_ref().len() as u32);
        passed(bench, self.client_hooks().0, &packet)
    }

    /// The server's next text; what ingress makes of it.
    pub fn server_says(&mut self, bench: &mut Loaded, text: impl AsRef<[u8]>) -> Parsed {
        let packet = self.server_packet().payload(&text);
        self.server_next = self.server_next.wrapping_add(text.as_ref().len() as u32);
        passed(bench, self.server_hooks().0, &packet)
    }
}

/// Runs a packet that must pass.
pub fn passed(bench: &mut Loaded, at: At, packet: &Packet) -> Parsed {
    let out = bench.run(at, packet);
    assert_eq!(out.verdict, PASS, "{packet:?}");
    Parsed::of(&out.bytes)
}
