//! Thousands of random cases. `FTP_NAT_CASES` sets how many there are, and
//! `FTP_NAT_SEED` replays one.

use crate::{
    gateway::Setting,
    near::Habits,
    path::{Case, Weather, run, run_by},
    rng::Rng,
    streams,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn weather(rng: &mut Rng) -> Weather {
    if rng.chance(40) {
        return Weather::default();
    }
    Weather {
        loss: rng.below(12),
        double: rng.below(8),
        late: rng.below(20),
    }
}

/// The case that a seed stands for.
fn case(seed: u64) -> Case {
    drawn(&mut Rng::new(seed))
}

/// A case of `rng`'s choice.
pub fn drawn(rng: &mut Rng) -> Case {
    let client = rng.chance(60);
    let v6 = client && rng.chance(30);
    let mss = *rng.pick(&[1, 2, 7, 30, 48, 48, 100, 100, 536]);
    let lines = rng.range(1, if mss < 10 { 6 } else { 24 });
    let sack = rng.chance(60);
    let unread = !client && rng.chance(25);
    let garbage = rng.chance(25);
    let buffer = *rng.pick(&[40, 200, 200, 2000, 30_000]);
    let isn = if rng.chance(50) {
        u32::MAX - rng.below(600) as u32
    } else if rng.chance(50) {
        (1 << 31) - rng.below(600) as u32
    } else {
        rng.next() as u32
    };
    // The clamp gives 64 bytes of room; without it segments are cut.
    let capacity = if rng.chance(80) {
        2 * mss + 64
    } else {
        (2 * mss).max(rng.range(64, 90))
    };
    Case {
        stream: streams::random(rng, client, v6, lines),
        setting: Setting {
            role: usize::from(!client),
            v6,
            isn,
            salt: rng.next(),
            capacity,
            passive: rng.below(13),
            no_edits: rng.chance(4),
            unread,
            live: false,
        },
        habits: Habits {
            mss,
            nagle: rng.chance(50),
            sack,
            fin: rng.chance(70),
            garbage,
            keep_alive: rng.chance(60),
            restless: *rng.pick(&[0, 0, 3, 12, 40]),
            write: *rng.pick(&[1, 3, 20, 80, 4000]),
            pause: *rng.pick(&[0, 0, 1, 30]),
        },
        inside: weather(rng),
        outside: weather(rng),
        buffer,
        strict: rng.chance(50),
        seed: rng.next(),
    }
}

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[test]
fn every_stream_arrives_as_the_reference_has_it() {
    if let Some(seed) = number("FTP_NAT_SEED") {
        let case = case(seed);
        println!("{case:?}\n{}", String::from_utf8_lossy(&case.stream));
        let report = run(&case);
        println!(
            "{} ticks, {} packets, {:?}",
            report.ticks, report.packets, report.gateway.counts
        );
        return;
    }
    let cases = number("FTP_NAT_CASES").unwrap_or(1_200);
    let mut failed = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..cases {
        match catch_unwind(AssertUnwindSafe(|| run(&case(seed)))) {
            Ok(report) => {
                for (name, n) in report.gateway.counts {
                    *seen.entry(name).or_insert(0) += n;
                }
            }
            Err(_) => failed.push(seed),
        }
        if failed.len() >= 10 {
            break;
        }
    }
    println!("{seen:?}");
    assert!(
        failed.is_empty(),
        "replay with FTP_NAT_SEED= one of {failed:?}"
    );
    // A suite that edits nothing proves nothing.
    for name in [
        "rewrites",
        "rewrites_shifted",
        "passed_no_edit_slot",
        "dropped_out_of_order",
    ] {
        assert!(
            seen.get(name).is_some_and(|n| *n > 0),
            "{name} never happened"
        );
    }
}

/// As the fuzz target `model` has it.
#[test]
fn every_schedule_that_bytes_tell_ends_well() {
    for seed in 0..60 {
        let mut bytes = Rng::new(seed);
        let script: Vec<u8> = (0..400).map(|_| bytes.next() as u8).collect();
        let mut rng = Rng::following(&script);
        run_by(&drawn(&mut rng), &mut rng);
    }
}
