//! Transfers between two hosts of a site, and what must be true of them in
//! every topology.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use ftp_nat_tests::lab::{
    Client, Host, Mode, Payload, Server, ServerKind, Site, Target,
    capture::{Conversation, Ports, Sides},
    firewall,
    ftp_nat::FtpNat,
    topology::ETH,
};

/// Who talks with whom, and how.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub site: &'a Site,
    pub ftp_nat: &'a FtpNat,
    pub client: &'a Host,
    pub server: &'a Host,
    /// Where the server listens.
    pub listens: SocketAddr,
    /// Where the client dials it.
    pub dialled: SocketAddr,
    /// The interfaces that their packets come by.
    pub client_interface: &'a str,
    pub server_interface: &'a str,
    pub mode: Mode,
    pub probes: Probes,
}

/// Where the announcer must not be reached at a port it didn't announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probes {
    /// At its own address and at the one it is known by.
    Everywhere,
    /// At the one it is known by: the way to its own isn't the gateway's.
    PublicAddress,
    /// The rules let the far end connect to it anywhere.
    Nowhere,
}

/// What the transfers looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The address that the far end was told, and by which it knows the announcer.
    pub announced: IpAddr,
    /// The announcer's own address.
    pub announcer: IpAddr,
    /// Whom the client believes to talk to.
    pub server_seen: IpAddr,
    /// Whom the server believes to talk to.
    pub client_seen: IpAddr,
}

/// Programs that the transfers are made with.
const PAIRS: [(ServerKind, Client); 2] = [
    (ServerKind::Vsftpd, Client::Curl),
    (ServerKind::Pyftpdlib, Client::Ftplib),
];

/// A port that nobody announces; the announcer listens at it.
///
/// None of those that Linux takes by itself for whoever asks for any (32768 to
/// 60999): a server or a client may have had it, and keep it in TIME-WAIT.
pub const UNANNOUNCED: u16 = 31_333;

impl<'a> Exchange<'a> {
    /// To a server that is dialled at its own address and port 21.
    pub fn new(
        site: &'a Site,
        ftp_nat: &'a FtpNat,
        client: &'a Host,
        server: &'a Host,
        server_ip: impl Into<IpAddr>,
    ) -> Self {
        let at = SocketAddr::new(server_ip.into(), 21);
        Self {
            site,
            ftp_nat,
            client,
            server,
            listens: at,
            dialled: at,
            client_interface: ETH,
            server_interface: ETH,
            mode: Mode::Port,
            probes: Probes::Everywhere,
        }
    }

    pub fn dialled_at(mut self, ip: impl Into<IpAddr>, port: u16) -> Self {
        self.dialled = SocketAddr::new(ip.into(), port);
        self
    }

    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    pub fn probes(mut self, probes: Probes) -> Self {
        self.probes = probes;
        self
    }

    /// A server of this exchange.
    pub fn serve(&self, kind: ServerKind) -> Result<(Server, Target)> {
        let server = self
            .server
            .serve(kind)
            .bind(self.listens.ip())
            .port(self.listens.port())
            .start()?;
        let target = server.target(self.dialled);
        Ok((server, target))
    }

    /// A download, an upload and a LIST of each pair of programs, all verified,
    /// and then that nothing else gets through.
    pub fn run(&self) -> Result<Seen> {
        let context = || {
            format!(
                "{:?} from {} to {}",
                self.mode,
                self.client.name(),
                self.dialled
            )
        };
        self.transfers().with_context(context)
    }

    fn transfers(&self) -> Result<Seen> {
        let mut seen = None;
        let gateway = &self.site.gateway;
        let dropped = firewall::counted(gateway, "dropped_new")?;
        for (kind, client) in PAIRS {
            let used = self.ftp_nat.counter("expectations_used")?;
            let (server, target) = self.serve(kind)?;
            let captures = (
                self.client.capture(self.client_interface)?,
                self.server.capture(self.server_interface)?,
            );
            self.use_all(client, &server, &target)
                .with_context(|| format!("{} with {}", client.name(), kind.name()))?;
            let sides = Sides::stop(captures)?;
            sides.verify_checksums()?;
            let now = self.verify(&sides)?;
            ensure!(*seen.get_or_insert(now) == now, "{seen:?}, then {now:?}");
            let used = self.ftp_nat.counter("expectations_used")? - used;
            ensure!(used == 3, "{used} data connections came by an announcement");
        }
        ensure!(
            firewall::counted(gateway, "dropped_invalid")? == 0,
            "the connection tracker called a packet invalid"
        );
        ensure!(
            firewall::counted(gateway, "dropped_new")? == dropped,
            "the forward chain met a data connection"
        );
        let seen = seen.context("no transfer was made")?;
        self.unannounced(&seen)?;
        Ok(seen)
    }

