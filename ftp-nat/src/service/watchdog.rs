//! Tells the service manager that the event loop still turns (sd_notify(3)).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{self, MissedTickBehavior};

/// Starts telling, if the service manager asked for it. It has to be on the
/// thread of the event loop: where that is stuck, nothing is told.
pub fn start() {
    if let Some(limit) = sd_notify::watchdog_enabled() {
        tokio::spawn(tell(limit / 2));
    }
}

async fn tell(every: Duration) {
    let mut interval = time::interval(every.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(e) = sd_notify::notify(&[NotifyState::Watchdog]) {
            log::warn!("telling the service manager: {e}");
        }
    }
}
