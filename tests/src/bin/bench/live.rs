//! Packets put onto a link at line rate, so that the gateway is what takes the
//! time: XDP makes frames and hands them over in batches, without a socket.
//!
//! ```text
//!   server                           gateway                  client
//!   XDP redirects frames to eth0 --> wan ... lan ---------> eth0, XDP counts and drops
//! ```

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use ftp_nat_tests::lab::{
    Host, Lab,
    bpf::{Attached, Instruction, Kind, Program, index},
    capture::{Direction, Packet},
    firewall::WAN,
    topology::ETH,
};

/// `BPF_XDP`, a kind of link.
const XDP_LINK: u32 = 37;
const XDP_DROP: i32 = 1;
const XDP_PASS: i32 = 2;
/// `bpf_redirect`.
const REDIRECT: i32 = 23;
/// Frames before it is known how many are enough.
const TRIAL: u32 = 100_000;
/// As far as a gateway may change a frame: Ethernet, IPv4 and TCP with all options.
const HEADERS: usize = 14 + 20 + 60;

/// A frame, and the way it takes through a lab's gateway.
#[derive(Debug)]
pub struct Live {
    from: Host,
    to: Host,
    sender: Program,
    frame: Vec<u8>,
}

/// A lab whose client drops all that arrives.
#[derive(Debug)]
pub struct Sink {
    _drop: Attached,
    _pass: Attached,
}

impl Sink {
    /// From now on, nothing reaches the client's programs any more.
    pub fn new(lab: &Lab) -> Result<Self> {
        let ending = |verdict| [Instruction::set(0, verdict), Instruction::exit()];
        let put = |host: &Host, interface: &str, verdict| {
            host.enter(|| {
                Program::load(Kind::Xdp, &ending(verdict))?.attach(interface, XDP_LINK, 0)
            })
        };
        Ok(Self {
            _drop: put(&lab.client, ETH, XDP_DROP)?,
            // With any XDP program a veth link takes frames that were redirected.
            _pass: put(&lab.gateway, WAN, XDP_PASS)?,
        })
    }
}

impl Live {
    /// A frame that the server of a lab has sent before.
    pub fn new(lab: &Lab, frame: &[u8]) -> Result<Self> {
        let sender = lab
            .server
            .enter(|| Program::load(Kind::Xdp, &sending(frame, index(ETH)?)?))?;
        Ok(Self {
            from: lab.server.clone(),
            to: lab.client.clone(),
            sender,
            frame: frame.to_vec(),
        })
    }

    /// Packets a second that arrive, while as many are sent as can be.
    ///
    /// All are sent by one call into the kernel. Each call has to prepare a pool
    /// and to wait for the kernel's readers, 15 ms and more, which is as much as
    /// 15,000 packets take.
    pub fn rate(&self, warm_up: Duration, slice: Duration) -> Result<f64> {
        self.from.enter(|| {
            let trial = self.send(TRIAL)?;
            let speed = f64::from(TRIAL) / trial.as_secs_f64();
            self.send((speed * warm_up.as_secs_f64()) as u32)?;
            let before = self.arrived()?;
            let sent = (speed * slice.as_secs_f64()) as u32;
            let time = self.send(sent)?;
            let arrived = self.arrived()? - before;
            // What is lost on the way was work as well, but not all of it.
            ensure!(
                arrived as f64 > 0.95 * f64::from(sent),
                "of {sent} packets only {arrived} arrived"
            );
            Ok(arrived as f64 / time.as_secs_f64())
        })
    }

    fn send(&self, count: u32) -> Result<Duration> {
        let start = Instant::now();
        self.sender.live_frames(&self.frame, count.max(1))?;
        Ok(start.elapsed())
    }

    /// What the client's interface has counted; its XDP program drops it after.
    fn arrived(&self) -> Result<u64> {
        let text = self
            .to
            .enter(|| Ok(fs::read_to_string("/proc/thread-self/net/dev")?))?;
        let start = format!("{ETH}:");
        let mut lines = text.lines().filter_map(|l| l.trim().strip_prefix(&start));
        let packets = lines.next().and_then(|l| l.split_whitespace().nth(1));
        packets
            .and_then(|n| n.parse().ok())
            .context("no counter of the client's interface")
    }
}

/// Writes the headers of `frame` and sends it. A frame is used again when it was
/// dropped at the other end, and the gateway has changed it then.
fn sending(frame: &[u8], ifindex: u32) -> Result<Vec<Instruction>> {
    let (words, _) = frame[..frame.len().min(HEADERS)].as_chunks::<8>();
    let mut program = vec![Instruction::load(2, 1, 0), Instruction::load(3, 1, 4)];
    program.extend([
        Instruction::copy(4, 2),
        Instruction::add(4, 8 * words.len() as i32),
    ]);
    // Each word takes three instructions, and the redirection four.
    program.push(Instruction::if_above(4, 3, 3 * words.len() as i16 + 4));
    for (n, word) in words.iter().enumerate() {
        program.extend(Instruction::set_wide(5, u64::from_ne_bytes(*word)));
        program.push(Instruction::store(2, 8 * n as i16, 5));
    }
    program.extend([
        Instruction::set(1, i32::try_from(ifindex)?),
        Instruction::set(2, 0),
        Instruction::call(REDIRECT),
        Instruction::exit(),
        Instruction::set(0, XDP_DROP),
        Instruction::exit(),
    ]);
    Ok(program)
}

/// The last frame with so many bytes of data that the server of a lab sends
/// while `work` is done.
pub fn sent_by_server<T>(
    lab: &Lab,
    lengths: &[std::ops::RangeInclusive<usize>],
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Vec<Vec<u8>>)> {
    let capture = lab.server.capture(ETH)?;
    let done = work()?;
    let trace = capture.stop()?;
    let data = |packet: &Packet| match packet.tcp() {
        Some(tcp) => tcp.payload.len(),
        // A UDP header has eight bytes.
        None => packet
            .ip()
            .map_or(0, |ip| ip.payload.len().saturating_sub(8)),
    };
    let find = |length: &std::ops::RangeInclusive<usize>| {
        let mut sent = trace.packets.iter().rev().filter(|p| {
            p.direction == Direction::Sent && !p.checksum_pending && length.contains(&data(p))
        });
        let packet = sent.next().context("the server sent no such packet")?;
        Ok(packet.frame.clone())
    };
    let frames = lengths.iter().map(find).collect::<Result<_>>()?;
    Ok((done, frames))
}
