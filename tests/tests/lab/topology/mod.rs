//! Every topology a gateway has, with real clients and servers.

mod back_from_inside;
mod exchange;
mod forwarded_ports;
mod hairpin;
mod other_nat;
mod prefix;
mod source_nat;
mod strict_firewall;
mod two_wans;
