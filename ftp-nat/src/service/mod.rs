//! Being a service: what is said where, and how often.
//!
//! | file | holds |
//! |---|---|
//! | [`logger`] | the log: a level that can be changed, the journal's priorities |
//! | [`limit`] | what is said over and over is left out, and counted |
//! | [`watchdog`] | the event loop still turns |

pub mod limit;
pub mod logger;
pub mod watchdog;
