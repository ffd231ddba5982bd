//! Both ends of a data connection inside: with each other through the gateway's
//! public address, and back to the very host that announced it; where the
//! connection meets a masquerade rule and where it doesn't.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr},
};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Lab,
    capture::Sides,
    control::accept,
    firewall::{self, LAN, WAN},
    ftp_nat, link,
    net::Net,
    topology::{
        CLIENT_INSIDE, ETH, GATEWAY_INSIDE, GATEWAY_OUTSIDE, SERVER_INSIDE, SERVER_OUTSIDE,
    },
};

use super::{start, verify_path, verify_tracked};
use crate::support::{Session, port_of};

/// What netfilter does with a connection from inside to inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// All are masqueraded.
    Masqueraded,
    /// Only those whose destination it translated are: control connections.
    ForwardedOnly,
}

impl Inside {
    const fn rule(self) -> &'static str {
        match self {
            Self::Masqueraded => "add rule ip nat postrouting iifname lan oifname lan masquerade",
            Self::ForwardedOnly => {
                "add rule ip nat postrouting iifname lan oifname lan ct status dnat masquerade"
            }
        }
    }
}

/// Client and server on one network, and a gateway whose public port 21 is the
/// server's.
///
/// ```text
///   client 10.10.0.1 --+-- 10.10.0.254 (lan) gateway (wan) 61.144.1.2
///   server 10.10.0.5 --+
/// ```
struct Site {
    client: Host,
    server: Host,
    gateway: Host,
    _others: [Host; 2],
    net: Net,
}

impl Site {
    fn new(inside: Inside) -> Result<Self> {
        let net = Net::new()?;
        let (switch, gateway) = (net.host("switch")?, net.host("gateway")?);
        switch.run(&["ip", "link", "add", "name", "bridge", "type", "bridge"])?;
        switch.run(&["ip", "link", "set", "bridge", "up"])?;
        let plug = |host: &Host, interface: &str, ip: Ipv4Addr| -> Result<()> {
            link::join(host, interface, &switch, host.name())?;
            switch.run(&["ip", "link", "set", host.name(), "master", "bridge"])?;
            host.address(interface, &format!("{ip}/24")).map(drop)
        };
        let (client, server) = (net.host("client")?, net.host("server")?);
        plug(&client, ETH, CLIENT_INSIDE)?;
        plug(&server, ETH, SERVER_INSIDE)?;
        plug(&gateway, LAN, GATEWAY_INSIDE)?;
        for host in [&client, &server] {
            host.default_route(GATEWAY_INSIDE.into())?;
        }
        let outside = net.host("outside")?;
        link::join(&gateway, WAN, &outside, ETH)?;
        gateway.address(WAN, &format!("{GATEWAY_OUTSIDE}/24"))?;
        gateway.sysctl("net.ipv4.ip_forward", "1")?;
        firewall::masquerade(&gateway)?;
        gateway.nft(&format!(
            "table ip nat {{
                chain prerouting {{
                    type nat hook prerouting priority dstnat;
                    ip daddr {GATEWAY_OUTSIDE} tcp dport 21 dnat to {SERVER_INSIDE}:21
                }}
            }}
            {}",
            inside.rule()
        ))?;
        Ok(Self {
            client,
            server,
            gateway,
            _others: [switch, outside],
            net,
        })
    }
}

fn with_each_other(inside: Inside, active: bool) -> Result<()> {
    let site = Site::new(inside)?;
    let server = site.server.vsftpd().start()?;
    let builder = ftp_nat::Builder::new(&site.gateway, site.net.pin_path());
    let ftp_nat = start(&site.gateway, builder.lan(LAN).wan(WAN))?;
    let file = server.publish_random("file.bin", 90, 3_000_000)?;
    let captures = (site.client.capture(ETH)?, site.server.capture(ETH)?);
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), 21);
    let mut control = site.client.log_in(&server.target(public))?;
    file.verify(&if active {
        control.retrieve_active(0, "file.bin")?
    } else {
        control.retrieve_passive("file.bin")?
    })?;
    control.expect("QUIT", 221)?;
    let sides = Sides::stop(captures)?;
    sides.verify_checksums()?;
    let data = sides.data(21)?;
    let (at_client, at_server) = data.first().context("no data connection")?;
    at_client.complete()?;
    at_server.complete()?;
    // As on the control connection: each end knows the other by the gateway's address.
    let (of_server, of_client) = if active {
        (at_client.client, at_server.server)
    } else {
        (at_client.server, at_server.client)
    };
    ensure!(of_server.ip() == GATEWAY_OUTSIDE, "{of_server}");
    ensure!(of_client.ip() == GATEWAY_INSIDE, "{of_client}");
    verify_tracked(&site.gateway, 1)?;
    verify_path(&ftp_nat, 1)
}

#[test]
fn active_with_each_other_masqueraded() -> Result<()> {
    with_each_other(Inside::Masqueraded, true)
}

#[test]
fn passive_with_each_other_masqueraded() -> Result<()> {
    with_each_other(Inside::Masqueraded, false)
}

#[test]
fn active_with_each_other() -> Result<()> {
    with_each_other(Inside::ForwardedOnly, true)
}

#[test]
fn passive_with_each_other() -> Result<()> {
    with_each_other(Inside::ForwardedOnly, false)
}

/// The server is outside and tells a host inside where to connect to: here the
/// very host that announced it.
fn back_to_itself(inside: Inside) -> Result<()> {
    let lab = Lab::masquerade()?;
    lab.gateway.nft(inside.rule())?;
    let server = lab.server.vsftpd().start()?;
    let ftp_nat = start(&lab.gateway, lab.ftp_nat())?;
    let control = lab.client.log_in(&lab.reach(&server))?;
    let mut session = Session {
        control,
        ftp_nat,
        server,
        lab,
    };
    let listener = session.control.listen(0)?;
    let told = session.announce(listener.local_addr()?.port())?;
    let public = SocketAddr::new(GATEWAY_OUTSIDE.into(), port_of(&told)?);
    let mut there = session.lab.client.connect(public)?;
    let (mut here, from) = accept(&listener)?;
    ensure!(
        from.ip() == IpAddr::V4(SERVER_OUTSIDE),
        "it seems to come from {from}"
    );
    for (from, to) in [(0, 1), (1, 0)] {
        let text = vec![7; 100_000];
        let ends = [&mut there, &mut here];
        ends[from].write_all(&text)?;
        ends[from].shutdown(Shutdown::Write)?;
        let mut got = Vec::new();
        ends[to].read_to_end(&mut got)?;
        ensure!(got == text);
    }
    verify_tracked(&session.lab.gateway, 1)?;
    verify_path(&session.ftp_nat, 1)
}

#[test]
fn back_to_itself_masqueraded() -> Result<()> {
    back_to_itself(Inside::Masqueraded)
}

#[test]
fn back_to_itself_as_it_is() -> Result<()> {
    back_to_itself(Inside::ForwardedOnly)
}
