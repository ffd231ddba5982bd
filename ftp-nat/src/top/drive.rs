//! The loop: readings, keys and signals go to the model, and it is drawn.

use std::{sync::mpsc, thread, time::Instant};

use anyhow::{Context as _, Result, bail};
use ratatui::crossterm::event::{self, Event};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{Receiver, Sender, channel},
};

use super::{
    gather,
    model::{Model, Setting, keys::Wish},
    reading::{Ask, Reading},
    screen,
    terminal::{self, Screen},
};

/// What comes in.
enum Input {
    Read(Box<Reading>),
    Event(Event),
    /// Nothing comes from the terminal any more.
    NoKeys(std::io::Error),
}

/// Shows it until it is to end. Fails where nobody serves the data path, before the
/// terminal is touched.
pub fn run(setting: Setting) -> Result<()> {
    gather::told(&setting.pin_path, &Ask::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting")?;
    runtime.block_on(drive(setting))
}

async fn drive(setting: Setting) -> Result<()> {
    let mut signals = Signals::new().context("catching signals")?;
    let (asks, to_read) = mpsc::channel::<Ask>();
    let (tell, mut inputs) = channel(64);
    let path = setting.pin_path.clone();
    let mut screen = Screen::enter().context("the terminal")?;
    thread_of("read", tell.clone(), move |tell| {
        for ask in to_read {
            let reading = gather::read(&path, &ask);
            if tell.blocking_send(Input::Read(Box::new(reading))).is_err() {
                return;
            }
        }
    })?;
    thread_of("keys", tell, keys)?;

    let mut model = Model::new(setting);
    let (mut due, mut busy) = (Instant::now(), false);
    loop {
        screen
            .draw(|frame| {
                screen::fit(&mut model, frame.area());
                screen::draw(frame, &model);
            })
            .context("drawing")?;
        if !busy {
            let now = Instant::now();
            let is_due = now >= due && !model.paused;
            let ask = model.ask(is_due);
            if is_due || model.is_curious(&ask) {
                asks.send(ask).context("the thread that reads has ended")?;
                busy = true;
            }
            if is_due {
                due = now + model.interval();
            }
        }
        let wish = tokio::select! {
            end = signals.next() => end,
            input = inputs.recv() => take_all(input, &mut inputs, &mut model, &mut busy)?,
            () = tokio::time::sleep_until(due.into()), if !busy && !model.paused => Wish::None,
        };
        match wish {
            Wish::None => {}
            Wish::Quit => return Ok(()),
            Wish::Suspend => screen.suspend().context("the terminal")?,
            Wish::Redraw => screen.redraw().context("the terminal")?,
            Wish::Read => due = Instant::now(),
        }
    }
}

/// Takes an input and all that have come with it, so that much typing isn't much
/// drawing. One that the loop has to do something for is the last.
fn take_all(
    first: Option<Input>,
    inputs: &mut Receiver<Input>,
    model: &mut Model,
    busy: &mut bool,
) -> Result<Wish> {
    let mut next = first;
    while let Some(input) = next {
        match input {
            Input::Read(reading) => {
                *busy = false;
                model.take(*reading);
            }
            Input::Event(event) => {
                let wish = terminal::key(&event).map_or(Wish::None, |key| model.key(key));
                if wish != Wish::None {
                    return Ok(wish);
                }
            }
            Input::NoKeys(error) => return Err(error).context("reading keys"),
        }
        next = match inputs.try_recv() {
            Ok(input) => Some(input),
            Err(tokio::sync::mpsc::error::TryRecvError::Empty) => return Ok(Wish::None),
            Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => None,
        };
    }
    bail!("nothing is read any more")
}

fn keys(tell: &Sender<Input>) {
    loop {
        let input = match event::read() {
            Ok(event) => Input::Event(event),
            Err(e) => {
                let _ = tell.blocking_send(Input::NoKeys(e));
                return;
            }
        };
        if tell.blocking_send(input).is_err() {
            return;
        }
    }
}

fn thread_of(
    name: &str,
    tell: Sender<Input>,
    work: impl FnOnce(&Sender<Input>) + Send + 'static,
) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(&tell))
        .context("starting a thread")?;
    Ok(())
}

/// The signals that end a program, and the one that stops it.
struct Signals {
    ends: [Signal; 4],
    stop: Signal,
}

impl Signals {
    /// From now on they do nothing by themselves.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            ends: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ],
            stop: signal(SignalKind::from_raw(libc::SIGTSTP))?,
        })
    }

    async fn next(&mut self) -> Wish {
        let [interrupt, terminate, hang_up, quit] = &mut self.ends;
        tokio::select! {
            _ = interrupt.recv() => Wish::Quit,
            _ = terminate.recv() => Wish::Quit,
            _ = hang_up.recv() => Wish::Quit,
            _ = quit.recv() => Wish::Quit,
            _ = self.stop.recv() => Wish::Suspend,
        }
    }
}
