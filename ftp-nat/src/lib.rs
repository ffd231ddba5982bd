//! The user side of ftp-nat: loads the TC programs and attaches a pair of them
//! to each interface, keeps their maps tidy, and shows what they do.
//!
//! | module | holds |
//! |---|---|
//! | [`loader`] | load, attach, pin, adopt what is pinned, unload |
//! | [`maps`] | the maps as typed tables behind one trait, so that all logic runs without root |
//! | [`metrics`] | the same numbers for Prometheus |
//! | [`ports`] | the watched control ports |
//! | [`advertise`] | addresses that are announced as others |
//! | [`conflicts`] | what on this machine gets into the way |
//! | [`config`] | the configuration file |
//! | [`doctor`] | what keeps FTP from working here, and what mends it |
//! | [`policy`] | the settings: limits, denied ports, the data path |
//! | [`drain`] | unloading without breaking what runs |
//! | [`events`] | what the kernel side tells, as entries |
//! | [`history`] | what happened lately, session by session |
//! | [`explain`] | a session as a ladder, and what it means |
//! | [`control_socket`] | how other commands ask `run` |
//! | [`daemon`] | the run loop: sweep, kernel logs, signals |
//! | [`service`] | the log, as a service needs it |
//! | [`traffic`] | bytes of data connections, for the metrics |
//! | [`view`] | what a person or a script sees of the maps: the JSON of every command |
//! | [`render`] | the same as tables |
//! | [`top`] | the same on a whole terminal, as it comes and goes |
//! | [`cli`] | the command line, one file per verb |
//! | [`error`] | what can go wrong |
//! | `sys` | the few system calls that no crate offers |

pub mod advertise;
pub mod cli;
pub mod config;
pub mod conflicts;
pub mod control_socket;
pub mod daemon;
pub mod doctor;
pub mod drain;
pub mod error;
pub mod events;
pub mod explain;
pub mod history;
pub mod loader;
pub mod maps;
pub mod metrics;
pub mod policy;
pub mod ports;
pub mod render;
pub mod service;
mod sys;
pub mod top;
pub mod traffic;
pub mod view;

pub use error::{Error, Result};
