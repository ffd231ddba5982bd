//! Bytes and packets of data connections, since `run` was started: what the
//! metrics say of them.
//!
//! The kernel side counts in its flows, which go when their connections are
//! over. So the sweep, which walks through them anyway, takes what was added
//! since the last walk, and the event of a connection's end what was added since
//! then. Nothing is taken twice, and no number ever becomes smaller.

use std::{
    collections::HashMap,
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ftp_nat_common::{
    addr::{Addr, Port, Tuple},
    event::{Event, What},
    session::CLIENT,
    translation::{FLOW_FORWARD, Flow, Kind},
};

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
    made_ns: u64,
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
        let known = self.taken.get(&direction);
        let before = match known.filter(|taken| taken.made_ns == flow.made_ns) {
            Some(taken) => taken.amount,
            None if flow.made_ns < self.since_ns => now,
            None => Amount::default(),
        };
        self.add(direction, class, flow.made_ns, before, now);
    }

    /// Takes what an event says of a connection that ended.
    pub fn take(&mut self, event: &Event) {
        if event.what() != Some(What::DataEnded) {
            return;
        }
        // As it came to the announcer, and as its answers did.
        let ends = [[0, 1], [3, 2]];
        for (n, [src, dst]) in ends.into_iter().enumerate() {
            let direction = Direction {
                session: event.session,
                src: event.addr[src],
                dst: event.addr[dst],
                sport: event.port[src],
                dport: event.port[dst],
            };
            let to_announcer = n == 0;
            let at = usize::from(to_announcer);
            let known = self.taken.get(&direction);
            let (made_ns, before) = known.map_or((0, Amount::default()), |t| (t.made_ns, t.amount));
            // An event has the lower half of the number of packets.
            let packets = event.packets[at].wrapping_sub(before.packets as u32);
            let now = Amount {
                packets: before.packets + u64::from(packets),
                bytes: event.bytes[at],
            };
            let class = class(event.role, event.form, to_announcer);
            self.add(direction, class, made_ns, before, now);
        }
    }

    fn add(&mut self, at: Direction, class: Class, made_ns: u64, before: Amount, now: Amount) {
        // A page of the walk may be older than an event.
        let now = Amount {
            packets: now.packets.max(before.packets),
            bytes: now.bytes.max(before.bytes),
        };
        self.totals[class.place()] += Amount {
            packets: now.packets - before.packets,
            bytes: now.bytes - before.bytes,
        };
        self.taken.insert(
            at,
            Taken {
                made_ns,
                amount: now,
                walk: self.walk,
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
    let by_client = usize::from(role & 1) == CLIENT;
    Class {
        to_client: by_client == to_announcer,
        active: Kind::from_byte(kind).is_active_mode(),
    }
}

#[cfg(test)]
mod tests;
