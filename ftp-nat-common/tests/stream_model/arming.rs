//! A server's half of which ports are asked for at any time, while segments come
//! in any order. Which announcements are edited depends on the timing, so the
//! engine is asked, and all else is asserted.

use crate::{
    gateway::{Ack, Gateway, Packet},
    rng::Rng,
    splits::plain,
};
use ftp_nat_common::{counter::Counter, line::Request};

/// Replies to commands, some of them to PASV.
fn replies(rng: &mut Rng) -> Vec<u8> {
    let mut stream = b"220 Ready\r\n".to_vec();
    for _ in 0..rng.range(2, 12) {
        let line: &[u8] = rng.pick::<&[u8]>(&[
            b"200 Ok\r\n",
            b"226 Done\r\n",
            b"211-Features\r\n 227 (10,10,0,1,30,4)\r\n211 End\r\n",
            b"227 Passive (10,10,0,1,30,4)\r\n",
            b"227 Passive (10,10,0,1,99,99)\r\n",
            b"229 Extended (|||7684|)\r\n",
        ]);
        stream.extend(line);
    }
    stream
}

/// Output bytes by position; a position may be written again, but not changed.
#[derive(Default)]
struct Sink {
    bytes: Vec<Option<u8>>,
}

impl Sink {
    fn take(&mut self, packet: &Packet) {
        for (i, byte) in packet.data.iter().enumerate() {
            let at = (packet.at + i as i64) as usize;
            if self.bytes.len() <= at {
                self.bytes.resize(at + 1, None);
            }
            let known = self.bytes[at].get_or_insert(*byte);
            assert_eq!(*known, *byte, "output {at}");
        }
    }

    fn next(&self) -> usize {
        self.bytes.iter().take_while(|b| b.is_some()).count()
    }

    fn blocks(&self) -> Vec<(i64, i64)> {
        let next = self.next();
        let mut blocks: Vec<(i64, i64)> = Vec::new();
        for at in next..self.bytes.len() {
            if self.bytes[at].is_none() {
                continue;
            }
            match blocks.last_mut() {
                Some(b) if b.1 == at as i64 => b.1 += 1,
                _ => blocks.push((at as i64, at as i64 + 1)),
            }
        }
        blocks
    }
}

/// Runs one case; returns how many announcements were edited, and how many
/// segments came before their turn.
fn case(seed: u64) -> (usize, usize) {
    let mut rng = Rng::new(seed);
    let stream = replies(&mut rng);
    let mut setting = plain(1, false, seed % 64);
    setting.passive = 0;
    setting.live = true;
    let mut gateway = Gateway::new(setting, &stream);
    let mut far = Sink::default();
    let (mut una, mut max, mut early) = (0usize, 0usize, 0);
    let mut sacked = vec![false; stream.len()];
    let mut turns = 0;
    while una < stream.len() {
        turns += 1;
        assert!(turns < 5_000, "no end at {una} of {}", stream.len());
        if rng.chance(6) {
            gateway.session.requests.push(Request::Passive);
        }
        // New data, or what wasn't acknowledged, from anywhere in the window.
        let first = (una..stream.len()).find(|at| !sacked[*at]).unwrap_or(una);
        let from = if rng.chance(60) {
            first
        } else {
            rng.range(una, (max + 9).min(stream.len() - 1))
        };
        let to = rng.range(from + 1, stream.len().min(from + 40));
        max = max.max(to);
        let packet = Packet {
            at: from as i64,
            data: stream[from..to].to_vec(),
            fin: false,
        };
        let is_early = packet.at > gateway.offset(gateway.half().in_nxt);
        early += usize::from(is_early);
        let Some(out) = gateway.near_sends(&packet) else {
            continue;
        };
        assert!(!is_early, "what is read overtook");
        if rng.chance(25) {
            continue;
        }
        far.take(&out);
        if rng.chance(25) {
            continue;
        }
        let ack = Ack {
            at: far.next() as i64,
            window: 1000,
            sacks: far.blocks(),
        };
        let told = gateway.far_acks(&ack, max, |at| {
            far.bytes.get(at).is_some_and(Option::is_some)
        });
        una = una.max(told.at as usize);
        for (start, end) in told.sacks {
            sacked[start.max(0) as usize..end as usize].fill(true);
        }
    }
    let half = gateway.half();
    let mut got: Vec<u8> = far.bytes.iter().flatten().copied().collect();
    got.extend(&half.held[..usize::from(half.held_len)]);
    assert_eq!(
        String::from_utf8_lossy(&got),
        String::from_utf8_lossy(&gateway.plan.output)
    );
    assert_eq!(gateway.count(Counter::PassedFrozen), 0);
    (gateway.count(Counter::Rewrites), early)
}

#[test]
fn ports_are_asked_for_while_segments_come_in_any_order() {
    let mut all = (0, 0);
    let cases = crate::random::number("FTP_NAT_CASES").unwrap_or(1_000);
    for seed in 0..cases {
        let result = std::panic::catch_unwind(|| case(seed));
        let Ok((edited, early)) = result else {
            panic!("seed {seed}")
        };
        all = (all.0 + edited, all.1 + early);
    }
    println!("edited, early: {all:?}");
    assert!(all.0 > 0 && all.1 > 0, "{all:?}");
}
