//! `translations`: announced data connections, pending and active.

use std::{cmp::Reverse, collections::HashMap, net::SocketAddr};

use ftp_nat_common::{
    addr::Tuple,
    translation::{
        Expectation, ExpectationKey, FLOW_ESTABLISHED, FLOW_FIN, FLOW_FORWARD, FLOW_PEER_FIN,
        FLOW_RST, FLOW_STACK, Flow, Kind,
    },
};
use serde::Serialize;

use super::{
    Context, SCHEMA, endpoint,
    ends::{Name, Peer},
};
use crate::{
    error::Result,
    events::{SessionId, words::By},
    maps::Maps,
};

/// Which ones to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those whose data connection has not come yet.
    Pending,
    /// Those whose data connection came.
    Active,
}

/// The output of `translations`.
#[derive(Clone, Debug, Serialize)]
pub struct Translations {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Oldest first.
    pub translations: Vec<Translation>,
}

/// An announced data connection.
#[derive(Clone, Debug, Serialize)]
pub struct Translation {
    /// `pending`, `connecting`, `established`, `closing` or `reset`.
    pub state: &'static str,
    /// The session that announced it.
    pub session: SessionId,
    /// How: `PORT`, `EPRT`, `227` or `229`.
    pub announcement: &'static str,
    /// By whom: `client` or `server`.
    pub announced_by: &'static str,
    /// The announcer's own address and port: what it said.
    pub announced: SocketAddr,
    /// What the other end was told instead.
    pub became: SocketAddr,
    /// Who connects. Only the address is known while it is pending.
    pub peer: Peer,
    /// The peer as the announcer sees it.
    pub peer_seen: Peer,
    /// `redirect` or `stack`; `null` while pending, for it is decided when the
    /// connection comes.
    pub path: Option<&'static str>,
    /// The interface the announcer is behind.
    pub announcer_interface: Option<Name>,
    /// The interface the peer is behind.
    pub peer_interface: Option<Name>,
    /// The network the announcer is in; `null` where networks don't overlap.
    pub announcer_domain: Option<Name>,
    /// The network the peer is in; `null` where networks don't overlap.
    pub peer_domain: Option<Name>,
    /// Since the announcement while pending, since the SYN afterwards.
    pub age_ms: u64,
    /// Since the last packet; `null` while pending.
    pub idle_ms: Option<u64>,
    /// Until it is given up, if nothing comes.
    pub expires_in_ms: u64,
    /// Bytes of IP packets from the announcer to the peer.
    pub bytes_from_announcer: u64,
    /// Bytes of IP packets from the peer to the announcer.
    pub bytes_to_announcer: u64,
    /// Packets from the announcer.
    pub packets_from_announcer: u64,
    /// Packets to the announcer.
    pub packets_to_announcer: u64,
}

/// Reads them. What has expired and waits for the sweep is left out.
pub fn collect(maps: &Maps, context: &Context, which: Which) -> Result<Translations> {
    let (mut waiting, mut flows, mut timeout_ns) = (Vec::new(), Vec::new(), 0);
    if which != Which::Active {
        let settings = maps.settings.get(&0)?;
        timeout_ns = settings.map_or(0, |settings| settings.expect_timeout_ns);
        waiting = maps.expectations.all()?;
    }
    if which != Which::Pending {
        flows = maps.flows.all()?;
    }
    Ok(of(&waiting, timeout_ns, flows, context))
}

/// Those of the tables' entries.
#[must_use]
pub fn of(
    waiting: &[(ExpectationKey, Expectation)],
    timeout_ns: u64,
    flows: Vec<(Tuple, Flow)>,
    context: &Context,
) -> Translations {
    let flows: HashMap<Tuple, Flow> = flows.into_iter().collect();
    let pending = waiting
        .iter()
        .filter_map(|(key, e)| pending(key, e, timeout_ns, context));
    let active = flows
        .iter()
        .filter_map(|(key, flow)| active(key, flow, &flows, context));
    let mut found: Vec<_> = pending.chain(active).collect();
    found.sort_by_key(|t| (Reverse(t.age_ms), t.became));
    Translations {
        schema: SCHEMA,
        translations: found,
    }
}

fn pending(
    key: &ExpectationKey,
    expectation: &Expectation,
    timeout_ns: u64,
    context: &Context,
) -> Option<Translation> {
    let age_ms = context.ms_since(expectation.made_ns);
    Some(Translation {
        state: "pending",
        session: SessionId(expectation.session),
        announcement: Kind::from_byte(expectation.kind).name(),
        announced_by: By::role(expectation.role).name(),
        announced: endpoint(expectation.near, expectation.near_port),
        became: endpoint(key.addr, key.port),
        peer: expectation.far_real.to_ip().into(),
        peer_seen: expectation.far_seen.to_ip().into(),
        path: None,
        announcer_interface: context.interface(expectation.near_ifindex),
        peer_interface: context.interface(expectation.far_ifindex),
        announcer_domain: context.domain(expectation.near_domain),
        peer_domain: context.domain(key.domain),
        age_ms,
        idle_ms: None,
        expires_in_ms: (timeout_ns / 1_000_000).checked_sub(age_ms)?,
        bytes_from_announcer: 0,
        bytes_to_announcer: 0,
        packets_from_announcer: 0,
        packets_to_announcer: 0,
    })
}

