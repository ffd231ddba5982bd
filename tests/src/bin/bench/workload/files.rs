//! Small files: every one of them has an announcement and a connection of its
//! own, so that this is the speed of the control path.

use anyhow::Result;

use crate::{
    ends::How,
    lane::{Lane, Variant},
    report::{Case, Target},
    turns::{Effort, alternate},
    workload::sessions,
};

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (how, form) in [(How::Active, "PORT"), (How::Passive, "227")] {
        let lanes = Lane::all(how)?;
        for (count, text) in [(1, "one session"), (16, "16 sessions")] {
            let series = alternate(effort, &Variant::labels(), |n| {
                let lane = &lanes[n];
                sessions::rate(lane, count, effort, |client| client.get_small(lane.how))
            })?;
            let wanted = (count == 16).then_some(Target::AtLeast(1.3));
            let [ftp_nat, netfilter, nat, routed] = Variant::labels();
            let case = Case::new(format!("files: {form}, {text}"), "files/s", series)
                .ratio(ftp_nat, netfilter, wanted)
                .ratio(ftp_nat, nat, None)
                .ratio(ftp_nat, routed, None)
                .ratio(routed, netfilter, None);
            cases.push(case.print());
        }
    }
    Ok(cases)
}
