//! The filters of an interface's clsact qdisc, by rtnetlink.

use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};

use super::netlink;
use crate::error::{Error, Result};

/// A filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Lower ones run first.
    pub(crate) preference: u16,
    /// Its handle.
    pub(crate) handle: u32,
    /// `bpf`, `flower` and so on.
    pub(crate) kind: String,
    /// The name of a bpf filter's program.
    pub(crate) program: Option<String>,
}

/// The filters at ingress or at egress of a device, in the order in which they run.
pub(crate) fn of(index: u32, egress: bool) -> Result<Vec<Filter>> {
    let mut request = TcMessage::with_index(i32::try_from(index).unwrap_or(0));
    request.header.parent = TcHandle {
        major: u16::MAX,
        minor: if egress {
            TcHandle::MIN_EGRESS
        } else {
            TcHandle::MIN_INGRESS
        },
    };
    let mut filters = Vec::new();
    netlink::dump(RouteNetlinkMessage::GetTrafficFilter(request), |message| {
        if let RouteNetlinkMessage::NewTrafficFilter(filter) = message {
            // The first message for a preference only says that there is one.
            let handle = filter.header.handle;
            if (handle.major, handle.minor) != (0, 0) {
                filters.push(read(filter));
            }
        }
    })
    .map_err(Error::io("listing the filters of clsact"))?;
    filters.sort_by_key(|filter| filter.preference);
    Ok(filters)
}

fn read(message: TcMessage) -> Filter {
    let handle = message.header.handle;
    let mut filter = Filter {
        // `TC_H_MAKE(prio << 16, protocol)`.
        preference: u16::try_from(message.header.info >> 16).unwrap_or_default(),
        handle: u32::from(handle.major) << 16 | u32::from(handle.minor),
        ..Filter::default()
    };
    for attribute in message.attributes {
        match attribute {
            TcAttribute::Kind(kind) => filter.kind = kind,
            TcAttribute::Options(options) => {
                filter.program = options.into_iter().find_map(|option| match option {
                    TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => Some(name),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_device_has_none_of_ours() {
        // Listing needs no privilege; a device without clsact has no filters.
        let ours = of(1, true)
            .unwrap_or_default()
            .into_iter()
            .filter(|f| f.handle == 0x0066_7470);
        assert_eq!(ours.count(), 0);
    }
}
