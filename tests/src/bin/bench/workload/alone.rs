//! The gateway alone: packets of a data connection that is established, put on
//! the outside link at line rate and dropped by the host inside.

use anyhow::Result;
use ftp_nat_tests::lab::Offloads;

use crate::{
    ends::{Client, How, SIGNAL},
    lane::{Lane, Variant},
    live::{Live, Sink, sent_by_server},
    report::{Case, Target},
    turns::{Effort, alternate},
};

/// A lane with a data connection that lasts.
struct Stage {
    frames: Vec<Live>,
    // Dropped in this order: the ends would wait for each other.
    _sink: Sink,
    _data: std::net::TcpStream,
    _client: Client,
    _lane: Lane,
}

impl Stage {
    fn new(variant: Variant) -> Result<Self> {
        let lane = Lane::new(variant, How::Active)?;
        lane.links(Offloads::Off, 1500)?;
        let sizes = [SIGNAL..=SIGNAL, 1400..=1460];
        let ((client, data), frames) = sent_by_server(&lane.lab, &sizes, || {
            lane.at_client(|| {
                let mut client = lane.login()?;
                let data = client.open(lane.how, "block")?;
                Client::read_block(&data)?;
                Ok((client, data))
            })
        })?;
        let sink = Sink::new(&lane.lab)?;
        let live = frames.iter().map(|frame| Live::new(&lane.lab, frame));
        Ok(Self {
            frames: live.collect::<Result<_>>()?,
            _sink: sink,
            _data: data,
            _client: client,
            _lane: lane,
        })
    }
}

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let stages = Variant::ALL.iter().map(|v| Stage::new(*v));
    let stages = stages.collect::<Result<Vec<_>>>()?;
    let small = format!("data packets with {SIGNAL} bytes");
    let full = "data packets of full size, MTU 1500".to_owned();
    let mut cases = Vec::new();
    for (n, text) in [&*small, &full].into_iter().enumerate() {
        let series = alternate(effort, &Variant::labels(), |lane| {
            stages[lane].frames[n].rate(effort.warm_up, effort.slice)
        })?;
        let [ftp_nat, netfilter, nat, routed] = Variant::labels();
        let case = Case::new(format!("alone: {text}"), "packets/s", series)
            .ratio(ftp_nat, netfilter, Some(Target::AtLeast(2.5)))
            .ratio(ftp_nat, nat, None)
            .ratio(ftp_nat, routed, None);
        cases.push(case.print());
    }
    Ok(cases)
}
