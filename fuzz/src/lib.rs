//! What the fuzz targets do with the bytes that they are given. A panic is a
//! finding; how they are built, run and replayed is in `docs/fuzzing.md`.
//!
//! | module | holds |
//! |---|---|
//! | [`input`] | the fuzzer's bytes |
//! | [`line`] | the line parser alone, against the reference |
//! | [`stream`] | the packet path: any segment, acknowledgement, order |
//! | [`model`] | whole connections between honest hosts, on any schedule |
//! | `stream_model` | the model and the reference that the engine's tests use |

#[path = "../../ftp-nat-common/tests/stream_model"]
#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    reason = "the modules of a test, of which the targets need the better part"
)]
mod stream_model {
    pub mod far;
    pub mod gateway;
    pub mod merged;
    pub mod near;
    pub mod path;
    pub mod random;
    pub mod reference;
    pub mod rng;
    pub mod setting;
    pub mod splits;
    pub mod streams;
}
// The modules name each other from the root of the crate that they are in.
use stream_model::{
    far, gateway, merged, near, path, random, reference, rng, setting, splits, streams,
};

mod input;
pub mod line;
pub mod model;
pub mod stream;
