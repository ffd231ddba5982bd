//! Data connections at full speed. The server sends, the client counts; both
//! share the machine with the gateway.

use anyhow::Result;
use ftp_nat_tests::lab::Offloads;

use crate::{
    ends::{How, stream},
    lane::{Lane, Variant},
    report::{Case, Target},
    turns::{Effort, alternate},
};

/// Offloads, MTU, and the ratio to netfilter's helper that is wanted.
const LINKS: [(Offloads, u32, &str, f64); 3] = [
    (Offloads::On, 1500, "offloads on, MTU 1500", 1.1),
    (Offloads::Off, 1500, "offloads off, MTU 1500", 1.6),
    (Offloads::Off, 576, "offloads off, MTU 576", 2.0),
];

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let lanes = Lane::all(How::Active)?;
    let mut cases = Vec::new();
    for (offloads, mtu, links, wanted) in LINKS {
        for lane in &lanes {
            lane.links(offloads, mtu)?;
        }
        for (streams, text) in [(1, "one stream"), (4, "four streams")] {
            let series = alternate(effort, &Variant::labels(), |n| {
                transfer(&lanes[n], streams, effort)
            })?;
            let name = format!("bulk: {text}, {links}");
            let [ftp_nat, netfilter, nat, routed] = Variant::labels();
            let case = Case::new(name, "Mbit/s", series)
                .ratio(ftp_nat, netfilter, Some(Target::AtLeast(wanted)))
                .ratio(ftp_nat, nat, None)
                .ratio(ftp_nat, routed, None)
                .ratio(routed, netfilter, None);
            cases.push(case.print());
        }
    }
    Ok(cases)
}

/// Mbit/s of so many transfers at once.
fn transfer(lane: &Lane, streams: usize, effort: &Effort) -> Result<f64> {
    lane.at_client(|| {
        let mut open = Vec::new();
        for _ in 0..streams {
            let mut client = lane.login()?;
            let data = client.open(lane.how, "endless")?;
            open.push((client, data));
        }
        let rates = std::thread::scope(|scope| {
            let threads: Vec<_> = open
                .iter()
                .map(|(_, data)| scope.spawn(|| stream::rate(data, effort.warm_up, effort.slice)))
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<f64>>| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect::<Result<Vec<f64>>>()
        })?;
        for (mut client, data) in open {
            drop(data);
            client.done()?;
        }
        Ok(rates.iter().sum::<f64>() * 8.0 / 1e6)
    })
}
