//! What the kernel and the user side of ftp-nat share: addresses, the keys and
//! values of every map, the control-stream engine, checksum and sequence
//! arithmetic.
//!
//! Everything here is `no_std`, allocates nothing and holds no `unsafe`, so
//! the very code that runs in the kernel is tested on the host.
//!
//! | module | holds |
//! |---|---|
//! | [`addr`] | one 128-bit address type, tuples |
//! | [`seq`] | TCP sequence numbers with their wrapping order |
//! | [`csum`] | one's-complement sums and differences (RFC 1624) |
//! | [`tcp`] | the TCP options the helper has to know: MSS and SACK |
//! | [`line`](mod@line) | the FTP line parser: what is an announcement, byte by byte |
//! | [`stream`] | the control-stream engine: edits, replays, sequence mapping |
//! | [`session`] | a control connection: two halves and what they share |
//! | [`source`] | what one host has in the tables |
//! | [`pairing`] | how the translation of a connection is learned |
//! | [`translation`] | expectations (pinholes) and data flows |
//! | [`unannounced`] | data connections without an announcement to read |
//! | [`counter`] | every counter, by name |
//! | [`event`] | what happened, as the kernel side tells it |
//! | [`layout`] | names and sizes of maps, the layout's version |
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod addr;
pub mod counter;
pub mod csum;
pub mod event;
pub mod layout;
pub mod line;
pub mod pairing;
pub mod seq;
pub mod session;
pub mod source;
pub mod stream;
pub mod tcp;
pub mod translation;
pub mod unannounced;
