//! The committed object on a bench, and the packets that are put through it:
//! those of the packet tests.
#![allow(missing_docs, dead_code, reason = "the packet tests use all of it")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what can't be prepared ends the benchmark"
)]

#[path = "../../../tests/packet/bench/mod.rs"]
pub mod bench;
#[path = "../../../tests/packet/connection.rs"]
pub mod connection;
#[path = "../../../tests/packet/hosts.rs"]
pub mod hosts;
#[path = "../../../tests/packet/packet.rs"]
pub mod packet;
