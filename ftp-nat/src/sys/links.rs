//! The network devices of this network namespace, by rtnetlink. (`/sys` may
//! show those of another namespace.)

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
    tc::{TcAttribute, TcMessage},
};

use super::netlink;
use crate::error::{Error, Result};

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// `ARPHRD_*`.
    pub(crate) link_type: u16,
    /// The bridge, bond, team or VRF it is a port of.
    pub(crate) master: Option<u32>,
    /// The device it is a VLAN or the like of: every packet passes both.
    pub(crate) parent: Option<u32>,
}

/// All devices.
pub(crate) fn all() -> Result<Vec<Device>> {
    let mut devices = Vec::new();
    netlink::dump(
        RouteNetlinkMessage::GetLink(LinkMessage::default()),
        |message| {
            if let RouteNetlinkMessage::NewLink(link) = message {
                devices.push(device(link));
            }
        },
    )
    .map_err(Error::io("listing the network interfaces"))?;
    Ok(devices)
}

/// Whether a device has the ingress qdisc, which excludes clsact.
pub(crate) fn has_ingress_qdisc(index: u32) -> Result<bool> {
    let mut found = false;
    netlink::dump(
        RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()),
        |message| {
            if let RouteNetlinkMessage::NewQueueDiscipline(qdisc) = message {
                let here = u32::try_from(qdisc.header.index) == Ok(index);
                let is_ingress =
                    |a: &TcAttribute| matches!(a, TcAttribute::Kind(k) if k == "ingress");
                found |= here && qdisc.attributes.iter().any(is_ingress);
            }
        },
    )
    .map_err(Error::io("listing the queueing disciplines"))?;
    Ok(found)
}

fn device(link: LinkMessage) -> Device {
    let mut device = Device {
        index: link.header.index,
        link_type: link.header.link_layer_type.into(),
        ..Device::default()
    };
    let (mut lower, mut on_top) = (None, false);
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => device.name = name,
            LinkAttribute::Controller(master) => device.master = Some(master).filter(|m| *m != 0),
            LinkAttribute::Link(parent) => lower = Some(parent),
            LinkAttribute::LinkInfo(infos) => on_top = infos.iter().any(is_on_top),
            _ => {}
        }
    }
    // Other kinds use IFLA_LINK too, and mean something else by it: a veth
    // its peer, a tunnel the device its outer packets leave by.
    device.parent = lower.filter(|_| on_top);
    device
}

fn is_on_top(info: &LinkInfo) -> bool {
    matches!(
        info,
        LinkInfo::Kind(
            InfoKind::Vlan
                | InfoKind::MacVlan
                | InfoKind::MacVtap
                | InfoKind::IpVlan
                | InfoKind::IpVtap
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_device_is_there() {
        // Any network namespace has one, and listing needs no privilege.
        let devices = all().unwrap();
        let lo = devices.iter().find(|d| d.name == "lo").unwrap();
        assert_eq!(lo.link_type, 772, "ARPHRD_LOOPBACK");
        assert_eq!((lo.master, lo.parent), (None, None));
    }
}
