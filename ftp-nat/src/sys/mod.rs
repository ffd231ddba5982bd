//! The few system calls that no crate offers, each behind a safe function.

pub(crate) mod addresses;
pub(crate) mod bpf;
pub(crate) mod bpffs;
pub(crate) mod clock;
pub(crate) mod ethtool;
pub(crate) mod filters;
pub(crate) mod links;
mod netlink;
pub(crate) mod privileges;
pub(crate) mod routes;
pub(crate) mod signals;
pub(crate) mod watch;
