//! Every topology a gateway has, with real clients and servers.

mod back_from_inside;
mod bridge;
mod default_port;
mod encrypted;
mod exchange;
mod forwarded_ports;
mod hairpin;
mod other_nat;
mod prefix;
mod self_announced;
mod source_nat;
mod strict_firewall;
mod synproxy;
mod tun;
mod two_wans;
