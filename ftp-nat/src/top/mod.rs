//! `top`: the sessions, transfers and refusals as they come and go.
//!
//! What is shown is decided by a model that knows no terminal: readings and keys
//! go in, and a screen is drawn of it into a buffer. So every screen is tested as
//! text.
//!
//! | module | holds |
//! |---|---|
//! | [`reading`] | what is read of the maps and of `run`, at a time |
//! | [`gather`] | reading it |
//! | [`model`] | what is known, and what was chosen by keys |
//! | [`screen`] | drawing that |
//! | [`terminal`] | the terminal: entered, and left again whatever happens |
//! | [`drive`] | the loop that joins them |

pub mod drive;
pub mod gather;
pub mod model;
pub mod reading;
pub mod screen;
pub mod terminal;