/// The translation of a data connection, given its flow in the SYN's direction.
fn active(
    key: &Tuple,
    flow: &Flow,
    flows: &HashMap<Tuple, Flow>,
    context: &Context,
) -> Option<Translation> {
    if flow.flags & FLOW_FORWARD == 0 {
        return None;
    }
    let reply = flows.get(&flow.to.reversed()).copied().unwrap_or_default();
    let left = |flow: &Flow| {
        (flow.idle_limit_ns() / 1_000_000).checked_sub(context.ms_since(flow.last_ns))
    };
    // The connection lives while either direction does.
    let expires_in_ms = left(flow).max(left(&reply).filter(|_| reply.last_ns != 0))?;
    let flags = flow.flags | reply.flags;
    Some(Translation {
        state: match () {
            () if flags & FLOW_RST != 0 => "reset",
            () if flags & (FLOW_FIN | FLOW_PEER_FIN) != 0 => "closing",
            () if flags & FLOW_ESTABLISHED != 0 => "established",
            () => "connecting",
        },
        session: SessionId(flow.session),
        announcement: Kind::from_byte(flow.kind).name(),
        announced_by: By::role(flow.role).name(),
        announced: endpoint(flow.to.dst, flow.to.dport),
        became: endpoint(key.dst, key.dport),
        peer: endpoint(key.src, key.sport).into(),
        peer_seen: endpoint(flow.to.src, flow.to.sport).into(),
        path: Some(if flow.flags & FLOW_STACK == 0 {
            "redirect"
        } else {
            "stack"
        }),
        announcer_interface: context.interface(flow.out_ifindex),
        peer_interface: context.interface(reply.out_ifindex),
        announcer_domain: context.domain(flow.to.domain),
        peer_domain: context.domain(key.domain),
        age_ms: context.ms_since(flow.made_ns),
        idle_ms: Some(context.ms_since(flow.last_ns.max(reply.last_ns))),
        expires_in_ms,
        bytes_from_announcer: reply.bytes,
        bytes_to_announcer: flow.bytes,
        packets_from_announcer: reply.packets,
        packets_to_announcer: flow.packets,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use ftp_nat_common::{
        addr::{Addr, Port},
        translation::SECOND,
    };

    use super::*;
    use crate::view::sessions::tests::context;

    const CLIENT: Addr = Addr::from_v4([10, 10, 0, 1]);
    const GATEWAY: Addr = Addr::from_v4([61, 144, 1, 2]);
    const SERVER: Addr = Addr::from_v4([61, 144, 1, 100]);

    /// A masqueraded client's PORT, once pending and once with its connection.
    pub(crate) fn sample() -> Maps {
        let maps = Maps::in_memory(&[]);
        let key = ExpectationKey {
            addr: GATEWAY,
            port: Port::new(5001),
            ..Default::default()
        };
        let waiting = Expectation {
            made_ns: 11 * SECOND,
            session: 7,
            near: CLIENT,
            far_real: SERVER,
            far_seen: SERVER,
            near_ifindex: 2,
            far_ifindex: 2,
            near_port: Port::new(4001),
            kind: Kind::Port as u8,
            ..Expectation::default()
        };
        maps.expectations.set(&key, &waiting).unwrap();
        let tuple = |src, sport, dst, dport| Tuple {
            src,
            dst,
            sport: Port::new(sport),
            dport: Port::new(dport),
            domain: 0,
        };
        let outside = tuple(SERVER, 20, GATEWAY, 5000);
        let inside = tuple(SERVER, 20, CLIENT, 4000);
        let flow = Flow {
            last_ns: 12 * SECOND,
            made_ns: 10 * SECOND,
            packets: 5,
            bytes: 500,
            session: 7,
            to: inside,
            out_ifindex: 2,
            flags: FLOW_FORWARD | FLOW_ESTABLISHED,
            kind: Kind::Port as u8,
            near_port: Port::new(4000),
            ..Flow::default()
        };
        maps.flows.set(&outside, &flow).unwrap();
        let reply = Flow {
            bytes: 90_000,
            to: outside.reversed(),
            flags: FLOW_ESTABLISHED,
            ..flow
        };
        maps.flows.set(&inside.reversed(), &reply).unwrap();
        maps
    }

    #[test]
    fn a_translation_is_told_from_both_of_its_flows() {
        let all = collect(&sample(), &context(), Which::All)
            .unwrap()
            .translations;
        let [active, pending] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!((active.state, active.announcement), ("established", "PORT"));
        assert_eq!((active.path, pending.path), (Some("redirect"), None));
        assert_eq!(active.announced.to_string(), "10.10.0.1:4000");
        assert_eq!(active.became.to_string(), "61.144.1.2:5000");
        assert_eq!(active.peer.to_string(), "61.144.1.100:20");
        assert_eq!(
            (active.bytes_from_announcer, active.bytes_to_announcer),
            (90_000, 500)
        );
        assert_eq!((active.age_ms, active.idle_ms), (3000, Some(1000)));
        assert_eq!((pending.state, pending.announced_by), ("pending", "client"));
        assert_eq!(pending.announced.to_string(), "10.10.0.1:4001");
        assert_eq!(pending.expires_in_ms, 58_000);
    }

    #[test]
    fn only_what_is_asked_for_is_shown() {
        let states = |which| -> Vec<_> {
            let found = collect(&sample(), &context(), which).unwrap();
            found.translations.iter().map(|t| t.state).collect()
        };
        assert_eq!(states(Which::Pending), ["pending"]);
        assert_eq!(states(Which::Active), ["established"]);
    }

    #[test]
    fn what_has_run_out_is_not_shown() {
        let later = Context {
            now_ns: 100_000 * SECOND,
            ..context()
        };
        assert!(
            collect(&sample(), &later, Which::All)
                .unwrap()
                .translations
                .is_empty()
        );
    }
}
