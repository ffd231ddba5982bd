//! The configuration file: TOML whose keys are the long options of `run`.
//!
//! Nothing here knows a single option. What a key may be, and what it may be
//! set to, is asked of the command line's definition. So a new option can be
//! set in the file at once, and a value means the same in both places.
//!
//! | file | holds |
//! |---|---|
//! | `file` | reading: keys, values and the lines they stand on |
//! | `keys` | which keys there are, and what the value of each may look like |
//! | `merge` | the file together with the command line, which wins |
//! | [`change`] | what differs between two configurations |
//! | [`problem`] | what is wrong, line by line |

pub mod change;
mod file;
mod keys;
mod merge;
pub mod problem;
#[cfg(test)]
mod sample;

pub use self::{
    file::File,
    keys::{Keys, shown},
    merge::with_command_line,
    problem::{Problem, Problems},
};

/// The file that `run` reads if it exists and none is named.
pub const DEFAULT_PATH: &str = "/etc/ftp-nat/config.toml";
