//! The control stream must be exact, whatever TCP does to it.
//!
//! | module | what TCP does |
//! |---|---|
//! | [`loss`] | it loses, repeats and reorders, on either side of the gateway |
//! | [`segment_sizes`] | tiny segments, with and without timestamps and SACK |
//! | [`typing`] | one byte at a time |
//! | [`splits`] | a line in two segments, cut anywhere |
//! | [`bursts`] | many lines in one segment, or in one huge one |
//! | [`odd_lines`] | lines that no client should send |
//! | [`by_hand`] | all of it at once, between ends made by hand |
//! | [`both_ways`] | shifts in both directions at once |
//! | [`fragments`] | a router cuts segments into fragments |
//! | [`windows`] | keep-alives and zero windows |
//! | [`fast_open`] | data in the SYN |
//! | [`tls`] | the dialogue goes into TLS and out of it |
//! | [`restarted`] | the dialogue begins again (REIN) |
//! | [`epsv_all`] | the client restricts itself to EPSV |
//! | [`wire`] | what it does between ends that do what they are told |
//! | [`reference`] | what must become of a stream |

mod both_ways;
mod bursts;
mod by_hand;
mod epsv_all;
mod fast_open;
mod fragments;
mod loss;
mod odd_lines;
mod reference;
mod restarted;
mod segment_sizes;
mod splits;
mod tls;
mod typing;
mod windows;
mod wire;
