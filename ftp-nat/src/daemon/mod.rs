//! What `run` does once packets are handled: sweeps, follows interfaces that
//! come and go, forwards the kernel side's messages, and waits for a signal.

mod exits;
pub mod reload;
mod sources;
pub mod sweep;

use std::{cell::RefCell, path::PathBuf, rc::Rc, time::Duration};

use ftp_nat_common::layout::map;
use sd_notify::NotifyState;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{mpsc, oneshot},
    task::{self, JoinHandle},
    time::{self, MissedTickBehavior},
};

use self::{
    reload::Metrics,
    sweep::{Sweep, Swept},
};
use crate::{
    conflicts::{self, Setup},
    control_socket::serve::{ControlSocket, Surroundings},
    drain,
    error::{Error, Result},
    events::listen::{self, Events},
    history::{History, Limits},
    loader::{self, Config, Loaded, Object, Report},
    maps::{Maps, PAGE},
    metrics::{address::Address, serve::Bound},
    service::watchdog,
    sys::{
        clock,
        signals::{Asked, Signals},
        watch::Watch,
    },
    traffic,
};

/// How often expired entries are swept and addresses looked at.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(10);

/// Changes of interfaces within this time are looked at together.
const CROWD: Duration = Duration::from_millis(50);

/// What `run` is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to load, and where.
    pub config: Config,
    /// Whether the data path goes when the process ends.
    pub unload_on_exit: bool,
    /// Where metrics are served, if they are.
    pub metrics: Option<Address>,
    /// The options and their values, as text.
    pub values: Vec<(String, String)>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
}

/// Loads what `plan` says and serves it until a signal comes. The data path
/// stays afterwards, unless the plan says otherwise.
///
/// On SIGHUP, `again` gives what it is to do from then on.
pub fn run(plan: Plan, again: &Again<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("starting the event loop"))?;
    // Tasks share what isn't shared between threads.
    let tasks = tokio::task::LocalSet::new();
    runtime.block_on(tasks.run_until(serve(plan, again)))
}

/// Reads the options anew.
pub type Again<'a> = dyn Fn() -> Result<Plan> + 'a;

async fn serve(mut plan: Plan, again: &Again<'_>) -> Result<()> {
    // Before the load: a signal that comes during it must not cut it short.
    let mut signals = Signals::new()?;
    // Before the load too: what changes during it is looked at afterwards.
    let mut watch = Watch::new()?;
    // And this: a port that is taken is found out before anything is done.
    let metrics = plan.metrics.map(Bound::at).transpose()?;
    let mut loaded = loader::start(&plan.config)?;
    let pin_path = plan.config.pin_path.clone();
    let traffic = traffic::Shared::since(clock::monotonic_ns());
    let serve_metrics = |bound: Bound| bound.serve(&pin_path, traffic.clone());
    let mut metrics = metrics.map(serve_metrics).transpose()?;
    let mut messages = Messages::default();
    loaded.objects.iter_mut().for_each(|o| messages.forward(o));
    let history = Rc::new(RefCell::new(History::new(Limits::default())));
    let events = Events::new(history, traffic.clone(), Rc::clone(&loaded.maps));
    let events = remember(&loaded, events);
    let (reload, mut reloads) = mpsc::channel(1);
    let socket = answer(&loaded, &plan.config, &events, reload);
    eprintln!("{}", ready_line(&loaded.report, &plan.config));
    notify(&[NotifyState::Ready]);
    watchdog::start();
    conflicts::look(Setup::of(&loaded.report));
    let name = loop {
        let (asked, asker) = tokio::select! {
            asked = signals.next() => (asked, None),
            Some(asker) = reloads.recv() => (Asked::HangUp, Some(asker)),
            never = maintain_forever(&mut loaded, &mut watch, &mut messages, &events) => match never {},
        };
        match asked {
            Asked::End(name) => break name,
            Asked::HangUp => {
                log::info!("reading the configuration again");
                let mut metrics = Metrics {
                    server: &mut metrics,
                    serve: &serve_metrics,
                };
                let outcome =
                    reload::reload(&mut loaded, &mut plan, again, &mut messages, &mut metrics);
                if let Some(asker) = asker {
                    // One that has hung up finds it in the log.
                    let _ = asker.send(outcome);
                }
            }
        }
    };
    log::info!("{name}: ending");
    notify(&[NotifyState::Stopping]);
    // Before the lock goes: the next instance makes a socket of the same name.
    if let Some(socket) = socket {
        socket.abort();
        let _ = socket.await;
    }
    end(loaded, plan.unload_on_exit)
}

fn without(error: &Error) {
    log::warn!("`explain` and `events` will lack things: {}", error.whole());
}

