//! End-to-end tests in network namespaces, with real FTP clients and servers.
//!
//! They need root; `cargo xtask test lab` runs them. A program that is missing
//! is a failure, never a skip.

mod adding_ports;
mod busy;
mod cli_errors;
mod configuration;
mod conflicts;
mod data_in_fragments;
mod data_path;
mod doctor;
mod domains;
mod draining;
mod explain;
mod full_tables;
mod guides;
mod interfaces;
mod ipv6;
mod lab_itself;
mod leaving_nothing;
mod long_sessions;
mod matrix;
mod midway;
mod mtu_and_ttl;
mod offloads;
mod on_the_gateway;
mod options;
mod pinholes;
mod restart;
mod routers;
mod secrets;
mod selective_acks;
mod service;
mod stack_path;
mod stream;
mod support;
mod sweeping;
mod top;
mod topology;
mod unload;
mod upgrade;
