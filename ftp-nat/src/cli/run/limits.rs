//! Options of `run` that limit what can be opened, and how much.

use clap::Args;

use crate::policy::{
    Policy,
    denied::DeniedPorts,
    sizes::{Sizes, WantedSizes},
    timeout::ExpectTimeout,
};

/// A table can have room for so many: more would take gigabytes when full.
const MOST: i64 = 1 << 20;

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
#[group(skip)]
pub(super) struct Options {
    /// Let nobody but a session's own peer use what is announced in it.
    ///
    /// Without this, hosts inside may connect to what another host inside (or
    /// the same one) announced through the gateway's outside address: a transfer
    /// between two hosts inside that was arranged by way of a server outside.
    #[arg(long)]
    no_hairpin: bool,
    /// Ports and ranges that are never opened, whoever announces them; an empty
    /// string allows all [default: 2049,3306,3389,5432,5900,6000-6063,6379, not
    /// opened for clients].
    ///
    /// Ports below 1024 are never opened, with or without this. The default
    /// names services above that trust whoever reaches them (NFS, MySQL, RDP,
    /// PostgreSQL, VNC, X11, Redis): a browser inside can be tricked into
    /// speaking like an FTP client. It holds for PORT and EPRT only: what a 227
    /// or 229 names, the server has just opened itself, and many servers draw it
    /// from all ports. A list that is given holds for servers too. What is denied
    /// passes as it is, and is counted as refused_port.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    deny_ports: Option<DeniedPorts>,
    /// How long an announcement waits for its data connection: 30 to 600 seconds.
    #[arg(long, value_name = "SECONDS", default_value_t)]
    expect_timeout: ExpectTimeout,
    /// Control connections that are followed at a time, in all [default: 65536].
    ///
    /// Where the table is full, new connections pass without help, counted as
    /// sessions_table_full; those that are followed stay. The three sizes are
    /// fixed when the data path is made: a pinned one that is adopted keeps its
    /// own, and asking for another size is an error (`unload` first).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    max_sessions: Option<u32>,
    /// Announcements that wait for their data connections at a time, in all
    /// [default: 65536].
    ///
    /// Where the table is full, new ones pass as they are and open nothing,
    /// counted as refused_table_full. See --max-sessions.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    max_expectations: Option<u32>,
    /// Data connections at a time, in all [default: 65536].
    ///
    /// Where the table is full, the first packet of a new one goes to the
    /// gateway's own stack, counted as flows_table_full. An ended connection
    /// keeps its place for about four minutes, or for ten seconds where the
    /// table is full. See --max-sessions.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    max_transfers: Option<u32>,
    /// Control connections that one client address may have at a time.
    #[arg(long, value_name = "N", default_value_t = Policy::default().max_sessions_per_source,
          value_parser = clap::value_parser!(u32).range(1..))]
    max_sessions_per_source: u32,
    /// Announcements of one address that may wait at a time.
    ///
    /// With --ftps-passive-range also how many data connections to those ports one
    /// client address may have at a time: more wait, counted as flows_source_cap.
    #[arg(long, value_name = "N", default_value_t = Policy::default().max_pending_per_source,
          value_parser = clap::value_parser!(u32).range(1..))]
    max_pending_per_source: u32,
}

impl Options {
    /// Writes what was chosen into `policy`.
    pub(super) fn apply(&self, policy: &mut Policy) {
        policy.hairpin = !self.no_hairpin;
        policy.denied = self.deny_ports.clone().unwrap_or_default();
        policy.deny_servers = self.deny_ports.is_some();
        policy.expect_timeout = self.expect_timeout;
        policy.max_sessions_per_source = self.max_sessions_per_source;
        policy.max_pending_per_source = self.max_pending_per_source;
    }

    /// The sizes that were asked for.
    pub(super) fn sizes(&self) -> WantedSizes {
        WantedSizes {
            sessions: self.max_sessions,
            expectations: self.max_expectations,
            transfers: self.max_transfers,
        }
    }
}

// The help texts name them.
const _: () = assert!(
    Sizes::DEFAULT.sessions == 65_536
        && Sizes::DEFAULT.expectations == 65_536
        && Sizes::DEFAULT.transfers == 65_536
);
