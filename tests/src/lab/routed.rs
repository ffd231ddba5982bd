//! Labs with routers between the gateway and one of the ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;

use super::{
    capture::Capture,
    firewall::{self, LAN, WAN},
    ftp_nat,
    host::Host,
    link::{self, Offloads},
    net::Net,
    server::{Server, Target},
    topology::ETH,
};

/// The router's interface towards the gateway, and the edge's towards the host.
const NEAR: &str = "near";
const HOST: &str = "host";
/// Both ends of the link between router and edge.
const MIDDLE: &str = "middle";

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A side of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Behind the gateway's NAT.
    Inside,
    /// Before it.
    Outside,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Inside => Self::Outside,
            Self::Outside => Self::Inside,
        }
    }
}

/// What is to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What the hosts speak.
    pub family: Family,
    /// Where the client is; the server is on the other side.
    pub client: Side,
    /// Where the routers are.
    pub routers: Side,
}

/// Links of a side, from the gateway on.
const LINK_NEAR: u8 = 1;
const LINK_MIDDLE: u8 = 2;
const LINK_HOST: u8 = 3;
/// Hosts of a link: the routers, the gateway, and an end.
const FIRST: u16 = 1;
const SECOND: u16 = 2;
const END: u16 = 105;

impl Plan {
    /// An address of a link. All of the inside are longer, as text, than any of
    /// the outside, whatever ports are chosen for them.
    fn address(self, side: Side, link: u8, host: u16) -> IpAddr {
        match (self.family, side) {
            (Family::V4, Side::Inside) => Ipv4Addr::new(192, 168, 100 + link, host as u8).into(),
            (Family::V4, Side::Outside) => Ipv4Addr::new(61, 144, link, host as u8).into(),
            (Family::V6, Side::Inside) => {
                let (link, host) = (0x1000 + u16::from(link), 0x1000 + host);
                Ipv6Addr::new(0xfd00, 0x1000, link, 0, 0, 0, 0, host).into()
            }
            (Family::V6, Side::Outside) => {
                Ipv6Addr::new(0x2001, 0xdb8, link.into(), 0, 0, 0, 0, host).into()
            }
        }
    }

    fn subnet(self, side: Side, link: u8, host: u16) -> String {
        let len = match self.family {
            Family::V4 => 24,
            Family::V6 => 64,
        };
        format!("{}/{len}", self.address(side, link, host))
    }

    /// The link of a side that the gateway is at.
    fn gateway_link(self, side: Side) -> u8 {
        if side == self.routers {
            LINK_NEAR
        } else {
            LINK_HOST
        }
    }

    fn gateway(self, side: Side) -> IpAddr {
        self.address(side, self.gateway_link(side), SECOND)
    }
}

/// A client and a server with a gateway between them that translates, and two
/// routers on one of its sides:
///
/// ```text
///  end -------------- (host) edge (middle) --- (middle) router (near) --- gateway --- end
///  192.168.103.105 or                                                        61.144.3.105 or
///  fd00:1000:1003::1069                                                     2001:db8:3::69
/// ```
///
/// The client inside is masqueraded; a server inside is published by port 21 of
/// the gateway. No offload is on, so that captures show what a wire would.
#[derive(Debug)]
pub struct RoutedLab {
    /// The FTP client's host.
    pub client: Host,
    /// The gateway.
    pub gateway: Host,
    /// The router next to it.
    pub router: Host,
    /// The router next to the end.
    pub edge: Host,
    /// The FTP server's host.
    pub server: Host,
    plan: Plan,
    // Last: the hosts' handles are closed before their namespaces are removed.
    net: Net,
}

impl RoutedLab {
    /// Builds it.
    pub fn new(plan: Plan) -> Result<Self> {
        let net = Net::new()?;
        let lab = Self {
            client: net.host("client")?,
            gateway: net.host("gateway")?,
            router: net.host("router")?,
            edge: net.host("edge")?,
            server: net.host("server")?,
            plan,
            net,
        };
        lab.wire()?;
        lab.translate()?;
        Ok(lab)
    }

    fn end(&self, side: Side) -> &Host {
        if self.plan.client == side {
            &self.client
        } else {
            &self.server
        }
    }

