//! The views as text for people.

mod doctor;
mod events;
mod explain;
pub mod ladder;
pub mod numbers;
mod sessions;
mod stats;
mod table;
mod translations;

pub(crate) use self::events::{sentence, unannounced};
pub use self::{
    doctor::doctor,
    events::event,
    explain::{Style, explanation, session_lines},
    sessions::sessions,
    stats::stats,
    translations::translations,
};
