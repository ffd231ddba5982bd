//! The same thing over and over, in some sessions at once.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::Result;

use crate::{ends::Client, lane::Lane, turns::Effort};

/// How often a second `step` is done, by `count` sessions together.
pub fn rate(
    lane: &Lane,
    count: usize,
    effort: &Effort,
    step: impl Fn(&mut Client) -> Result<()> + Sync,
) -> Result<f64> {
    let mut clients = lane.at_client(|| {
        let logins = (0..count).map(|_| lane.login());
        logins.collect::<Result<Vec<_>>>()
    })?;
    let (counting, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let all_there = Barrier::new(count + 1);
    lane.at_client(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = clients
                .iter_mut()
                .map(|client| {
                    scope.spawn(|| {
                        all_there.wait();
                        let mut done = 0_u32;
                        while !stop.load(Ordering::Relaxed) {
                            step(client)?;
                            done += u32::from(counting.load(Ordering::Relaxed));
                        }
                        Ok(done)
                    })
                })
                .collect();
            all_there.wait();
            thread::sleep(effort.warm_up);
            let start = Instant::now();
            counting.store(true, Ordering::Relaxed);
            thread::sleep(effort.slice);
            stop.store(true, Ordering::Relaxed);
            let time = start.elapsed();
            let mut total = 0;
            for thread in threads {
                let done: Result<u32> = thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                total += done?;
            }
            Ok(f64::from(total) / time.as_secs_f64())
        })
    })
}
