//! What ftp-nat costs traffic that has nothing to do with FTP. One gateway with
//! netfilter's NAT, with ftp-nat, with programs that do nothing and with none, in turns.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use anyhow::Result;
use ftp_nat_tests::lab::{
    Lab, Offloads,
    bpf::{Attached, Instruction, Kind, Program},
    firewall::{LAN, WAN},
    ftp_nat::FtpNat,
};

use crate::{
    ends::{BLOCK, Client, LIMIT, SIGNAL, datagrams, send_unpaced, stream},
    live::{Live, Sink, sent_by_server},
    report::{Case, Series, Target},
    turns::Effort,
};

/// No port of FTP's.
const PORT: u16 = 5001;
/// What is on the gateway's hooks.
const WITH: &str = "with ftp-nat";
/// What a program costs that is there at all: ftp-nat can't cost less.
const EMPTY: &str = "with programs that do nothing";
const WITHOUT: &str = "without";

/// `BPF_TCX_INGRESS`, `BPF_TCX_EGRESS`, and `TCX_NEXT`.
const HOOKS: [u32; 2] = [46, 47];
const NEXT: i32 = -1;

/// What is measured in each turn.
const CASES: [(&str, &str); 5] = [
    ("bystander: TCP stream, offloads on", "Mbit/s"),
    ("bystander: TCP stream, offloads off", "Mbit/s"),
    ("bystander: small UDP packets, end to end", "packets/s"),
    ("bystander: small UDP packets, gateway alone", "packets/s"),
    ("bystander: full TCP packets, gateway alone", "packets/s"),
];

/// The workload.
pub fn run(effort: &Effort) -> Result<Vec<Case>> {
    let ends = Lab::masquerade()?;
    ends.know_neighbours()?;
    send_unpaced(&ends)?;
    let alone = Alone::new()?;
    let mut figures = CASES.map(|_| [WITH, EMPTY, WITHOUT].map(Series::new));
    // Each is a small difference of two large figures: more turns than elsewhere.
    let turns = if effort.quick { 1 } else { 2 * effort.pairs };
    for turn in 0..turns {
        for n in (0..3).map(|n| (turn + n) % 3) {
            let (mut helpers, mut empty) = (Vec::new(), Vec::new());
            for lab in [&ends, &alone.lab] {
                match n {
                    0 => helpers.push(lab.ftp_nat().start()?),
                    1 => empty.extend(do_nothing(lab)?),
                    _ => {}
                }
            }
            let got = measure(&ends, &alone, effort)?;
            for (series, figure) in figures.iter_mut().zip(got) {
                series[n as usize].samples.push(figure);
            }
            helpers.into_iter().try_for_each(remove)?;
        }
    }
    let cases = CASES.iter().zip(figures).map(|((name, unit), series)| {
        Case::new(*name, unit, series.into())
            .ratio(WITH, WITHOUT, Some(Target::AtLeast(0.99)))
            .ratio(EMPTY, WITHOUT, None)
            .ratio(WITH, EMPTY, None)
            .print()
    });
    Ok(cases.collect())
}

/// At all the hooks that ftp-nat has a program at.
fn do_nothing(lab: &Lab) -> Result<Vec<Attached>> {
    lab.gateway.enter(|| {
        let program = Program::load(Kind::Tc, &[Instruction::set(0, NEXT), Instruction::exit()])?;
        let places = [LAN, WAN]
            .into_iter()
            .flat_map(|i| HOOKS.map(|hook| (i, hook)));
        places
            .map(|(interface, hook)| program.attach(interface, hook, 0))
            .collect()
    })
}

fn remove(mut helper: FtpNat) -> Result<()> {
    helper.terminate()?;
    helper.unload()
}

fn measure(lab: &Lab, alone: &Alone, effort: &Effort) -> Result<[f64; 5]> {
    let to = (&lab.server, lab.server_ip, PORT);
    let mut figures = [0.0; 5];
    for (n, offloads) in [Offloads::On, Offloads::Off].into_iter().enumerate() {
        lab.offloads(offloads)?;
        let bytes = stream::between(&lab.client, to, effort.warm_up, effort.slice)?;
        figures[n] = bytes * 8.0 / 1e6;
    }
    figures[2] = datagrams::between(&lab.client, to, effort.warm_up, effort.slice)?;
    for (n, live) in alone.frames.iter().enumerate() {
        figures[3 + n] = live.rate(effort.warm_up, effort.slice)?;
    }
    Ok(figures)
}

/// A gateway with connections of bystanders, whose ends are silent.
struct Alone {
    frames: Vec<Live>,
    _sink: Sink,
    _connection: (TcpStream, TcpStream),
    lab: Lab,
}

impl Alone {
    fn new() -> Result<Self> {
        let lab = Lab::masquerade()?;
        lab.know_neighbours()?;
        lab.offloads(Offloads::Off)?;
        let at = SocketAddr::from((lab.server_ip, PORT));
        let ((), udp) = sent_by_server(&lab, &[18..=18], || {
            let server = lab.server.enter(|| Ok(UdpSocket::bind(at)?))?;
            let client = lab
                .client
                .enter(|| Ok(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?))?;
            for socket in [&server, &client] {
                socket.set_read_timeout(Some(LIMIT))?;
            }
            // Answered, it is an established connection for netfilter, too.
            for _ in 0..3 {
                client.send_to(&[0; 18], at)?;
                let (_, from) = server.recv_from(&mut [0; 64])?;
                server.send_to(&[0; 18], from)?;
                client.recv_from(&mut [0; 64])?;
            }
            Ok(())
        })?;
        let (connection, tcp) = sent_by_server(&lab, &[1400..=1460], || {
            let listener: TcpListener = lab.server.listen(at)?;
            let client = lab.client.connect(at)?;
            let (server, _) = listener.accept()?;
            let mut sender = server.try_clone()?;
            sender.set_nodelay(true)?;
            sender.write_all(&[0; SIGNAL + BLOCK])?;
            Client::read_block(&client)?;
            Ok((client, server))
        })?;
        let sink = Sink::new(&lab)?;
        let frames = udp.iter().chain(&tcp).map(|frame| Live::new(&lab, frame));
        Ok(Self {
            frames: frames.collect::<Result<_>>()?,
            _sink: sink,
            _connection: connection,
            lab,
        })
    }
}
