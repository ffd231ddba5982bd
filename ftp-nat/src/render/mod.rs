//! The views as text for people.

mod doctor;
mod numbers;
mod sessions;
mod stats;
mod table;
mod translations;

pub use self::{doctor::doctor, sessions::sessions, stats::stats, translations::translations};
