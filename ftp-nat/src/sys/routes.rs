//! What the kernel's routing does with a packet, by rtnetlink. Nothing is sent.

use std::{io, net::IpAddr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAttribute, RouteMessage, RouteType},
};

use super::netlink;

/// Where a packet is sent on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To this machine itself.
    Local,
    /// By the interface of this index.
    By(u32),
    /// Nowhere: a route says so.
    Nowhere,
}

/// Where a packet from `src` to `dst` that came in by interface `ifindex` is sent
/// on to. Fails with `EXDEV` or `EINVAL` where the reverse path filter drops it, with
/// `EHOSTUNREACH` or `ENETUNREACH` where nothing is forwarded or there is no route
/// (`ip_route_input_slow` of net/ipv4/route.c).
pub(crate) fn of_forwarded(src: IpAddr, dst: IpAddr, ifindex: u32) -> io::Result<Route> {
    let mut request = RouteMessage::default();
    let (family, bits) = match dst {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    request.header.address_family = family;
    request.header.destination_prefix_length = bits;
    request.header.source_prefix_length = bits;
    request.attributes = vec![
        RouteAttribute::Source(src.into()),
        RouteAttribute::Destination(dst.into()),
        RouteAttribute::Iif(ifindex),
    ];
    let mut found = Err(io::Error::from(io::ErrorKind::InvalidData));
    netlink::ask(RouteNetlinkMessage::GetRoute(request), |answer| {
        if let RouteNetlinkMessage::NewRoute(route) = answer {
            found = read(&route).ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
    })?;
    found
}

fn read(route: &RouteMessage) -> Option<Route> {
    match route.header.kind {
        RouteType::Local | RouteType::Broadcast => return Some(Route::Local),
        RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit => {
            return Some(Route::Nowhere);
        }
        _ => {}
    }
    route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Oif(index) => Some(Route::By(*index)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_says() {
        let mut route = RouteMessage::default();
        assert_eq!(read(&route), None);
        route.attributes = vec![RouteAttribute::Table(254), RouteAttribute::Oif(7)];
        assert_eq!(read(&route), Some(Route::By(7)));
        route.header.kind = RouteType::Local;
        assert_eq!(read(&route), Some(Route::Local));
        route.header.kind = RouteType::Prohibit;
        assert_eq!(read(&route), Some(Route::Nowhere));
    }
}
