//! Metrics in the OpenMetrics format, for Prometheus and its like.
//!
//! Nothing is counted here: a scrape reads the maps, as `stats` does, and what
//! [`traffic`](crate::traffic) has counted.
//!
//! | file | holds |
//! |---|---|
//! | [`address`] | where they are served |
//! | [`names`] | which counter is which metric |
//! | [`text`] | the text of a scrape |
//! | [`serve`] | the HTTP server |

pub mod address;
pub mod names;
pub mod serve;
pub mod text;
