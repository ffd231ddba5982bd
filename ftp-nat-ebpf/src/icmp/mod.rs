//! ICMP errors.
//!
//! | module | holds |
//! |---|---|
//! | [`answer`] | what a router answers to a data packet it can't forward |
//! | [`quote`] | the packet that somebody else's error is about |
//! | [`translate`] | errors about data connections, at ingress |
//! | [`renumber`] | errors about control connections, at egress |
//!
//! Nothing that an error says changes the state of a connection (RFC 5382
//! REQ-10): anybody can make one up. The hosts check the quoted number.

pub mod answer;
pub mod quote;
mod renumber;
pub mod translate;

pub use renumber::egress;
pub use translate::ingress;
