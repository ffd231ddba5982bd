//! Bytes and packets of data connections, since `run` was started: what the
//! metrics say of them.
//!
//! The kernel side counts in its flows, which go when their connections are
//! over. So the sweep, which walks through them anyway, takes what was added
//! since the last walk, and the event of a connection's end what was added since
//! then. The flows of one that ended are met by some more walks, and its ports may
//! be those of another one meanwhile. Nothing is taken twice, and no number ever
//! becomes smaller.

use std::{
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::HashMap;
use ftp_nat_common::{
    addr::{Addr, Port, Tuple},
    event::{Event, What},
    translation::{FLOW_FORWARD, Flow, Kind},
};

use crate::events::words::By;

/// How many packets, and bytes of IP packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Packets; a large one may stand for many on the wire.
    pub packets: u64,
    /// Bytes of IP packets, headers included.
    pub bytes: u64,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, more: Self) {
        self.packets = self.packets.saturating_add(more.packets);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// Where to, and in which mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// To the client: a download. Else an upload.
    pub to_client: bool,
    /// The client announced. Else the server did.
    pub active: bool,
}

impl Class {
    /// All, in the order of [`Totals`].
    pub const ALL: [Self; 4] = [
        Self::of(true, true),
        Self::of(true, false),
        Self::of(false, true),
        Self::of(false, false),
    ];

    const fn of(to_client: bool, active: bool) -> Self {
        Self { to_client, active }
    }

    const fn place(self) -> usize {
        2 * !self.to_client as usize + !self.active as usize
    }

    /// As the label `direction` has it.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        if self.to_client {
            "to_client"
        } else {
            "to_server"
        }
    }

    /// As the label `mode` has it.
    #[must_use]
    pub const fn mode(self) -> &'static str {
        if self.active { "active" } else { "passive" }
    }
}

/// An amount for each of [`Class::ALL`].
pub type Totals = [Amount; 4];

/// One direction of a data connection. Of what an event says of it too, so
/// without the network, which the session stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Direction {
    session: u64,
    src: Addr,
    dst: Addr,
    sport: Port,
    dport: Port,
}

/// What was taken of a direction.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// Its flow was made by then. One that was made later is of another connection.
    made_by_ns: u64,
    /// The connection's end was told.
    ended: bool,
    amount: Amount,
    /// The walk that it was last seen in.
    walk: u64,
}

/// The totals, and what they were made of.
#[derive(Debug, Default)]
pub struct Traffic {
    totals: Totals,
    taken: HashMap<Direction, Taken>,
    walk: u64,
    /// What was made before is another one's to count.
    since_ns: u64,
}

/// The traffic, for those who write and those who read it.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<Traffic>>);

impl Shared {
    /// From now on.
    #[must_use]
    pub fn since(now_ns: u64) -> Self {
        Self(Arc::new(Mutex::new(Traffic {
            since_ns: now_ns,
            ..Traffic::default()
        })))
    }

    /// For a moment.
    pub fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    /// What there was so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Looks at a flow. Of one that is older than this was begun only counts what
    /// comes from the first look on.
    pub fn look(&mut self, key: &Tuple, flow: &Flow) {
        let direction = Direction {
            session: flow.session,
            src: key.src,
            dst: key.dst,
            sport: key.sport,
            dport: key.dport,
        };
        let now = Amount {
            packets: flow.packets,
            bytes: flow.bytes,
        };
        let to_announcer = flow.flags & FLOW_FORWARD != 0;
        let class = class(flow.role, flow.kind, to_announcer);
        let known = self.taken.get(&direction).copied();
        let known = known.filter(|taken| flow.made_ns <= taken.made_by_ns);
        let taken = known.unwrap_or_else(|| Taken {
            made_by_ns: flow.made_ns,
            ended: false,
            amount: if flow.made_ns < self.since_ns {
                now
            } else {
                Amount::default()
            },
            walk: self.walk,
        });
        self.add(direction, class, taken, now);
    }

    /// Takes what an event says of a connection that ended, and makes way for one
    /// that begins.
    pub fn take(&mut self, event: &Event) {
        // The ring buffer may hold what nobody read before this was begun.
        if event.at_ns < self.since_ns {
            return;
        }
        // As it comes to the announcer, and as its answers do.
        let directions = [[0, 1], [3, 2]].map(|[src, dst]| Direction {
            session: event.session,
            src: event.addr[src],
            dst: event.addr[dst],
            sport: event.port[src],
            dport: event.port[dst],
        });
        match event.what() {
            Some(What::DataOpened) => {
                for direction in directions {
                    // One that hasn't ended is this one: a walk met it first.
                    if self.taken.get(&direction).is_some_and(|t| t.ended) {
                        self.taken.remove(&direction);
                    }
                }
            }
            Some(What::DataEnded) => self.end(event, directions),
            _ => {}
        }
    }

    fn end(&mut self, event: &Event, directions: [Direction; 2]) {
        for (direction, to_announcer) in directions.into_iter().zip([true, false]) {
            let at = usize::from(to_announcer);
            let known = self.taken.get(&direction);
            let (made_by_ns, before) =
                known.map_or((0, Amount::default()), |t| (t.made_by_ns, t.amount));
            // An event has the lower half of the number of packets. A walk may have met
            // more of them, before it was read.
            let more = event.packets[at].wrapping_sub(before.packets as u32);
            let more = u64::try_from(more.cast_signed()).unwrap_or(0);
            let now = Amount {
                packets: before.packets + more,
                bytes: event.bytes[at],
            };
            let taken = Taken {
                made_by_ns: made_by_ns.max(event.at_ns),
                ended: true,
                amount: before,
                walk: self.walk,
            };
            let class = class(event.role, event.form, to_announcer);
            self.add(direction, class, taken, now);
        }
    }

    /// Adds what there is more `now` than was taken.
    fn add(&mut self, at: Direction, class: Class, taken: Taken, now: Amount) {
        let before = taken.amount;
        // A page of the walk may be older than an event, and the other way round.
        let amount = Amount {
            packets: now.packets.max(before.packets),
            bytes: now.bytes.max(before.bytes),
        };
        self.totals[class.place()] += Amount {
            packets: amount.packets - before.packets,
            bytes: amount.bytes - before.bytes,
        };
        let walk = self.walk;
        self.taken.insert(
            at,
            Taken {
                amount,
                walk,
                ..taken
            },
        );
    }

    /// All flows were looked at. What was in neither of two walks is gone.
    pub fn end_of_walk(&mut self) {
        let walk = self.walk;
        self.taken.retain(|_, taken| taken.walk + 1 >= walk);
        self.walk += 1;
    }
}

fn class(role: u8, kind: u8, to_announcer: bool) -> Class {
    let by_client = By::role(role) == By::Client;
    Class {
        to_client: by_client == to_announcer,
        active: Kind::from_byte(kind).is_active_mode(),
    }
}

#[cfg(test)]
mod tests;
