//! The ready-made labs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Result;

use super::{
    capture::Capture,
    client::{Client, Mode, Session},
    firewall::{self, LAN, WAN},
    ftp_nat,
    host::Host,
    link::{self, Offloads},
    net::Net,
    server::{Server, Target},
};

/// Interface of client and server.
pub const ETH: &str = "eth0";
/// The gateway's inside address.
pub const GATEWAY_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 254);
/// The gateway's outside address.
pub const GATEWAY_OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 2);
/// The host inside, when it is the client.
pub const CLIENT_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
/// The host inside, when it is the server.
pub const SERVER_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);
/// The host outside, when it is the server.
pub const SERVER_OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 100);
/// The host outside, when it is the client.
pub const CLIENT_OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 200);

/// A client and a server with a NAT gateway between them.
#[derive(Debug)]
pub struct Lab {
    /// The FTP client's host.
    pub client: Host,
    /// The gateway, whose interfaces are `lan` and `wan`.
    pub gateway: Host,
    /// The FTP server's host.
    pub server: Host,
    /// Address of the client's host.
    pub client_ip: Ipv4Addr,
    /// Address of the server's host.
    pub server_ip: Ipv4Addr,
    shape: Shape,
    // Last: the hosts' handles are closed before their namespaces are removed.
    net: Net,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Masquerade,
    Dnat,
}

impl Lab {
    /// ```text
    ///  client                     gateway                      server
    ///  10.10.0.1 --- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.100
    ///                             masquerade
    /// ```
    /// New connections from outside are dropped in the forward chain.
    pub fn masquerade() -> Result<Self> {
        let net = Net::new()?;
        let (client, gateway, server) = (
            net.host("client")?,
            net.host("gateway")?,
            net.host("server")?,
        );
        wire(&client, CLIENT_INSIDE, &gateway, &server, SERVER_OUTSIDE)?;
        firewall::masquerade(&gateway)?;
        Ok(Self {
            client,
            gateway,
            server,
            client_ip: CLIENT_INSIDE,
            server_ip: SERVER_OUTSIDE,
            shape: Shape::Masquerade,
            net,
        })
    }

    /// ```text
    ///  server                     gateway                      client
    ///  10.10.0.5 --- 10.10.0.254 (lan) (wan) 61.144.1.2 --- 61.144.1.200
    ///                          DNAT 21 -> 10.10.0.5
    /// ```
    /// Nothing else that is new from outside is let in.
    pub fn dnat() -> Result<Self> {
        let net = Net::new()?;
        let (client, gateway, server) = (
            net.host("client")?,
            net.host("gateway")?,
            net.host("server")?,
        );
        wire(&server, SERVER_INSIDE, &gateway, &client, CLIENT_OUTSIDE)?;
        firewall::masquerade(&gateway)?;
        firewall::forward_port(&gateway, 21, SERVER_INSIDE, 21)?;
        Ok(Self {
            client,
            gateway,
            server,
            client_ip: CLIENT_OUTSIDE,
            server_ip: SERVER_INSIDE,
            shape: Shape::Dnat,
            net,
        })
    }

    /// The lab that a mode needs a helper in: active mode for a client behind
    /// masquerade, passive mode for a server behind DNAT.
    pub fn needing_help(mode: Mode) -> Result<Self> {
        if mode.is_active() {
            Self::masquerade()
        } else {
            Self::dnat()
        }
    }

    /// The namespaces and the folder of this lab.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The inside link: the host, its address, the gateway's, its interface.
    pub(super) fn inside_link(&self) -> (&Host, Ipv4Addr, Ipv4Addr, &'static str) {
        let (host, own) = match self.shape {
            Shape::Masquerade => (&self.client, self.client_ip),
            Shape::Dnat => (&self.server, self.server_ip),
        };
        (host, own, GATEWAY_INSIDE, LAN)
    }

    /// The outside link likewise.
    pub(super) fn outside_link(&self) -> (&Host, Ipv4Addr, Ipv4Addr, &'static str) {
        let (host, own) = match self.shape {
            Shape::Masquerade => (&self.server, self.server_ip),
            Shape::Dnat => (&self.client, self.client_ip),
        };
        (host, own, GATEWAY_OUTSIDE, WAN)
    }

