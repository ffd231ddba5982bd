//! Options of `run` on the way of data connections.

use clap::{Args, ValueEnum};

use crate::policy::{DataPath, Policy, mark::Mark, range::PortRange};

#[derive(Debug, Args)]
#[command(next_help_heading = "Data connections")]
#[group(skip)]
pub(super) struct Options {
    /// How new data connections are forwarded; those that run stay on their path.
    #[arg(long, value_enum, default_value_t = Choice::Redirect)]
    data_path: Choice,
    /// The firewall mark of data packets on the way through the stack.
    ///
    /// Numbers, hexadecimal after 0x. Only the bits of MASK are written; without
    /// one, those of VALUE. 0 marks nothing.
    #[arg(long, value_name = "VALUE[/MASK]", default_value_t)]
    mark: Mark,
    /// Ports that servers use for passive data connections of encrypted sessions.
    ///
    /// What is announced within TLS can't be read, so name here the passive ports
    /// that your servers are set to use. While a session is encrypted, its own
    /// client, and nobody else, may connect to these ports of its own server,
    /// each port to the same port. Such ports should be used by the FTP server
    /// alone. Off unless given.
    #[arg(long, value_name = "FIRST-LAST")]
    ftps_passive_range: Option<PortRange>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    /// From one interface to the other: no firewall rule is needed, and the
    /// forward chain, conntrack and flow accounting don't see them.
    Redirect,
    /// By the stack, with --mark: the forward chain decides and has to accept them.
    Stack,
}

impl Options {
    /// Writes what was chosen into `policy`.
    pub(super) fn apply(&self, policy: &mut Policy) {
        policy.data_path = match self.data_path {
            Choice::Redirect => DataPath::Redirect,
            Choice::Stack => DataPath::Stack,
        };
        policy.mark = self.mark;
        policy.ftps_passive_range = self.ftps_passive_range;
    }
}
