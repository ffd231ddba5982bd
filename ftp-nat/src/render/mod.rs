//! The views as text for people.

mod numbers;
mod sessions;
mod stats;
mod table;
mod translations;

pub use self::{sessions::sessions, stats::stats, translations::translations};