    fn use_all(&self, client: Client, server: &Server, target: &Target) -> Result<()> {
        let down = server.publish_random("down.bin", 61, 200_001)?;
        let session = self.client.ftp(client).mode(self.mode).to(target);
        down.verify(&session.get("down.bin")?)?;
        let up = Payload::random(62, 100_003);
        session.put("up.bin", up.bytes())?;
        up.verify(&server.uploaded("up.bin")?)?;
        let list = session.list()?;
        ensure!(list.contains("down.bin"), "LIST gave no down.bin: {list}");
        Ok(())
    }

    fn verify(&self, sides: &Sides) -> Result<Seen> {
        let ports = Ports {
            dialled: self.dialled.port(),
            real: self.listens.port(),
        };
        let control = sides.control(ports)?;
        ensure!(control.len() == 3, "{} control connections", control.len());
        let (at_client, at_server) = &control[0];
        let (server_seen, client_seen) = (at_client.server.ip(), at_server.client.ip());
        let (announced, announcer) = if self.mode.is_active() {
            (client_seen, at_client.client.ip())
        } else {
            (server_seen, at_server.server.ip())
        };
        self.text(sides, ports, announced, announcer)?;

        // Each end has the data connection with whom it has the control connection.
        let data = sides.data(ports)?;
        ensure!(data.len() == 3, "{} data connections", data.len());
        for (client, server) in &data {
            for (data, control) in [(client, at_client), (server, at_server)] {
                ensure!(
                    ends(data) == ends(control),
                    "a data connection between {:?}, control between {:?}",
                    ends(data),
                    ends(control)
                );
            }
            ensure!(client.to_server.bytes() == server.to_server.bytes());
            ensure!(client.to_client.bytes() == server.to_client.bytes());
        }
        Ok(Seen {
            announced,
            announcer,
            server_seen,
            client_seen,
        })
    }

    /// All announcements say the address by which the far end knows the
    /// announcer, and nothing else was changed.
    fn text(
        &self,
        sides: &Sides,
        ports: Ports,
        announced: IpAddr,
        announcer: IpAddr,
    ) -> Result<()> {
        let address = match self.mode {
            Mode::Eprt => announced.to_string(),
            _ => announced.to_string().replace('.', ","),
        };
        if announced == announcer {
            let edits = sides.edits(ports)?;
            ensure!(edits.is_empty(), "nothing had to be changed: {edits:?}");
        } else if self.mode == Mode::Epsv {
            // It has a port only, which may stay what it is.
            for edit in sides.edits(ports)? {
                let is_229 = |s: &str| s.starts_with("229 ") && s.contains("(|||");
                ensure!(is_229(&edit.sent) && is_229(&edit.received), "{edit:?}");
            }
        } else {
            let edits = sides.verify_edits(ports, self.mode.announcement(), &address)?;
            ensure!(edits == 3, "three transfers had {edits} announcements");
        }
        Ok(())
    }

    /// A port that nobody announced can't be reached by the session's peer.
    fn unannounced(&self, seen: &Seen) -> Result<()> {
        let (near, far) = if self.mode.is_active() {
            (self.client, self.server)
        } else {
            (self.server, self.client)
        };
        let _listener = near.listen(SocketAddr::new(seen.announcer, UNANNOUNCED))?;
        let addresses = match self.probes {
            Probes::Everywhere => vec![seen.announced, seen.announcer],
            Probes::PublicAddress => vec![seen.announced],
            Probes::Nowhere => vec![],
        };
        for ip in addresses {
            self.site.is_shut(far, SocketAddr::new(ip, UNANNOUNCED))?;
        }
        Ok(())
    }
}

/// The two addresses of a connection, in order of their size.
fn ends(connection: &Conversation) -> [IpAddr; 2] {
    let mut ends = [connection.client.ip(), connection.server.ip()];
    ends.sort_unstable();
    ends
}