    /// The address under which the far host knows the one inside.
    pub fn public_ip(&self) -> Ipv4Addr {
        GATEWAY_OUTSIDE
    }

    /// Where the client reaches a server of this lab: the server itself, or the
    /// gateway's port 21 where that is forwarded.
    pub fn reach(&self, server: &Server) -> Target {
        match self.shape {
            Shape::Masquerade => server.target(SocketAddr::new(server.ip(), server.port())),
            Shape::Dnat => {
                server.target(SocketAddr::new(IpAddr::V4(GATEWAY_OUTSIDE), server.port()))
            }
        }
    }

    /// A session of `client` with a server of this lab.
    pub fn ftp(&self, client: Client, mode: Mode, server: &Server) -> Session {
        self.client.ftp(client).mode(mode).to(&self.reach(server))
    }

    /// The helper under test, on the gateway's two interfaces.
    pub fn ftp_nat(&self) -> ftp_nat::Builder {
        ftp_nat::Builder::new(&self.gateway, self.net.pin_path())
            .lan(LAN)
            .wan(WAN)
    }

    /// The kernel's own helper, on port 21.
    pub fn kernel_helper(&self) -> Result<()> {
        firewall::kernel_helper(&self.gateway, 21)
    }

    /// Removes the link of one of the gateway's interfaces, with both ends, and
    /// makes it anew with the same names and addresses. `gone` is done while it
    /// doesn't exist, `back` before it has its addresses again: a gateway that
    /// has its address and nobody to help refuses the data that arrives.
    pub fn remake_link(
        &self,
        interface: &str,
        gone: impl FnOnce() -> Result<()>,
        back: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let (host, own, gateway, _) = if interface == LAN {
            self.inside_link()
        } else {
            self.outside_link()
        };
        self.gateway.run(&["ip", "link", "del", interface])?;
        gone()?;
        link::join(host, ETH, &self.gateway, interface)?;
        back()?;
        host.address(ETH, &format!("{own}/24"))?;
        self.gateway.address(interface, &format!("{gateway}/24"))?;
        host.default_route(gateway.into())?;
        Ok(())
    }

    /// Forwards another port of the gateway to the server inside.
    pub fn forward_port(&self, port: u16) -> Result<()> {
        firewall::forward_port(&self.gateway, port, self.server_ip, port)
    }

    /// Sets the offloads of every end of every link.
    pub fn offloads(&self, offloads: Offloads) -> Result<()> {
        offloads.set(&self.client, ETH)?;
        offloads.set(&self.server, ETH)?;
        offloads.set(&self.gateway, LAN)?;
        offloads.set(&self.gateway, WAN)
    }

    /// Makes all hosts know their neighbours for good, so that no packet waits
    /// for ARP. Real gateways don't; tests that count packets may want it.
    pub fn know_neighbours(&self) -> Result<()> {
        let (inside, outside) = match self.shape {
            Shape::Masquerade => (&self.client, &self.server),
            Shape::Dnat => (&self.server, &self.client),
        };
        link::know_each_other(inside, ETH, &self.gateway, LAN)?;
        link::know_each_other(&self.gateway, WAN, outside, ETH)
    }

    /// Captures at both ends: the client's and the server's.
    pub fn captures(&self) -> Result<(Capture, Capture)> {
        Ok((self.client.capture(ETH)?, self.server.capture(ETH)?))
    }
}

/// Two hosts, one on each side of a gateway, all with their default routes.
fn wire(
    inside: &Host,
    inside_ip: Ipv4Addr,
    gateway: &Host,
    outside: &Host,
    outside_ip: Ipv4Addr,
) -> Result<()> {
    link::join(inside, ETH, gateway, LAN)?;
    link::join(gateway, WAN, outside, ETH)?;
    inside.address(ETH, &format!("{inside_ip}/24"))?;
    gateway.address(LAN, &format!("{GATEWAY_INSIDE}/24"))?;
    gateway.address(WAN, &format!("{GATEWAY_OUTSIDE}/24"))?;
    outside.address(ETH, &format!("{outside_ip}/24"))?;
    inside.default_route(GATEWAY_INSIDE.into())?;
    // So that a packet to a private address leaves the host and is seen to be
    // lost, instead of failing at once.
    outside.default_route(GATEWAY_OUTSIDE.into())?;
    gateway.sysctl("net.ipv4.ip_forward", "1")
}
