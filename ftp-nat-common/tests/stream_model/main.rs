//! The control-stream engine against a model of a TCP path.
//!
//! A sender, the engine, and a receiver, with links that lose, double and
//! reorder between them; what the receiver gets is compared with a reference
//! that rewrites the whole stream at once, and the engine's invariants are
//! asserted after every packet.
//!
//! | module | holds |
//! |---|---|
//! | `reference` | the whole-stream rewriter |
//! | `setting` | what a test varies |
//! | `gateway` | the engine, and the invariants |
//! | `near`, `far`, `path` | the sender, the receiver, the links |
//! | `streams` | what is sent |
//! | `rng` | random numbers that come again |
//! | `random` | thousands of cases by seed |
//! | `splits` | every split of typical streams |
//! | `special` | single situations |
//! | `wording` | the free text of 227 |
//! | `arming` | ports are asked for while segments come in any order |
//! | `merged` | packets merged by GRO |
//! | `epsv_all` | after `EPSV ALL` |
#![allow(missing_docs, reason = "a test's modules are read, not linked against")]

mod arming;
mod epsv_all;
mod far;
mod gateway;
mod merged;
mod near;
mod path;
mod random;
mod reference;
mod rng;
mod setting;
mod special;
mod splits;
mod streams;
mod wording;
