//! Commands without an announcement, each with its reply: two packets of a
//! control connection that have to be parsed and are not changed.

use anyhow::Result;

use crate::{
    ends::How,
    lane::{Lane, Variant},
    report::Case,
    turns::{Effort, alternate},
    workload::sessions,
};

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let lanes = Lane::all(How::Active)?;
    let mut cases = Vec::new();
    for (count, text) in [(1, "one session"), (16, "16 sessions")] {
        let series = alternate(effort, &Variant::labels(), |n| {
            let exchanges = sessions::rate(&lanes[n], count, effort, |client| {
                client.ask("NOOP", "200").map(drop)
            })?;
            Ok(2.0 * exchanges)
        })?;
        let [ftp_nat, netfilter, nat, routed] = Variant::labels();
        let case = Case::new(format!("control: {text}"), "packets/s with text", series)
            .ratio(ftp_nat, netfilter, None)
            .ratio(ftp_nat, nat, None)
            .ratio(ftp_nat, routed, None);
        cases.push(case.print());
    }
    Ok(cases)
}
