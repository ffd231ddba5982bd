//! Options of `run` on the way of data connections.

use clap::{Args, ValueEnum};

use crate::policy::{DataPath, Policy, mark::Mark};

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
    }
}
