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
    /// It is a VRF.
    pub(crate) is_vrf: bool,
    /// It is a bridge.
    pub(crate) is_bridge: bool,
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
            LinkAttribute::LinkInfo(infos) => {
                on_top = infos.iter().any(is_on_top);
                device.is_vrf = infos.contains(&LinkInfo::Kind(InfoKind::Vrf));
                device.is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
            }
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
    use netlink_packet_core::{NetlinkDeserializable as _, NetlinkHeader};

    use super::*;

    /// A message as the kernel sends it: header, then attributes.
    fn message(index: u32, attributes: &[(u16, &[u8])]) -> Device {
        let mut bytes = vec![0, 0, 1, 0];
        bytes.extend(index.to_ne_bytes());
        bytes.extend([0; 8]);
        for (kind, value) in attributes {
            let len = u16::try_from(4 + value.len()).unwrap();
            bytes.extend([len.to_ne_bytes(), kind.to_ne_bytes()].concat());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let mut header = NetlinkHeader::default();
        header.message_type = libc::RTM_NEWLINK;
        match RouteNetlinkMessage::deserialize(&header, &bytes).unwrap() {
            RouteNetlinkMessage::NewLink(link) => device(link),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_vrf_its_port_and_a_bridge_are_recognised() {
        // IFLA_IFNAME 3, IFLA_MASTER 10, IFLA_LINKINFO 18 with IFLA_INFO_KIND 1.
        let kind = [&[8, 0, 1, 0][..], b"vrf\0"].concat();
        let vrf = message(9, &[(3, b"blue\0"), (18, &kind)]);
        assert_eq!(
            (vrf.index, vrf.name.as_str(), vrf.is_vrf),
            (9, "blue", true)
        );
        let port = message(2, &[(3, b"lan1\0"), (10, &9u32.to_ne_bytes())]);
        assert_eq!((port.master, port.is_vrf), (Some(9), false));
        let kind = [&[11, 0, 1, 0][..], b"bridge\0\0"].concat();
        let bridge = message(9, &[(3, b"br0\0"), (18, &kind)]);
        assert_eq!((bridge.is_vrf, bridge.is_bridge), (false, true));
        assert!(!vrf.is_bridge && !port.is_bridge);
    }

    #[test]
    fn the_loopback_device_is_there() {
        // Any network namespace has one, and listing needs no privilege.
        let devices = all().unwrap();
        let lo = devices.iter().find(|d| d.name == "lo").unwrap();
        assert_eq!(lo.link_type, 772, "ARPHRD_LOOPBACK");
        assert_eq!((lo.master, lo.parent), (None, None));
    }
}
