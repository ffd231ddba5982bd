//! The gateway alone: packets of a data connection that is established, put on
//! the outside link at line rate and dropped by the host inside.

use anyhow::Result;
use ftp_nat_tests::lab::{
    Offloads,
    bpf::{Attached, Instruction, Kind, Program, index},
    firewall::{LAN, WAN},
};

use crate::{
    ends::{Client, How, SIGNAL},
    lane::{Lane, Variant},
    live::{Live, Sink, sent_by_server},
    report::{Case, Target},
    turns::{Effort, alternate},
};

/// What no program at a TC hook can be faster than.
const BARE: &str = "bare redirection at TC";
/// `BPF_TCX_INGRESS`, and `bpf_redirect`.
const TCX_INGRESS: u32 = 46;
const REDIRECT: i32 = 23;

/// A lane with a data connection that lasts.
struct Stage {
    frames: Vec<Live>,
    _bare: Option<Attached>,
    // Dropped in this order: the ends would wait for each other.
    _sink: Sink,
    _data: std::net::TcpStream,
    _client: Client,
    lane: Lane,
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
            _bare: None,
            _sink: sink,
            _data: data,
            _client: client,
            lane,
        })
    }

    /// Without NAT, and with a program that sends every packet on unread. The
    /// host inside drops whatever comes, so it may be addressed to another one.
    fn bare() -> Result<Self> {
        let mut stage = Self::new(Variant::Routed)?;
        let bare = stage.lane.lab.gateway.enter(|| {
            let program = [
                Instruction::set(1, i32::try_from(index(LAN)?)?),
                Instruction::set(2, 0),
                Instruction::call(REDIRECT),
                Instruction::exit(),
            ];
            Program::load(Kind::Tc, &program)?.attach(WAN, TCX_INGRESS, 0)
        });
        stage._bare = Some(bare?);
        Ok(stage)
    }
}

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let stages = Variant::ALL.iter().map(|v| Stage::new(*v));
    let mut stages = stages.collect::<Result<Vec<_>>>()?;
    stages.push(Stage::bare()?);
    let [ftp_nat, netfilter, nat, routed] = Variant::labels();
    let small = format!("data packets with {SIGNAL} bytes");
    let full = "data packets of full size, MTU 1500".to_owned();
    let mut cases = Vec::new();
    for (n, text) in [&*small, &full].into_iter().enumerate() {
        let labels = [ftp_nat, netfilter, nat, routed, BARE];
        let series = alternate(effort, &labels, |lane| {
            stages[lane].frames[n].rate(effort.warm_up, effort.slice)
        })?;
        let case = Case::new(format!("alone: {text}"), "packets/s", series)
            .ratio(ftp_nat, netfilter, Some(Target::AtLeast(2.5)))
            .ratio(ftp_nat, nat, None)
            .ratio(ftp_nat, routed, None)
            .ratio(BARE, netfilter, None);
        cases.push(case.print());
    }
    Ok(cases)
}
