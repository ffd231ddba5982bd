//! Reading the ring buffer of the kernel side.

use std::{cell::RefCell, rc::Rc};

use aya::maps::{Map, MapData, RingBuf};
use ftp_nat_common::{event::Event, layout::map};
use tokio::io::{Interest, unix::AsyncFd};

use super::{Clock, Ends, Entry, SessionId};
use crate::{
    error::{Error, Result},
    history::History,
    maps::Maps,
    traffic,
};

/// Records that are read before others have their turn.
const AT_ONCE: usize = 512;

/// The events of the kernel side, on their way into the history.
pub struct Listener {
    ring: AsyncFd<RingBuf<MapData>>,
    history: Rc<RefCell<History>>,
    traffic: traffic::Shared,
    maps: Rc<Maps>,
}

impl Listener {
    /// Reads the ring buffer `events`. Within a tokio runtime.
    pub fn new(
        events: MapData,
        history: Rc<RefCell<History>>,
        traffic: traffic::Shared,
        maps: Rc<Maps>,
    ) -> Result<Self> {
        let fail = || Error::io(format!("reading ring buffer {}", map::EVENTS));
        let ring = RingBuf::try_from(Map::RingBuf(events))
            .map_err(|e| fail()(std::io::Error::other(e)))?;
        // SAFETY: the ring buffer owns its map's descriptor, which stays open and
        // the same while it lives.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        let ring = ring.map_err(|e| fail()(std::io::Error::from(e)))?;
        Ok(Self {
            ring,
            history,
            traffic,
            maps,
        })
    }

    /// Reads for ever.
    pub async fn run(mut self) -> std::convert::Infallible {
        loop {
            let mut guard = match self.ring.readable_mut().await {
                Ok(guard) => guard,
                Err(e) => {
                    log::error!("events of the kernel side will be missing: {e}");
                    return std::future::pending().await;
                }
            };
            let ring = guard.get_inner_mut();
            let clock = Clock::now();
            let mut read = 0;
            while read < AT_ONCE
                && let Some(bytes) = ring.next()
            {
                read += 1;
                if let Some(event) = Event::read(&bytes) {
                    self.traffic.lock().take(&event);
                    take(&event, &clock, &self.history, &self.maps);
                }
            }
            if read < AT_ONCE {
                guard.clear_ready();
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Puts an event into the history. Of a session that isn't in there, because the
/// event of its beginning was lost or has given way, the table tells who talks.
pub fn take(event: &Event, clock: &Clock, history: &RefCell<History>, maps: &Maps) {
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