/// Has the history written. Packets are handled without it too.
fn remember(loaded: &Loaded, mut events: Events) -> Rc<Events> {
    if let Err(e) = listen::seed(events.history(), &loaded.maps) {
        without(&e);
    }
    let ring = loaded.objects.first().map(|object| object.map(map::EVENTS));
    let ring = ring.unwrap_or(Err(Error::ObjectLacks(map::EVENTS)));
    if let Err(e) = ring.and_then(|ring| events.listen_to(ring)) {
        without(&e);
    }
    let events = Rc::new(events);
    let running = Rc::clone(&events).run();
    task::spawn_local(async move {
        let Err(e) = running.await;
        without(&e);
    });
    events
}

/// Has the history asked for. Gives the task that answers.
fn answer(
    loaded: &Loaded,
    config: &Config,
    events: &Rc<Events>,
    reload: mpsc::Sender<oneshot::Sender<reload::Outcome>>,
) -> Option<task::JoinHandle<()>> {
    match ControlSocket::bind(&config.pin_path) {
        Ok(socket) => {
            let surroundings = Rc::new(Surroundings {
                events: Rc::clone(events),
                maps: Rc::clone(&loaded.maps),
                reload,
            });
            Some(task::spawn_local(socket.serve(surroundings)))
        }
        Err(e) => {
            without(&e);
            None
        }
    }
}

fn end(loaded: Loaded, unload_on_exit: bool) -> Result<()> {
    if !unload_on_exit {
        log::info!("the data path stays: `ftp-nat unload` removes it");
        return Ok(());
    }
    if drain::is_on(&loaded.maps)? {
        log::info!("the data path stays: `ftp-nat unload` is draining it");
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

/// Keeps the maps tidy and true, and the programs where they belong. A sweep of
/// large tables takes its time, so it is made a page at a time: links that change
/// meanwhile are looked at between two pages.
async fn maintain_forever(
    loaded: &mut Loaded,
    watch: &mut Watch,
    messages: &mut Messages,
    events: &Events,
) -> std::convert::Infallible {
    let mut interval = time::interval(MAINTENANCE_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sweep: Option<Sweep> = None;
    loop {
        let is_due = tokio::select! {
            // Also without a change that was told: a filter can be removed unseen.
            _ = interval.tick(), if sweep.is_none() => true,
            changed = watch.changed() => {
                if let Err(e) = changed {
                    log::error!("{}", e.whole());
                    time::sleep(MAINTENANCE_INTERVAL).await;
                }
                false
            }
            () = task::yield_now(), if sweep.is_some() => {
                sweep.take_if(|sweep| sweep_a_page(sweep, &loaded.maps, events));
                continue;
            }
        };
        match loaded.follow_interfaces() {
            Ok(new) => new
                .into_iter()
                .for_each(|at| messages.forward(&mut loaded.objects[at])),
            Err(e) => log::error!("{}", e.whole()),
        }
        if !is_due {
            // Changes come in crowds.
            time::sleep(CROWD).await;
            continue;
        }
        if let Err(e) = loaded.forget_interfaces() {
            log::error!("{}", e.whole());
        }
        sweep = Some(Sweep::default());
    }
}

/// Goes on with a sweep. Gives whether it is over.
fn sweep_a_page(sweep: &mut Sweep, maps: &Maps, events: &Events) -> bool {
    let now_ns = clock::monotonic_ns();
    let swept = sweep.step(maps, &mut events.traffic().lock(), now_ns, PAGE);
    events.add(&sweep.events());
    match swept {
        Ok(None) => return false,
        Ok(Some(swept)) if swept != Swept::default() => log::debug!("swept {swept:?}"),
        Ok(Some(_)) => {}
        Err(e) => log::error!("sweeping: {}", e.whole()),
    }
    true
}

/// The tasks that forward the messages of the objects' programs to the log.
#[derive(Default)]
struct Messages(Vec<JoinHandle<()>>);

impl Messages {
    fn forward(&mut self, object: &mut Object) {
        let Some(logger) = object.logger() else {
            return;
        };
        // SAFETY: the logger owns the ring buffer's descriptor, which stays open and
        // the same while the logger lives.
        let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
        let mut logger = match logger {
            Ok(logger) => logger,
            Err(e) => return log::warn!("messages of the kernel side will be missing: {e}"),
        };
        self.0.push(tokio::spawn(async move {
            while let Ok(mut guard) = logger.readable_mut().await {
                guard.get_inner_mut().flush();
                guard.clear_ready();
            }
        }));
    }

    /// The former objects are gone: these are there now.
    fn replace(&mut self, objects: &mut [Object]) {
        self.0.drain(..).for_each(|task| task.abort());
        objects.iter_mut().for_each(|object| self.forward(object));
    }
}
