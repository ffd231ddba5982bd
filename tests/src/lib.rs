//! Labs of network namespaces with real FTP clients and servers, for the demo
//! and the end-to-end tests of ftp-nat.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use ftp_nat_tests::lab::Lab;
//!
//! let lab = Lab::masquerade()?;
//! let server = lab.server.vsftpd().start()?;
//! let helper = lab.ftp_nat().start()?;
//! let text = server.publish("hello.txt", b"hello")?;
//! let got = lab.client.curl().active().to(&lab.reach(&server)).get("hello.txt")?;
//! text.verify(&got)?;
//! assert_eq!(helper.counter("rewrites")?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`lab`] | hosts, links, firewalls, captures, servers, clients, the helper under test |
//! | [`ladder`] | two captures drawn side by side: what was sent, what arrived |

pub mod lab;
pub mod ladder;
