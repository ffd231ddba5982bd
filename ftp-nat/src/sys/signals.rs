//! The signals that ask something of a process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

/// SIGINT, SIGTERM and SIGHUP.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on they don't end the process by themselves.
    pub(crate) fn new() -> Result<Self> {
        let on = |kind| signal(kind).map_err(Error::io("catching signals"));
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End("SIGINT"),
            _ = self.terminate.recv() => Asked::End("SIGTERM"),
            _ = self.hang_up.recv() => Asked::HangUp,
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To end; by the signal of this name.
    End(&'static str),
    /// SIGHUP: the terminal is gone, or, of a service, to read its configuration again.
    HangUp,
}

impl Asked {
    /// The signal's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::End(name) => name,
            Self::HangUp => "SIGHUP",
        }
    }
}
