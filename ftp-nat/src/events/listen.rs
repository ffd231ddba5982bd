//! Reading the ring buffer of the kernel side.

use std::{
    cell::RefCell,
    os::fd::{AsFd as _, OwnedFd},
    rc::Rc,
    time::Duration,
};

use aya::maps::{Map, MapData, RingBuf};
use ftp_nat_common::{
    event::{Event, SHORT},
    layout::{map, size},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time,
};

use super::{Clock, Ends, Entry, SessionId};
use crate::{
    error::{Error, Result},
    history::History,
    maps::Maps,
    traffic,
};

/// Records that are read before others have their turn.
const AT_ONCE: usize = 512;

/// So many times that is all that the ring buffer can hold.
const ROUNDS: usize = size::EVENTS as usize / SHORT / AT_ONCE;

/// How long what happens is left in the ring buffer. While something is in there
/// unread, the kernel wakes nobody for what is added (`kernel/bpf/ringbuf.c`,
/// `bpf_ringbuf_commit`): one wake-up for all of this time, in place of one for
/// every record, which would cost a transfer more than its packets do. Only a
/// ring buffer that is half full wakes again.
const GATHERING: Duration = Duration::from_millis(20);

/// What happens, on its way into the history.
pub struct Events {
    /// Those of the kernel side, where they can be read.
    ring: Option<RefCell<RingBuf<MapData>>>,
    history: Rc<RefCell<History>>,
    traffic: traffic::Shared,
    maps: Rc<Maps>,
}

impl Events {
    /// None yet.
    pub const fn new(
        history: Rc<RefCell<History>>,
        traffic: traffic::Shared,
        maps: Rc<Maps>,
    ) -> Self {
        Self {
            ring: None,
            history,
            traffic,
            maps,
        }
    }

    /// From now on, those of the ring buffer `events` too.
    pub fn listen_to(&mut self, events: MapData) -> Result<()> {
        let ring = RingBuf::try_from(Map::RingBuf(events))
            .map_err(|e| reading(std::io::Error::other(e)))?;
        self.ring = Some(RefCell::new(ring));
        Ok(())
    }

    /// The history.
    pub const fn history(&self) -> &Rc<RefCell<History>> {
        &self.history
    }

    /// The bytes of data connections.
    pub const fn traffic(&self) -> &traffic::Shared {
        &self.traffic
    }

    /// Takes some of what the kernel side has told, and gives whether that was all.
    pub fn take(&self) -> bool {
        let Some(ring) = &self.ring else {
            return true;
        };
        let clock = Clock::now();
        let mut ring = ring.borrow_mut();
        for _ in 0..AT_ONCE {
            let Some(bytes) = ring.next() else {
                return true;
            };
            if let Some(event) = Event::read(&bytes) {
                self.one(&event, &clock);
            }
        }
        false
    }

    /// Takes what userspace did, behind what led to it.
    pub fn add(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        for _ in 0..ROUNDS {
            if self.take() {
                break;
            }
        }
        let clock = Clock::now();
        events.iter().for_each(|event| self.one(event, &clock));
    }

    fn one(&self, event: &Event, clock: &Clock) {
        self.traffic.lock().take(event);
        take(event, clock, &self.history, &self.maps);
    }

    /// Takes all that has happened until now, before it is asked for.
    pub async fn catch_up(&self) {
        for _ in 0..ROUNDS {
            if self.take() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes what the kernel side tells, for ever. Within a tokio runtime.
    pub async fn run(self: Rc<Self>) -> Result<std::convert::Infallible> {
        let Some(ring) = &self.ring else {
            return std::future::pending().await;
        };
        // Another name of the same ring buffer: who is asked meanwhile reads it too.
        let ready = ring.borrow().as_fd().try_clone_to_owned();
        let ready = ready.map_err(reading)?;
        // SAFETY: the descriptor is its own, open and the same while it lives.
        let ready = unsafe { AsyncFd::register_with_interest(ready, Interest::READABLE) };
        let ready = ready.map_err(|e| reading(e.into()))?;
        loop {
            woken(&ready).await.map_err(reading)?;
            // The second one says that there is much of it.
            if let Ok(early) = time::timeout(GATHERING, woken(&ready)).await {
                early.map_err(reading)?;
            }
            while !self.take() {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Waits until the kernel says that there is something in a ring buffer.
async fn woken(ready: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    ready.readable().await?.clear_ready();
    Ok(())
}

fn reading(error: std::io::Error) -> Error {
    Error::io(format!("reading ring buffer {}", map::EVENTS))(error)
}

/// Puts an event into the history. Of a session that isn't in there, because the
/// event of its beginning was lost or has given way, the table tells who talks.
fn take(event: &Event, clock: &Clock, history: &RefCell<History>, maps: &Maps) {
    let Some(entry) = Entry::of(event, clock) else {
        log::debug!("an event that isn't known: {event:?}");
        return;
    };
    let mut history = history.borrow_mut();
    if let Some(id) = entry.session
        && !history.knows(id)
        && !matches!(entry.what, super::Happening::SessionLearned { .. })
        && let Ok(Some(session)) = maps.sessions.get(&id.0)
    {
        history.seed(id, Ends::of(&session), clock.at(session.made_ns));
    }
    history.note(entry);
}

/// Puts the sessions that there are into the history.
pub fn seed(history: &RefCell<History>, maps: &Maps) -> Result<()> {
    let clock = Clock::now();
    let mut all = maps.sessions.all()?;
    all.retain(|(_, session)| !session.expired(clock.now_ns));
    all.sort_by_key(|(_, session)| session.last_ns);
    let mut history = history.borrow_mut();
    for (id, session) in all {
        history.seed(SessionId(id), Ends::of(&session), clock.at(session.made_ns));
    }
    Ok(())
}