    fn wire(&self) -> Result<()> {
        let plan = self.plan;
        for (side, own) in [(Side::Inside, LAN), (Side::Outside, WAN)] {
            let end = self.end(side);
            if side == plan.routers {
                link::join(&self.gateway, own, &self.router, NEAR)?;
                link::join(&self.router, MIDDLE, &self.edge, MIDDLE)?;
                link::join(&self.edge, HOST, end, ETH)?;
                self.edge
                    .address(HOST, &plan.subnet(side, LINK_HOST, SECOND))?;
            } else {
                link::join(&self.gateway, own, end, ETH)?;
            }
            let link = plan.gateway_link(side);
            self.gateway
                .address(own, &plan.subnet(side, link, SECOND))?;
            end.address(ETH, &plan.subnet(side, LINK_HOST, END))?
                .default_route(plan.address(side, LINK_HOST, SECOND))?;
        }
        self.route(plan.routers)?;
        let ends = [(&self.client, ETH), (&self.server, ETH)];
        let gateway = [(&self.gateway, LAN), (&self.gateway, WAN)];
        let router = [(&self.router, NEAR), (&self.router, MIDDLE)];
        let edge = [(&self.edge, MIDDLE), (&self.edge, HOST)];
        for (host, interface) in [ends, gateway, router, edge].concat() {
            Offloads::Off.set(host, interface)?;
        }
        for router in [&self.gateway, &self.router, &self.edge] {
            router.sysctl("net.ipv4.ip_forward", "1")?;
            router.sysctl("net.ipv6.conf.all.forwarding", "1")?;
            // Errors that a test asks for aren't too many.
            router.sysctl("net.ipv4.icmp_ratelimit", "0")?;
            router.sysctl("net.ipv6.icmp.ratelimit", "0")?;
        }
        Ok(())
    }

    /// Addresses and routes of the routers, and the gateway's to what is behind.
    fn route(&self, side: Side) -> Result<()> {
        let plan = self.plan;
        let at = |link, host| plan.address(side, link, host);
        self.router
            .address(NEAR, &plan.subnet(side, LINK_NEAR, FIRST))?
            .address(MIDDLE, &plan.subnet(side, LINK_MIDDLE, FIRST))?
            .default_route(plan.gateway(side))?;
        self.edge
            .address(MIDDLE, &plan.subnet(side, LINK_MIDDLE, SECOND))?
            .default_route(at(LINK_MIDDLE, FIRST))?;
        // Only what is behind, so that nothing goes round in circles.
        for (host, link, via) in [
            (&self.router, LINK_HOST, at(LINK_MIDDLE, SECOND)),
            (&self.gateway, LINK_MIDDLE, at(LINK_NEAR, FIRST)),
            (&self.gateway, LINK_HOST, at(LINK_NEAR, FIRST)),
        ] {
            let (to, via) = (plan.subnet(side, link, 0), via.to_string());
            host.run(&["ip", "route", "add", &to, "via", &via])?;
        }
        Ok(())
    }

    fn translate(&self) -> Result<()> {
        let inside = self.plan.address(Side::Inside, LINK_HOST, END);
        match self.plan.family {
            Family::V4 => firewall::masquerade(&self.gateway)?,
            Family::V6 => firewall::masquerade6(&self.gateway)?,
        }
        match (self.plan.client, inside) {
            (Side::Inside, _) => Ok(()),
            (Side::Outside, IpAddr::V4(ip)) => firewall::forward_port(&self.gateway, 21, ip, 21),
            (Side::Outside, IpAddr::V6(ip)) => firewall::forward_port6(&self.gateway, 21, ip),
        }
    }

    /// What was built.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Makes the link between the routers narrower than all others.
    pub fn narrow(&self, mtu: u32) -> Result<()> {
        self.router.mtu(MIDDLE, mtu)?;
        self.edge.mtu(MIDDLE, mtu)?;
        Ok(())
    }

    /// The server's own address.
    pub fn server_ip(&self) -> IpAddr {
        let side = self.plan.client.other();
        self.plan.address(side, LINK_HOST, END)
    }

    /// Where the client dials the server.
    pub fn server_at(&self) -> SocketAddr {
        let ip = match self.plan.client {
            Side::Inside => self.server_ip(),
            Side::Outside => self.gateway_ip(Side::Outside),
        };
        SocketAddr::new(ip, 21)
    }

    /// The same for a server that is running.
    pub fn reach(&self, server: &Server) -> Target {
        server.target(self.server_at())
    }

    /// The gateway's address on a side.
    pub fn gateway_ip(&self, side: Side) -> IpAddr {
        self.plan.gateway(side)
    }

    /// The address by which the router shows itself to what comes from the gateway.
    pub fn router_ip(&self) -> IpAddr {
        self.plan.address(self.plan.routers, LINK_NEAR, FIRST)
    }

    /// The address by which the edge shows itself.
    pub fn edge_ip(&self) -> IpAddr {
        self.plan.address(self.plan.routers, LINK_MIDDLE, SECOND)
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
