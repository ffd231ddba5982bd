//! Requests of rtnetlink.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Sends a dump request and gives each message of the answer to `each`.
pub(super) fn dump(
    request: RouteNetlinkMessage,
    mut each: impl FnMut(RouteNetlinkMessage),
) -> io::Result<()> {
    let socket = sent(request, NLM_F_DUMP | NLM_F_REQUEST)?;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while let Some(message) = next_message(&mut rest) {
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) {
                Ok(parsed) => match parsed.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(e) => return Err(e.to_io()),
                    NetlinkPayload::InnerMessage(message) => each(message),
                    _ => {}
                },
                // One exotic answer must not hide all others.
                Err(e) => log::debug!("an rtnetlink answer can't be read: {e}"),
            }
        }
    }
}

/// Sends a request that has one answer, and gives that to `each`.
pub(super) fn ask(
    request: RouteNetlinkMessage,
    mut each: impl FnMut(RouteNetlinkMessage),
) -> io::Result<()> {
    let socket = sent(request, NLM_F_REQUEST)?;
    let (datagram, _) = socket.recv_from_full()?;
    let mut rest = datagram.as_slice();
    while let Some(message) = next_message(&mut rest) {
        let parsed = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message);
        match parsed.map_err(io::Error::other)?.payload {
            NetlinkPayload::Error(e) => return Err(e.to_io()),
            NetlinkPayload::InnerMessage(message) => each(message),
            _ => {}
        }
    }
    Ok(())
}

/// The socket that a request was sent by.
fn sent(request: RouteNetlinkMessage, flags: u16) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut request = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(request));
    request.header.flags = flags;
    request.header.sequence_number = 1;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    Ok(socket)
}

/// Cuts the first message off a datagram (`NLMSG_NEXT`: lengths are rounded up to 4).
fn next_message<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let header = rest.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_ne_bytes(*header)).ok()?;
    let message = rest.get(..length).filter(|m| m.len() >= 16)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_cut_at_message_lengths() {
        let mut bytes = vec![0; 36];
        bytes[..4].copy_from_slice(&18u32.to_ne_bytes());
        bytes[20..24].copy_from_slice(&16u32.to_ne_bytes());
        let mut rest = bytes.as_slice();
        assert_eq!(next_message(&mut rest).map(<[u8]>::len), Some(18));
        assert_eq!(next_message(&mut rest).map(<[u8]>::len), Some(16));
        assert_eq!(next_message(&mut rest), None);
        // A length that runs over the datagram ends it.
        bytes[..4].copy_from_slice(&999u32.to_ne_bytes());
        assert_eq!(next_message(&mut bytes.as_slice()), None);
    }
}
