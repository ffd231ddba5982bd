//! A lab: network namespaces joined by veth links, with a NAT gateway between
//! a client and a server.
//!
//! Everything a lab makes carries the lab's random name: namespaces
//! `<name>-<host>`, the folder `/tmp/<name>`, the pins `/sys/fs/bpf/<name>`.
//! So labs run side by side, and [`cleanup`] can remove all of one by its name
//! alone, also when its process was killed.
//!
//! | module | holds |
//! |---|---|
//! | [`topology`], [`topology6`] | the ready-made labs, of IPv4 and of IPv6 |
//! | [`topologies`] | labs put together piece by piece |
//! | [`routed`] | labs with routers beyond the gateway |
//! | [`net`], [`host`], [`link`] | namespaces, what is done in them, what joins them |
//! | [`firewall`] | nftables rules: NAT, forward chains, loss, the kernel's own helper |
//! | [`process`], [`wait`], [`cleanup`] | programs, conditions with deadlines, leaving nothing behind |
//! | [`interrupt`] | ending a process at one system call of many |
//! | [`pty`] | programs on a terminal of their own |
//! | [`capture`] | packets as they were on a link, and checks on them |
//! | [`impair`] | links that lose, repeat and reorder |
//! | [`tunnel`] | links without Ethernet headers |
//! | [`server`], [`client`], [`control`] | real FTP servers, real clients, a control connection by hand |
//! | [`scripted`] | peers that say and do just what a test wants |
//! | [`hooks`] | what is on an interface's hooks |
//! | [`bpf`] | bpf(2): small programs, and packets at line rate |
//! | [`certificate`] | certificates for servers that speak TLS |
//! | [`ftp_nat`], [`peers`] | the helper under test; where it and the FTP programs are |
//! | [`payload`] | reproducible file contents and their hashes |

pub mod bpf;
pub mod capture;
pub mod certificate;
pub mod cleanup;
pub mod client;
pub mod control;
pub mod firewall;
pub mod ftp_nat;
pub mod hooks;
pub mod host;
pub mod impair;
pub mod interrupt;
pub mod link;
pub mod net;
pub mod payload;
pub mod peers;
pub mod process;
pub mod pty;
pub mod routed;
pub mod scripted;
pub mod server;
pub mod topologies;
pub mod topology;
pub mod topology6;
pub mod tunnel;
pub mod wait;

pub use client::{Client, Mode};
pub use host::Host;
pub use link::Offloads;
pub use payload::Payload;
pub use routed::RoutedLab;
pub use server::{Server, ServerKind, Target};
pub use topologies::Site;
pub use topology::Lab;
pub use topology6::Lab6;
