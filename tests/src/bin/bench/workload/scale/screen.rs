//! `top` with many sessions: the processor time of a refresh, and of a key. Each
//! fifth session has a data connection.

use anyhow::{Context as _, Result, ensure};
use ftp_nat::{
    maps::Maps,
    top::{
        gather,
        model::{
            Model, Setting,
            keys::{Key, Wish},
        },
        reading::Ask,
        screen,
    },
};
use ftp_nat_common::{
    addr::{Port, Tuple},
    session::{CLIENT, SERVER, Session},
    translation::{FLOW_ESTABLISHED, FLOW_FORWARD, Flow, Kind},
};
use ftp_nat_tests::lab::ftp_nat::FtpNat;
use nix::time::{ClockId, clock_gettime};
use ratatui::{Terminal, backend::TestBackend};

use crate::{
    report::Case,
    turns::{Effort, alternate},
};

const READING: &str = "a refresh: reading the tables";
const TAKING: &str = "a refresh: into the model";
const DRAWING: &str = "a refresh: drawing 120x40";
const SORTING: &str = "a key: another order";
const FILTERING: &str = "a key: one more letter of a filter";

/// The figures.
pub fn run(effort: &Effort, helper: &FtpNat, maps: &Maps, sessions: &[Session]) -> Result<Case> {
    for session in sessions.iter().step_by(5) {
        connect(maps, session)?;
    }
    let mut model = Model::new(Setting {
        pin_path: helper.pin_path().clone(),
        interval: std::time::Duration::from_secs(1),
        ascii: false,
        color: true,
        zone: jiff::tz::TimeZone::UTC,
    });
    let mut terminal = Terminal::new(TestBackend::new(120, 40))?;
    let mut read = None;
    let labels = [READING, TAKING, DRAWING, SORTING, FILTERING];
    let series = alternate(effort, &labels, |n| {
        if n == 4 {
            press(&mut model, '/')?;
        }
        let before = spent()?;
        match n {
            0 => {
                let ask = Ask {
                    tables: true,
                    ..model.ask(true)
                };
                read = Some(gather::read(helper.pin_path(), &ask));
            }
            1 => model.take(read.take().context("nothing was read")?),
            2 => {
                terminal.draw(|frame| {
                    screen::fit(&mut model, frame.area());
                    screen::draw(frame, &model);
                })?;
            }
            3 => press(&mut model, 's')?,
            _ => press(&mut model, '1')?,
        }
        let took = spent()? - before;
        ensure!(
            n == 4 || model.sessions.len() == sessions.len() || read.is_some(),
            "{} sessions are on the screen",
            model.sessions.len()
        );
        if n == 4 {
            model.key(Key::Escape);
        }
        Ok(took)
    })?;
    let name = format!("scale: top, of {} sessions", sessions.len());
    Ok(Case::new(name, "ms of a processor", series).print())
}

/// Milliseconds of a processor that this thread has used.
fn spent() -> Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(time.tv_sec() as f64 * 1e3 + time.tv_nsec() as f64 / 1e6)
}

fn press(model: &mut Model, letter: char) -> Result<()> {
    ensure!(model.key(Key::Letter(letter)) == Wish::None, "{letter}");
    Ok(())
}

/// The session's client has announced by PORT, and the server has come.
fn connect(maps: &Maps, session: &Session) -> Result<()> {
    let outside = Tuple {
        src: session.real[SERVER],
        dst: session.seen[CLIENT],
        sport: Port::new(20),
        dport: session.seen_port[CLIENT],
        domain: 0,
    };
    let inside = Tuple {
        dst: session.real[CLIENT],
        dport: session.real_port[CLIENT],
        ..outside
    };
    let there = Flow {
        last_ns: session.last_ns,
        made_ns: session.last_ns,
        session: session.id,
        to: inside,
        flags: FLOW_FORWARD | FLOW_ESTABLISHED,
        kind: Kind::Port as u8,
        near_port: inside.dport,
        ..Flow::default()
    };
    let back = Flow {
        to: outside.reversed(),
        flags: FLOW_ESTABLISHED,
        ..there
    };
    maps.flows.set(&outside, &there)?;
    maps.flows
        .set(&inside.reversed(), &back)
        .map_err(Into::into)
}
