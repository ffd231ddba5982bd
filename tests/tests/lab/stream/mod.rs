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
//! | [`both_ways`] | shifts in both directions at once |
//! | [`windows`] | keep-alives and zero windows |

mod both_ways;
mod bursts;
mod loss;
mod odd_lines;
mod reference;
mod segment_sizes;
mod splits;
mod typing;
mod windows;
mod wire;
