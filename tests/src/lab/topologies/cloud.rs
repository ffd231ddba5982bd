//! A gateway behind a NAT further up that maps its outside address one to one, as
//! clouds do.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::lab::{
    firewall::{self, LAN, WAN},
    ftp_nat,
    host::Host,
    link,
    net::Net,
    topology::{CLIENT_INSIDE, ETH, GATEWAY_INSIDE},
};

/// The outer host's address.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 100);
/// The cloud's own, next to it.
const CLOUD_OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 1);

/// ```text
///  inside                gateway              cloud              outside
///  10.10.0.1 -- 10.10.0.254 (lan) (wan) private -- private.1
///                      masquerade    public = private, 61.144.1.1 -- 61.144.1.100
/// ```
#[derive(Debug)]
pub struct Cloud {
    /// A host behind the gateway.
    pub inside: Host,
    /// The gateway, which masquerades.
    pub gateway: Host,
    /// A host in the world.
    pub outside: Host,
    // Last: the hosts' handles are closed before their namespaces are removed.
    net: Net,
}

impl Cloud {
    /// The gateway's outside address is `private` to itself, and the world knows it
    /// by `public`.
    pub fn new(private: Ipv4Addr, public: Ipv4Addr) -> Result<Self> {
        let net = Net::new()?;
        let (inside, gateway) = (net.host("inside")?, net.host("gateway")?);
        let (cloud, outside) = (net.host("cloud")?, net.host("outside")?);
        let [a, b, c, _] = private.octets();
        let next = Ipv4Addr::new(a, b, c, 1);
        link::join(&inside, ETH, &gateway, LAN)?;
        link::join(&gateway, WAN, &cloud, "in")?;
        link::join(&cloud, "out", &outside, ETH)?;
        inside.address(ETH, &format!("{CLIENT_INSIDE}/24"))?;
        gateway.address(LAN, &format!("{GATEWAY_INSIDE}/24"))?;
        gateway.address(WAN, &format!("{private}/24"))?;
        cloud.address("in", &format!("{next}/24"))?;
        cloud.address("out", &format!("{CLOUD_OUTSIDE}/24"))?;
        outside.address(ETH, &format!("{OUTSIDE}/24"))?;
        inside.default_route(GATEWAY_INSIDE.into())?;
        gateway.default_route(next.into())?;
        outside.default_route(CLOUD_OUTSIDE.into())?;
        for router in [&gateway, &cloud] {
            router.sysctl("net.ipv4.ip_forward", "1")?;
        }
        firewall::masquerade(&gateway)?;
        // One to one, whatever the port.
        cloud.nft(&format!(
            "
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname out ip daddr {public} dnat to {private}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname out ip saddr {private} snat to {public}
    }}
}}"
        ))?;
        Ok(Self {
            inside,
            gateway,
            outside,
            net,
        })
    }

    /// The namespaces and the folder of this lab.
    #[must_use]
    pub const fn net(&self) -> &Net {
        &self.net
    }

    /// The helper under test, on the gateway's two interfaces.
    #[must_use]
    pub fn ftp_nat(&self) -> ftp_nat::Builder {
        ftp_nat::Builder::new(&self.gateway, self.net.pin_path())
            .lan(LAN)
            .wan(WAN)
    }
}
