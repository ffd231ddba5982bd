//! A client that says line by line what a test wants, in plain text and in TLS.

use std::{fs, net::SocketAddr};

use anyhow::Result;

use crate::lab::{host::Host, peers, process::Finished, wait};

const SCRIPT: &str = include_str!("dialogue.py");

impl Host {
    /// Runs a dialogue with the server at `at`, step by step: `220 ` waits for
    /// the greeting, `200 NOOP` says NOOP and wants a 200. `wrap` and `unwrap`
    /// begin and end TLS, `listen PORT` listens, `receive FILE` takes what comes
    /// there, `decrypt FILE` does so in TLS, `open PORT` and `shut PORT` want a port of the server's to be so.
    pub fn dialogue(&self, at: SocketAddr, steps: &[&str]) -> Result<Finished> {
        let script = self.dir().join("dialogue.py");
        fs::write(&script, SCRIPT)?;
        let mut command = self.command(peers::python("ssl")?);
        command
            .arg(script)
            .args([at.ip().to_string(), at.port().to_string()])
            .args(steps);
        self.finish(command, "dialogue", "", 2 * wait::PATIENCE)?
            .success("the dialogue")
    }
}
