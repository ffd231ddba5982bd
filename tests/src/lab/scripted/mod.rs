//! Peers that say and do just what a test wants, where no real one would.
//!
//! | module | holds |
//! |---|---|
//! | [`server`] | a control server that keeps every byte it was sent |
//! | [`client`] | sockets with options set before they connect, and what is still unacknowledged |

pub mod client;
pub mod server;

pub use client::Socket;
pub use server::{Scripted, polite};
