//! The control connection goes to a relay outside, and the data connection
//! comes from inside: to the public address and port that the relay was told.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Payload, Site,
    capture::Sides,
    control::{Control, accept},
    firewall,
    ftp_nat::FtpNat,
    scripted::{Scripted, Socket, polite},
    topologies::rules::{self, source_nat},
    topology::ETH,
    wait,
};

use crate::support::port_of;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 7);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 100);
/// 30,4.
const PORT: u16 = 7684;
/// Where a server's data connections come from (RFC 959 section 3.2).
const DATA: u16 = 20;

/// ```text
///  10.10.0.1 -+
///             +- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.100 (relay)
///  10.10.0.7 -+             masquerade
/// ```
/// The client has announced 10,10,0,1,30,4.
struct Announced {
    control: Control,
    listener: TcpListener,
    /// What the relay was told.
    public: SocketAddr,
    _relay: Scripted,
    outside: Host,
    ftp_nat: FtpNat,
    client: Host,
    site: Site,
}

impl Announced {
    fn new() -> Result<Self> {
        let site = Site::new()?
            .lan("lan", &["10.10.0.254/24"])?
            .wan("wan", &["61.144.1.2/24"])?;
        let client = site.host("client", "lan", &["10.10.0.1/24"])?;
        let outside = site.host("relay", "wan", &["61.144.1.100/24"])?;
        rules::forward(&site.gateway, rules::ORDINARY)?;
        source_nat(&site.gateway, "oifname wan masquerade")?;
        let relay = outside.scripted((RELAY, 21).into(), None, polite)?;
        let ftp_nat = site.ftp_nat().start()?;
        let mut control = Control::open(&client, relay.at())?;
        control.expect("USER anonymous", 230)?;
        let listener = control.listen(PORT)?;
        control.expect("PORT 10,10,0,1,30,4", 200)?;
        let told = relay.until_received(b"\r\n", wait::PATIENCE)?;
        let told = String::from_utf8_lossy(&told).into_owned();
        let line = told.lines().last().context("nothing was said")?;
        ensure!(
            line.starts_with("PORT 61,144,1,2,"),
            "the relay was told `{line}`"
        );
        let public = (PUBLIC, port_of(line)?).into();
        Ok(Self {
            control,
            listener,
            public,
            _relay: relay,
            outside,
            ftp_nat,
            client,
            site,
        })
    }

    /// A host inside connects, and bytes go both ways over the connection.
    fn connect(mut self, host: &Host, from: SocketAddr) -> Result<()> {
        let captures = (self.client.capture(ETH)?, host.capture(ETH)?);
        let socket = Socket {
            from: Some(from),
            ..Socket::default()
        };
        let mut caller = socket.connect(host, self.public)?;
        let (mut called, peer) = accept(&self.listener)?;
        // The one the client believes is its server, at the caller's port.
        ensure!(
            peer == (RELAY, from.port()).into(),
            "it seems to come from {peer}"
        );
        ensure!(called.local_addr()? == (CLIENT, PORT).into());
        let (there, back) = (Payload::random(66, 300_001), Payload::random(67, 200_003));
        std::thread::scope(|scope| -> Result<()> {
            let sent = scope.spawn(|| -> Result<()> {
                caller.write_all(there.bytes())?;
                caller.shutdown(std::net::Shutdown::Write)?;
                let mut got = Vec::new();
                caller.read_to_end(&mut got)?;
                back.verify(&got)
            });
            let mut got = Vec::new();
            called.read_to_end(&mut got)?;
            there.verify(&got)?;
            called.write_all(back.bytes())?;
            called.shutdown(std::net::Shutdown::Write)?;
            sent.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let sides = Sides {
            client: captures.0.stop()?,
            server: captures.1.stop()?,
        };
        sides.verify_checksums()?;
        let syns = sides.client.data_syns(21);
        let arrived = syns
            .iter()
            .any(|s| s.from == peer && s.to == (CLIENT, PORT).into());
        ensure!(arrived, "{syns:?}");

        ensure!(self.ftp_nat.counter("expectations_used")? == 1);
        ensure!(firewall::counted(&self.site.gateway, "dropped_invalid")? == 0);
        ensure!(firewall::counted(&self.site.gateway, "dropped_new")? == 0);
        // The control connection is as good as before, and the door is shut again.
        self.control.expect("NOOP", 200)?;
        self.site.is_shut(host, self.public)
    }
}

#[test]
fn the_clients_own_host() -> Result<()> {
    let announced = Announced::new()?;
    let host = announced.client.clone();
    announced.connect(&host, (CLIENT, DATA).into())
}

#[test]
fn another_host_inside() -> Result<()> {
    let announced = Announced::new()?;
    let host = announced.site.host("other", "lan", &["10.10.0.7/24"])?;
    announced.connect(&host, (OTHER, DATA).into())
}

/// The relay may still be the one to connect.
#[test]
fn the_relay_itself() -> Result<()> {
    let announced = Announced::new()?;
    let outside = announced.site.host("again", "wan", &["61.144.1.101/24"])?;
    // Not another host outside.
    announced.site.is_shut(&outside, announced.public)?;
    ensure!(announced.ftp_nat.counter("refused_data_source")? == 1);
    let _data = announced.outside.connect(announced.public)?;
    let (_, peer) = accept(&announced.listener)?;
    ensure!(peer.ip() == RELAY, "it seems to come from {peer}");
    Ok(())
}
