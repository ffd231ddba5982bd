//! What is measured, a file for each.

mod alone;
mod bulk;
mod bystander;
mod control;
mod files;
mod hooks;
mod load;
mod scale;
mod sessions;

use anyhow::Result;
pub use hooks::Packets;

use crate::{report::Case, turns::Effort};

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Bytes a second of data connections, end to end
    Bulk,
    /// Small files a second, each with an announcement of its own
    Files,
    /// Commands and replies a second
    Control,
    /// Packets a second of traffic that isn't FTP, with ftp-nat and without
    Bystander,
    /// Packets a second of a data connection, the gateway alone
    Alone,
    /// Nanoseconds of a program for one packet, by kind of packet
    Hooks,
    /// Time until the programs are at work
    Load,
    /// Many control connections at once
    Scale,
}

impl Workload {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Bulk,
        Self::Files,
        Self::Control,
        Self::Bystander,
        Self::Alone,
        Self::Hooks,
        Self::Load,
        Self::Scale,
    ];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Files => "files",
            Self::Control => "control",
            Self::Bystander => "bystander",
            Self::Alone => "alone",
            Self::Hooks => "hooks",
            Self::Load => "load",
            Self::Scale => "scale",
        }
    }

    /// For the headline.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Bulk => "bytes a second of data connections, end to end",
            Self::Files => "small files a second, each with an announcement of its own",
            Self::Control => "commands and replies a second",
            Self::Bystander => "traffic that isn't FTP, with ftp-nat and without it",
            Self::Alone => "packets a second of a data connection, the gateway alone",
            Self::Hooks => "what a program costs for one packet",
            Self::Load => "time until the programs are at work",
            Self::Scale => "many control connections at once",
        }
    }

    /// Measures it; every case is printed when it is there.
    pub fn run(self, effort: &Effort) -> Result<Vec<Case>> {
        match self {
            Self::Bulk => bulk::run(effort),
            Self::Files => files::run(effort),
            Self::Control => control::run(effort),
            Self::Bystander => bystander::run(effort),
            Self::Alone => alone::run(effort),
            Self::Hooks => hooks::run(effort),
            Self::Load => load::run(effort),
            Self::Scale => scale::run(effort),
        }
    }
}
