//! Senders and receivers, the same for all that is compared. They do as little
//! as a program can, for on a small machine they take their time from the
//! gateway: files are sent with sendfile(2) and received without being copied.
//!
//! | module | holds |
//! |---|---|
//! | [`server`], [`client`] | an FTP server and a client of a few commands |
//! | [`stream`] | sending and receiving a stream |
//! | [`datagrams`] | the same for small UDP packets |

use anyhow::Result;
use ftp_nat_tests::lab::Lab;

pub mod client;
pub mod datagrams;
pub mod server;
pub mod stream;

pub use client::{Client, How};
pub use server::Server;

/// What an end may take for one step before something is wrong.
pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

/// Bytes of a small file.
pub const SMALL: usize = 1024;

/// What comes first of a block: a packet of its own.
pub const SIGNAL: usize = 6;
/// What comes after it: some full packets.
pub const BLOCK: usize = 16 << 10;

/// Both ends of a lab send by Reno's congestion control, which every kernel has and
/// any namespace may use. BBR, the default of some machines, paces: a stream is
/// then as fast as BBR believes the way to be, not as fast as the gateway is.
pub fn send_unpaced(lab: &Lab) -> Result<()> {
    let mut hosts = [&lab.client, &lab.server].into_iter();
    hosts.try_for_each(|host| host.sysctl("net.ipv4.tcp_congestion_control", "reno"))
}
