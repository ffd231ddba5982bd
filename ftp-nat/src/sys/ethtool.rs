//! What ethtool(8) shows, by its ioctl.

use std::{ffi::c_char, io, net::UdpSocket, os::fd::AsRawFd as _};

/// `ETHTOOL_GFLAGS` of <linux/ethtool.h>.
const GET_FLAGS: u32 = 0x25;
/// `SIOCETHTOOL` of <linux/sockios.h>.
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    cmd: u32,
    data: u32,
}

/// The flags (`ETH_FLAG_*`) of a device.
pub(crate) fn flags(interface: &str) -> io::Result<u32> {
    // Any socket of this network namespace will do.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: all zero is a value of this structure of numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    let name = interface.bytes().take(room);
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = c_char::from_ne_bytes([from]);
    }
    let mut value = EthtoolValue {
        cmd: GET_FLAGS,
        data: 0,
    };
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request holds a name that ends in zero, and the address of a
    // structure of the kind that its command asks for; both outlive the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) } {
        0 => Ok(value.data),
        _ => Err(io::Error::last_os_error()),
    }
}
