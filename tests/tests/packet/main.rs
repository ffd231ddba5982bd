//! Single packets through the committed object, by `BPF_PROG_TEST_RUN`.
//!
//! They need root; `cargo xtask test packet` runs them.
#![allow(missing_docs, reason = "a test's modules are read, not linked against")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what can't be prepared fails the test"
)]

mod bench;
mod connection;
mod data;
mod denied;
mod domains;
mod ends;
mod epsv_all;
mod error;
mod fragments;
mod full_tables;
mod gateway;
mod handshakes;
mod hosts;
mod icmp;
mod interfaces;
mod learning;
mod merged;
mod overlaps;
mod packet;
mod refusals;
mod rewriting;
mod secrets;
mod shifting;
mod slipstream;
mod sources;
mod splits;
mod spoofing;
mod stages;
mod table;
mod two_cpus;
mod untouched;
mod waking;

/// The stream model of the engine, with the object in the engine's place: its
/// random cases are a test of this target too.
#[allow(dead_code, reason = "parts of the model need the engine itself")]
#[path = "../../../ftp-nat-common/tests/stream_model"]
mod stream_model {
    pub mod far;
    pub mod near;
    pub mod path;
    pub mod random;
    pub mod reference;
    pub mod rng;
    pub mod setting;
    pub mod streams;
}
// The model's modules call each other by these names.
use stream_model::{far, near, path, reference, rng, setting, streams};
