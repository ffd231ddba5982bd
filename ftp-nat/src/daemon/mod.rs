//! What `run` does once packets are handled: sweeps, forwards the kernel
//! side's messages, and waits for a signal.

mod exits;
mod sources;
pub mod sweep;

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{Signal, SignalKind, signal},
    time::{self, MissedTickBehavior},
};

use self::sweep::{Sweep, Swept};
use crate::{
    error::{Error, Result},
    loader::{self, Config, Loaded, Object, Report},
    maps::{Maps, PAGE},
    sys::clock,
};

/// How often expired entries are swept and addresses looked at.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(10);

/// Loads what `config` says and serves it until a signal comes. The data path
/// stays afterwards, unless `unload_on_exit`.
pub fn run(config: &Config, unload_on_exit: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the event loop"))?;
    runtime.block_on(serve(config, unload_on_exit))
}

async fn serve(config: &Config, unload_on_exit: bool) -> Result<()> {
    // Before the load: a signal that comes during it must not cut it short.
    let mut signals = Signals::new()?;
    let mut loaded = loader::start(config)?;
    for object in &mut loaded.objects {
        forward_messages(object);
    }
    eprintln!("{}", ready_line(&loaded.report, config));
    notify(&[NotifyState::Ready]);
    let name = tokio::select! {
        name = signals.next() => name,
        never = maintain_forever(&loaded) => match never {},
    };
    log::info!("{name}: ending");
    notify(&[NotifyState::Stopping]);
    end(loaded, unload_on_exit)
}

fn end(loaded: Loaded, unload_on_exit: bool) -> Result<()> {
    if !unload_on_exit {
        log::info!("the data path stays: `ftp-nat unload` removes it");
        return Ok(());
    }
    let removed = loaded.unload()?;
    log::info!(
        "unloaded {} programs and {} maps",
        removed.programs,
        removed.maps
    );
    if removed.broken > 0 {
        log::warn!(
            "{} control connections can't go on: {BROKEN}",
            removed.broken
        );
    }
    Ok(())
}

/// Why some connections do not survive an unload.
pub(crate) const BROKEN: &str = "their sequence numbers were shifted by rewritten announcements";

/// The one line that says that packets are being handled.
fn ready_line(report: &Report, config: &Config) -> String {
    let side = |lan: bool| -> String {
        let names: Vec<_> = report
            .interfaces
            .iter()
            .filter(|interface| interface.lan == lan)
            .map(|interface| interface.name.as_str())
            .collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(",")
        }
    };
    let state = report.adopted.map_or_else(
        || "new data path".to_owned(),
        |sessions| format!("adopted with {sessions} sessions"),
    );
    format!(
        "ready: wan {} lan {} port {} hook {} pins {} ({state})",
        side(false),
        side(true),
        report.ports,
        report.hook,
        config.pin_path.display(),
    )
}

fn notify(state: &[NotifyState<'_>]) {
    // Without NOTIFY_SOCKET this does nothing.
    if let Err(e) = sd_notify::notify(state) {
        log::warn!("telling the service manager: {e}");
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let on = |kind| signal(kind).map_err(Error::io("catching signals"));
        Ok(Self {
            interrupt: on(SignalKind::interrupt())?,
            terminate: on(SignalKind::terminate())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}

/// Keeps the maps tidy and true.
async fn maintain_forever(loaded: &Loaded) -> std::convert::Infallible {
    let mut interval = time::interval(MAINTENANCE_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(e) = loaded.refresh_addresses() {
            log::error!("{}", e.whole());
        }
        match sweep_all(&loaded.maps).await {
            Ok(swept) if swept != Swept::default() => log::debug!("swept {swept:?}"),
            Ok(_) => {}
            Err(e) => log::error!("sweeping: {}", e.whole()),
        }
    }
}

/// One sweep, a page at a time, so that signals and messages aren't kept waiting.
async fn sweep_all(maps: &Maps) -> Result<Swept> {
    let mut sweep = Sweep::default();
    loop {
        if let Some(swept) = sweep.step(maps, clock::monotonic_ns(), PAGE)? {
            return Ok(swept);
        }
        tokio::task::yield_now().await;
    }
}

/// Forwards the messages of an object's programs to the log.
fn forward_messages(object: &mut Object) {
    let Some(logger) = object.logger() else {
        return;
    };
    // SAFETY: the logger owns the ring buffer's descriptor, which stays open and
    // the same while the logger lives.
    let mut logger = match unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) } {
        Ok(logger) => logger,
        Err(e) => return log::warn!("messages of the kernel side will be missing: {e}"),
    };
    tokio::spawn(async move {
        while let Ok(mut guard) = logger.readable_mut().await {
            guard.get_inner_mut().flush();
            guard.clear_ready();
        }
    });
}
