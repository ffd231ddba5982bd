//! What `explain` and `events` say of sessions that really happened.
//!
//! | module | of |
//! |---|---|
//! | `works` | a transfer that works, told in full |
//! | `transfers` | data connections that don't come about, or fail |
//! | `refusals` | what a server or the gateway refuses |
//! | `dials` | control connections that don't come about |
//! | `sessions` | sessions as a whole, and those that aren't followed |

mod dials;
mod refusals;
mod sessions;
mod transfers;
mod works;

use anyhow::{Context, Result, ensure};
use ftp_nat::explain::verdict::Name;
use ftp_nat_tests::lab::{ftp_nat::FtpNat, wait};
use serde_json::Value;

/// What `explain --json` gives with more words.
pub fn explain(ftp_nat: &FtpNat, words: &[&str]) -> Result<Value> {
    let text = ftp_nat.done(&[&["explain", "--json"], words].concat())?;
    serde_json::from_str(&text).with_context(|| format!("explain --json gave {text}"))
}

/// Waits until the latest session's first verdict is this one, and gives its text.
pub fn until_verdict(ftp_nat: &FtpNat, name: &str) -> Result<String> {
    wait::until(&format!("the verdict {name}"), wait::PATIENCE, || {
        let told = explain(ftp_nat, &[])?;
        let verdict = &told["sessions"][0]["verdicts"][0];
        Ok((verdict["name"] == name).then(|| verdict.to_string()))
    })
    .with_context(|| format!("{:#}", explain(ftp_nat, &[]).unwrap_or_default()))
}

/// Waits until the latest session's first verdict is this one and says all of
/// these.
pub fn until_told(ftp_nat: &FtpNat, name: &str, wanted: &[&str]) -> Result<()> {
    let says = until_verdict(ftp_nat, name)?;
    for wanted in wanted {
        ensure!(says.contains(wanted), "{name}: no `{wanted}` in {says}");
    }
    Ok(())
}

#[test]
fn every_verdict_is_reached_by_a_session_that_really_happened() {
    let sources = [
        include_str!("dials.rs"),
        include_str!("refusals.rs"),
        include_str!("sessions.rs"),
        include_str!("transfers.rs"),
        include_str!("works.rs"),
    ];
    for name in Name::ALL {
        let written = format!("\"{}\"", name.text());
        assert!(sources.iter().any(|s| s.contains(&written)), "{written}");
    }
}
