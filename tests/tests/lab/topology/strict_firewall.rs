//! No NAT, and a forward chain that drops all that is new but the control port,
//! in both directions.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Host, Mode, ServerKind, Site, control::Control, ftp_nat::FtpNat, topologies::rules,
};

use super::exchange::Exchange;

/// The host inside and the one outside.
const V4: [&str; 2] = ["10.10.0.1", "61.144.1.100"];
const V6: [&str; 2] = ["fd00:10::1", "2001:db8:1::100"];
/// Addresses of hosts that have nothing to do with the session.
const STRANGERS: [&str; 2] = ["61.144.1.101/24", "2001:db8:1::101/64"];

/// Which host is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Client,
    Server,
}

/// ```text
///  10.10.0.1  --- 10.10.0.254  (lan) (wan) 61.144.1.2    --- 61.144.1.100
///  fd00:10::1 --- fd00:10::254             2001:db8:1::2 --- 2001:db8:1::100
/// ```
struct Strict {
    site: Site,
    client: Host,
    server: Host,
    server_ip: IpAddr,
    ftp_nat: FtpNat,
}

impl Strict {
    fn new(inside: Inside, addresses: [&str; 2]) -> Result<Self> {
        let bits = if addresses == V4 { 24 } else { 64 };
        let [host_in, host_out] = addresses.map(|ip| format!("{ip}/{bits}"));
        let site = Site::new()?
            .lan("lan", &["10.10.0.254/24", "fd00:10::254/64"])?
            .wan("wan", &["61.144.1.2/24", "2001:db8:1::2/64"])?;
        let within = site.host("inside", "lan", &[&host_in])?;
        let without = site.host("outside", "wan", &[&host_out])?;
        rules::forward(&site.gateway, rules::STRICT)?;
        let (client, server, server_ip) = match inside {
            Inside::Client => (within, without, addresses[1]),
            Inside::Server => (without, within, addresses[0]),
        };
        Ok(Self {
            ftp_nat: site.ftp_nat().start()?,
            site,
            client,
            server,
            server_ip: server_ip.parse()?,
        })
    }

    /// An announcement by hand, and what may come of it while it waits.
    fn one_announcement(&self, mode: Mode, stranger: &Host) -> Result<()> {
        let ftp_nat = &self.ftp_nat;
        let used = ftp_nat.counter("expectations_used")?;
        let exchange = Exchange::new(
            &self.site,
            ftp_nat,
            &self.client,
            &self.server,
            self.server_ip,
        );
        let (server, target) = exchange.serve(ServerKind::Vsftpd)?;
        let file = server.publish_random("file.bin", 68, 100_000)?;
        let mut control = self.client.log_in(&target)?;

        if mode.is_active() {
            let listener = control.listen(0)?;
            let at = listener.local_addr()?;
            announce(&mut control, at)?;
            let _next = control.listen(neighbour(at).port())?;
            self.only_for(at, &self.server, &self.client, stranger)?;
            file.verify(&control.retrieve_from(&listener, "file.bin")?)?;
            self.site.is_shut(&self.server, at)?;
        } else {
            let reply = control.expect("EPSV", 229)?;
            let port = reply.text.split('|').nth(3).unwrap_or_default().parse()?;
            let at = SocketAddr::new(self.server_ip, port);
            let _next = self.server.listen(neighbour(at))?;
            self.only_for(at, &self.client, &self.server, stranger)?;
            file.verify(&control.retrieve_at(at, "file.bin")?)?;
            self.site.is_shut(&self.client, at)?;
        }
        ensure!(ftp_nat.counter("expectations_used")? == used + 1);
        ensure!(ftp_nat.counter("rewrites")? == 0);
        Ok(())
    }

    /// While `at` is announced to `far`: not the port beside it, not from a
    /// stranger, and nothing the other way round.
    fn only_for(&self, at: SocketAddr, far: &Host, near: &Host, stranger: &Host) -> Result<()> {
        let ftp_nat = &self.ftp_nat;
        let (refused, used) = (
            ftp_nat.counter("refused_data_source")?,
            ftp_nat.counter("expectations_used")?,
        );
        self.site.is_shut(far, neighbour(at))?;
        // A stranger on the announcer's own segment needs no gateway.
        if near.name() == "inside" {
            self.site.is_shut(stranger, at)?;
            ensure!(ftp_nat.counter("refused_data_source")? == refused + 1);
        }
        let back = SocketAddr::new(far_ip(far, at)?, at.port());
        let _listener = far.listen(back)?;
        self.site.is_shut(near, back)?;
        ensure!(ftp_nat.counter("expectations_used")? == used);
        Ok(())
    }

    fn transfers(&self, mode: Mode) -> Result<()> {
        let (client, server) = (&self.client, &self.server);
        let seen = Exchange::new(&self.site, &self.ftp_nat, client, server, self.server_ip)
            .mode(mode)
            .run()?;
        ensure!(seen.announced == seen.announcer, "{seen:?}");
        ensure!(self.ftp_nat.counter("rewrites")? == 0);
        Ok(())
    }
}

/// The port beside an announced one.
fn neighbour(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip(), at.port() - 1)
}

/// The address of a host in the family of `like`.
fn far_ip(host: &Host, like: SocketAddr) -> Result<IpAddr> {
    let addresses = if like.is_ipv4() { V4 } else { V6 };
    let ip = if host.name() == "inside" {
        addresses[0]
    } else {
        addresses[1]
    };
    Ok(ip.parse()?)
}

fn announce(control: &mut Control, at: SocketAddr) -> Result<()> {
    let family = if at.is_ipv4() { 1 } else { 2 };
    let words = format!("EPRT |{family}|{}|{}|", at.ip(), at.port());
    control.expect(&words, 200).map(drop)
}

/// Real programs first, and then what may come of a single announcement.
fn both_modes(inside: Inside, addresses: [&str; 2], modes: [Mode; 2]) -> Result<()> {
    let strict = Strict::new(inside, addresses)?;
    let stranger = strict.site.host("stranger", "wan", &STRANGERS)?;
    for mode in modes {
        strict.transfers(mode)?;
        strict.one_announcement(mode, &stranger)?;
    }
    Ok(())
}

const MODES_V4: [Mode; 2] = [Mode::Port, Mode::Pasv];
const MODES_V6: [Mode; 2] = [Mode::Eprt, Mode::Epsv];

#[test]
fn a_client_inside() -> Result<()> {
    both_modes(Inside::Client, V4, MODES_V4)
}

#[test]
fn a_server_inside() -> Result<()> {
    both_modes(Inside::Server, V4, MODES_V4)
}

#[test]
fn a_client_inside_v6() -> Result<()> {
    both_modes(Inside::Client, V6, MODES_V6)
}

#[test]
fn a_server_inside_v6() -> Result<()> {
    both_modes(Inside::Server, V6, MODES_V6)
}
