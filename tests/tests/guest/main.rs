//! Tests for a virtual machine with the oldest supported kernel, which also has
//! devices that the kernel of a test machine may lack.
//!
//! `cargo xtask vm` boots it and runs them there, one after the other: they
//! share one lab, since the kernel takes long to verify programs where every
//! instruction is emulated.

mod floor;
mod flow_table;
mod links;
mod site;
mod vrf;
