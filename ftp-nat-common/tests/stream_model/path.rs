//! Near, the gateway and far, and four lossy links between them.

use crate::{
    far::Far,
    gateway::{Ack, Gateway, Packet, Setting},
    near::{Habits, Near},
    rng::Rng,
};
use ftp_nat_common::counter::Counter;

/// What the links do to packets, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub loss: usize,
    pub double: usize,
    pub late: usize,
}

/// One whole case.
#[derive(Clone, Debug)]
pub struct Case {
    pub stream: Vec<u8>,
    pub setting: Setting,
    pub habits: Habits,
    pub inside: Weather,
    pub outside: Weather,
    pub buffer: usize,
    pub strict: bool,
    pub seed: u64,
}

/// What came of it.
pub struct Report {
    pub ticks: usize,
    pub packets: usize,
    pub gateway: Gateway,
}

/// After this the weather is fine, so that every case must end.
const STORM: usize = 2_000;

struct Link<T> {
    flying: Vec<(usize, T)>,
    weather: Weather,
}

impl<T: Clone> Link<T> {
    fn new(weather: Weather) -> Self {
        Self {
            flying: Vec::new(),
            weather,
        }
    }

    fn send(&mut self, item: T, now: usize, rng: &mut Rng) {
        let weather = if now < STORM {
            self.weather
        } else {
            Weather::default()
        };
        if rng.chance(weather.loss) {
            return;
        }
        let copies = if rng.chance(weather.double) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = if rng.chance(weather.late) {
                rng.range(2, 30)
            } else {
                1
            };
            self.flying.push((now + delay, item.clone()));
        }
    }

    fn arrived(&mut self, now: usize) -> Vec<T> {
        let (due, rest) = self.flying.drain(..).partition(|f| f.0 <= now);
        self.flying = rest;
        due.into_iter().map(|f| f.1).collect()
    }
}

/// With `FTP_NAT_TRACE` set, every packet is told.
fn trace(now: usize, what: &str, packet: &impl std::fmt::Debug) {
    static WANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    if *WANTED.get_or_init(|| std::env::var_os("FTP_NAT_TRACE").is_some()) {
        println!("{now:6} {what} {packet:?}");
    }
}

/// Runs a case to its end.
pub fn run(case: &Case) -> Report {
    run_by(case, &mut Rng::new(case.seed))
}

/// Runs a case to its end, the schedule being `rng`'s choice.
pub fn run_by(case: &Case, rng: &mut Rng) -> Report {
    let mut gateway = Gateway::new(case.setting.clone(), &case.stream);
    let mut near = Near::new(case.habits.clone(), &case.stream, case.buffer);
    let mut far = Far::new(case.habits.sack, case.buffer, case.strict);
    let mut to_gateway: Link<Packet> = Link::new(case.inside);
    let mut to_far: Link<Packet> = Link::new(case.outside);
    let mut back: Link<Ack> = Link::new(case.outside);
    let mut home: Link<Ack> = Link::new(case.inside);
    let mut packets = 0;
    let mut ticks = 0;
    let limit = STORM + 600 * (case.stream.len() + 20);
    while !near.finished() {
        ticks += 1;
        assert!(
            ticks < limit,
            "no end: {}, far has {} of {}, {:?}",
            near.state(),
            far.next(),
            gateway.plan.output.len(),
            gateway.half(),
        );
        let mut out = Vec::new();
        near.tick(ticks, rng, &mut out);
        for ack in home.arrived(ticks) {
            near.acked(&ack, ticks, rng, &mut out);
        }
        for packet in out {
            packets += 1;
            to_gateway.send(packet, ticks, rng);
        }
        for packet in to_gateway.arrived(ticks) {
            let sent = gateway.near_sends(&packet);
            trace(ticks, "from near", &(&packet, &sent));
            if let Some(out) = sent {
                to_far.send(out, ticks, rng);
            }
        }
        for packet in to_far.arrived(ticks) {
            if let Some(ack) = far.take(&packet, ticks) {
                back.send(ack, ticks, rng);
            }
            let got = far.received.len();
            let same = gateway.plan.output.get(..got) == Some(&far.received[..]);
            assert!(same, "far has {:?}", String::from_utf8_lossy(&far.received));
        }
        if let Some(ack) = far.tick(ticks, rng) {
            back.send(ack, ticks, rng);
        }
        for ack in back.arrived(ticks) {
            let told = gateway.far_acks(&ack, near.max, |at| far.has(at));
            trace(ticks, "to near", &(&ack, &told));
            let ack = told;
            home.send(ack, ticks, rng);
        }
    }
    // A stream left open in the middle of an address leaves that text held.
    let half = gateway.half();
    far.received
        .extend(&half.held[..usize::from(half.held_len)]);
    let wanted = &gateway.plan.output;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        &far.received,
        wanted,
        "{}\n{}",
        text(&far.received),
        text(wanted)
    );
    assert_eq!(far.fin, case.habits.fin, "the FIN");
    gateway.check_output();
    assert_eq!(gateway.count(Counter::AckBeyondSent), 0);
    Report {
        ticks,
        packets,
        gateway,
    }
}
