//! The ready-made labs whose hosts speak IPv6 only.

use std::net::{Ipv6Addr, SocketAddr};

use anyhow::Result;

use super::{
    capture::Capture,
    firewall::{self, LAN, WAN},
    ftp_nat,
    host::Host,
    link,
    net::Net,
    server::{Server, Target},
    topology::ETH,
};

/// The gateway's inside address.
pub const GATEWAY_INSIDE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x254);
/// The gateway's outside address.
pub const GATEWAY_OUTSIDE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
/// The host inside.
pub const HOST_INSIDE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 1);
/// The host outside.
pub const HOST_OUTSIDE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x100);

/// Who is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// The client: active mode needs help.
    Client,
    /// The server: passive mode needs help.
    Server,
}

/// Whether the gateway translates addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Translation {
    /// It routes, and drops what is new from outside.
    None,
    /// The inside hides behind the gateway's address, or is reached by it.
    Nat66,
}

/// A client and a server with a gateway between them.
///
/// ```text
///  inside                       gateway                       outside
///  fd00:10::1 --- fd00:10::254 (lan) (wan) 2001:db8:1::2 --- 2001:db8:1::100
/// ```
#[derive(Debug)]
pub struct Lab6 {
    /// The FTP client's host.
    pub client: Host,
    /// The gateway.
    pub gateway: Host,
    /// The FTP server's host.
    pub server: Host,
    inside: Inside,
    translation: Translation,
    // Last: the hosts' handles are closed before their namespaces are removed.
    net: Net,
}

impl Lab6 {
    /// With the given host inside. New connections from outside are dropped in
    /// the forward chain, but for those to port 21 of a server inside.
    pub fn new(inside: Inside, translation: Translation) -> Result<Self> {
        let net = Net::new()?;
        let (client, gateway, server) = (
            net.host("client")?,
            net.host("gateway")?,
            net.host("server")?,
        );
        let (near, far) = match inside {
            Inside::Client => (&client, &server),
            Inside::Server => (&server, &client),
        };
        link::join(near, ETH, &gateway, LAN)?;
        link::join(&gateway, WAN, far, ETH)?;
        near.address(ETH, &format!("{HOST_INSIDE}/64"))?
            .default_route(GATEWAY_INSIDE.into())?;
        gateway
            .address(LAN, &format!("{GATEWAY_INSIDE}/64"))?
            .address(WAN, &format!("{GATEWAY_OUTSIDE}/64"))?;
        far.address(ETH, &format!("{HOST_OUTSIDE}/64"))?
            .default_route(GATEWAY_OUTSIDE.into())?;
        gateway.sysctl("net.ipv6.conf.all.forwarding", "1")?;
        match translation {
            Translation::None => firewall::forward_only(&gateway)?,
            Translation::Nat66 => firewall::masquerade6(&gateway)?,
        }
        match (inside, translation) {
            (Inside::Client, _) => {}
            (Inside::Server, Translation::None) => firewall::accept_port(&gateway, 21)?,
            (Inside::Server, Translation::Nat66) => {
                firewall::forward_port6(&gateway, 21, HOST_INSIDE)?;
            }
        }
        Ok(Self {
            client,
            gateway,
            server,
            inside,
            translation,
            net,
        })
    }

    /// The server's own address.
    pub fn server_ip(&self) -> Ipv6Addr {
        match self.inside {
            Inside::Client => HOST_OUTSIDE,
            Inside::Server => HOST_INSIDE,
        }
    }

    /// Where the client reaches a server of this lab.
    pub fn reach(&self, server: &Server) -> Target {
        let ip = match (self.inside, self.translation) {
            (Inside::Server, Translation::Nat66) => GATEWAY_OUTSIDE,
            _ => self.server_ip(),
        };
        server.target(SocketAddr::new(ip.into(), server.port()))
    }

    /// The helper under test, on the gateway's two interfaces.
    pub fn ftp_nat(&self) -> ftp_nat::Builder {
        ftp_nat::Builder::new(&self.gateway, self.net.pin_path())
            .lan(LAN)
            .wan(WAN)
    }

    /// Captures at both ends: the client's and the server's.
    pub fn captures(&self) -> Result<(Capture, Capture)> {
        Ok((self.client.capture(ETH)?, self.server.capture(ETH)?))
    }
}
