//! `sessions`: the control connections.

mod known;

use std::net::SocketAddr;

use ftp_nat_common::{
    addr::{Addr, Port},
    counter::Counter,
    seq::Seq,
    session::{
        CLIENT, SERVER, SESSION_ENCRYPTED, SESSION_FIN, SESSION_FIN_SERVER, SESSION_RST,
        SESSION_TRUSTED, Session,
    },
    translation::Kind,
};
use serde::Serialize;

pub use self::known::{DataMode, Flags};
use super::{Context, SCHEMA, endpoint, ends::Name};
use crate::{error::Result, events::SessionId, maps::Maps};

/// The output of `sessions`.
#[derive(Clone, Debug, Serialize)]
pub struct Sessions {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Oldest first.
    pub sessions: Vec<SessionView>,
}

/// A control connection.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    /// Its name.
    pub id: SessionId,
    /// The client.
    pub client: SocketAddr,
    /// The client as the server sees it.
    pub client_seen: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// The server as the client sees it: what it connected to.
    pub server_seen: SocketAddr,
    /// The interface the client is behind; `null` for the gateway itself.
    pub client_interface: Option<Name>,
    /// The interface the server is behind; `null` for the gateway itself.
    pub server_interface: Option<Name>,
    /// The network the client is in; `null` where networks don't overlap.
    pub client_domain: Option<Name>,
    /// The network the server is in; `null` where networks don't overlap.
    pub server_domain: Option<Name>,
    /// `open`, `closing` (one end sent FIN) or `closed`.
    pub state: &'static str,
    /// `active` or `passive`, by the last announcement that was followed.
    pub mode: Option<&'static str>,
    /// How its data connections are made, or why that isn't known.
    pub data_mode: DataMode,
    /// The last announcement: `PORT`, `EPRT`, `227` or `229`.
    pub announcement: Option<&'static str>,
    /// It may open pinholes.
    pub trusted: bool,
    /// It went over to TLS.
    pub encrypted: bool,
    /// Everything known of it; see `docs/json.md`.
    pub flags: Flags,
    /// Since it was learned.
    pub age_ms: u64,
    /// Since its last segment.
    pub idle_ms: u64,
    /// Announcements rewritten, or let through with a pinhole.
    pub announcements: u32,
    /// Announcements refused or passed unread.
    pub refusals: u32,
    /// Why the last one was: the name of a counter.
    pub last_refusal: Option<&'static str>,
    /// Data connections that came.
    pub data_connections: u32,
    /// By how much sequence numbers are shifted.
    pub shift: PerEnd<i32>,
    /// Bytes said on the control connection, modulo 2^32.
    pub control_bytes: PerEnd<u32>,
}

/// A value for each end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PerEnd<T> {
    /// Of what the client sends.
    pub client: T,
    /// Of what the server sends.
    pub server: T,
}

impl<T> PerEnd<T> {
    fn of(each: impl Fn(usize) -> T) -> Self {
        Self {
            client: each(CLIENT),
            server: each(SERVER),
        }
    }
}

/// Reads them. Those that have expired and wait for the sweep are left out.
pub fn collect(maps: &Maps, context: &Context) -> Result<Sessions> {
    Ok(of(&maps.sessions.all()?, context))
}

/// Those of the table's entries.
#[must_use]
pub fn of(all: &[(u64, Session)], context: &Context) -> Sessions {
    let lives = |(_, session): &&(u64, Session)| !session.expired(context.now_ns);
    // An entry is large: its place is what is sorted.
    let mut living: Vec<_> = all.iter().filter(lives).collect();
    living.sort_by_cached_key(|(id, session)| (session.made_ns, *id));
    let sessions = living
        .into_iter()
        .map(|(id, session)| view(*id, session, context))
        .collect();
    Sessions {
        schema: SCHEMA,
        sessions,
    }
}

fn view(id: u64, session: &Session, context: &Context) -> SessionView {
    let has = |flag: u32| session.flags & flag != 0;
    let kind = Kind::from_byte(session.last_kind);
    let announcement = Some(kind).filter(|kind| *kind != Kind::None);
    let fins = [SESSION_FIN, SESSION_FIN_SERVER]
        .into_iter()
        .filter(|fin| has(*fin))
        .count();
    let end =
        |addrs: &[Addr; 2], ports: &[Port; 2], role: usize| endpoint(addrs[role], ports[role]);
    SessionView {
        id: SessionId(id),
        client: end(&session.real, &session.real_port, CLIENT),
        client_seen: end(&session.seen, &session.seen_port, CLIENT),
        server: end(&session.real, &session.real_port, SERVER),
        server_seen: end(&session.seen, &session.seen_port, SERVER),
        client_interface: context.interface(session.ifindex[CLIENT]),
        server_interface: context.interface(session.ifindex[SERVER]),
        client_domain: context.domain(session.domain[CLIENT]),
        server_domain: context.domain(session.domain[SERVER]),
        state: match fins {
            _ if has(SESSION_RST) => "closed",
            0 => "open",
            1 => "closing",
            _ => "closed",
        },
        mode: announcement.map(|kind| {
            if kind.is_active_mode() {
                "active"
            } else {
                "passive"
            }
        }),
        data_mode: DataMode::of(session, announcement),
        announcement: announcement.map(Kind::name),
        trusted: has(SESSION_TRUSTED),
        encrypted: has(SESSION_ENCRYPTED),
        flags: Flags(session.flags),
        age_ms: context.ms_since(session.made_ns),
        idle_ms: context.ms_since(session.last_ns),
        announcements: session.announcements,
        refusals: session.refusals,
        last_refusal: refusal(session.last_refusal),
        data_connections: session.data_connections,
        shift: PerEnd::of(|role| session.half[role].shift()),
        control_bytes: PerEnd::of(|role| control_bytes(session, role)),
    }
}

/// The counter's name; the session holds its number plus 1.
fn refusal(number: u16) -> Option<&'static str> {
    let index = usize::from(number.checked_sub(1)?);
    Counter::ALL.get(index).map(|counter| counter.name())
}

/// What the end `role` said so far: the SYN takes one number, a FIN none that
/// `in_nxt` has passed while it is held back.
fn control_bytes(session: &Session, role: usize) -> u32 {
    let first = Seq(session.isn[role]).plus(1);
    // Without a handshake (mid-stream) there is no beginning to count from.
    if session.isn[role] == 0 || session.real[role] == Addr::UNSPECIFIED {
        return 0;
    }
    session.half[role].in_nxt.since(first).cast_unsigned()
}

#[cfg(test)]
pub(crate) mod tests {
    use ftp_nat_common::{
        layout::DOMAIN_OF_VRF,
        session::{SESSION_GREETED, SESSION_NOT_FTP},
        stream::Half,
        translation::SECOND,
    };

    use super::*;

    /// A session behind masquerading: 10.10.0.1 to 61.144.1.100 as 61.144.1.2.
    pub(crate) fn sample() -> Session {
        let (client, server) = (
            Addr::from_v4([10, 10, 0, 1]),
            Addr::from_v4([61, 144, 1, 100]),
        );
        let mut session = Session {
            id: 7,
            flags: SESSION_TRUSTED | SESSION_GREETED | SESSION_FIN,
            made_ns: 10 * SECOND,
            last_ns: 12 * SECOND,
            real: [client, server],
            seen: [Addr::from_v4([61, 144, 1, 2]), server],
            real_port: [Port::new(40_000), Port::new(21)],
            seen_port: [Port::new(50_000), Port::new(21)],
            ifindex: [2, 3],
            announcements: 3,
            refusals: 1,
            last_refusal: Counter::RefusedPort as u16 + 1,
            data_connections: 2,
            last_kind: Kind::Port as u8,
            isn: [u32::MAX - 9, 5],
            ..Session::default()
        };
        session.half[CLIENT] = Half::starting_at(Seq(91));
        session.half[CLIENT].out_nxt = Seq(89);
        session.half[SERVER] = Half::starting_at(Seq(506));
        session
    }

    pub(crate) fn context() -> Context {
        let interfaces = [(2, "lan0".into())].into();
        Context {
            now_ns: 13 * SECOND,
            interfaces,
        }
    }

    #[test]
    fn a_session_is_told_as_it_is() {
        let maps = Maps::in_memory(&[]);
        maps.sessions.set(&7, &sample()).unwrap();
        let found = collect(&maps, &context()).unwrap().sessions;
        let [session] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(session.id.to_string(), "0000000000000007");
        assert_eq!(session.client.to_string(), "10.10.0.1:40000");
        assert_eq!(session.client_seen.to_string(), "61.144.1.2:50000");
        assert_eq!(
            (session.mode, session.announcement),
            (Some("active"), Some("PORT"))
        );
        assert_eq!(session.state, "closing");
        assert_eq!(
            serde_json::to_value(session.flags).unwrap(),
            serde_json::json!(["trusted", "greeted", "fin_client"])
        );
        assert_eq!((session.age_ms, session.idle_ms), (3000, 1000));
        assert_eq!(session.last_refusal, Some("refused_port"));
        assert_eq!(
            session.shift,
            PerEnd {
                client: -2,
                server: 0
            }
        );
        // The client's numbers wrapped: from 2^32 - 9 to 91.
        assert_eq!(
            session.control_bytes,
            PerEnd {
                client: 100,
                server: 500
            }
        );
        assert_eq!(
            (&session.client_domain, &session.server_domain),
            (&None, &None)
        );
        assert_eq!(session.client_interface.as_deref(), Some("lan0"));
        assert_eq!(
            session.server_interface.as_deref(),
            Some("#3"),
            "it has gone"
        );
    }

    #[test]
    fn how_data_connections_are_made_is_said_in_every_session() {
        let of = |flags, last_kind, refusals, data_connections| {
            let maps = Maps::in_memory(&[]);
            let session = Session {
                flags: SESSION_TRUSTED | flags,
                last_kind: last_kind as u8,
                refusals,
                data_connections,
                ..sample()
            };
            maps.sessions.set(&7, &session).unwrap();
            let found = collect(&maps, &context()).unwrap().sessions;
            found[0].data_mode
        };
        assert_eq!(of(0, Kind::None, 0, 0), DataMode::NoneYet);
        assert_eq!(of(0, Kind::None, 1, 0), DataMode::Refused);
        assert_eq!(of(0, Kind::None, 1, 1), DataMode::Active, "default port");
        assert_eq!(of(0, Kind::Eprt, 1, 0), DataMode::Active);
        assert_eq!(of(0, Kind::Epsv, 0, 0), DataMode::Passive);
        assert_eq!(of(SESSION_ENCRYPTED, Kind::None, 0, 0), DataMode::Tls);
        assert_eq!(
            of(SESSION_ENCRYPTED, Kind::Port, 0, 0),
            DataMode::Tls,
            "what was announced before tells nothing of what is now"
        );
        assert_eq!(of(SESSION_NOT_FTP, Kind::None, 2, 0), DataMode::NotFtp);
    }

    #[test]
    fn networks_that_overlap_are_told_apart() {
        let maps = Maps::in_memory(&[]);
        let session = Session {
            // A VRF is named by its device, others by the number they were given.
            domain: [7, DOMAIN_OF_VRF | 2],
            ..sample()
        };
        maps.sessions.set(&7, &session).unwrap();
        let found = collect(&maps, &context()).unwrap().sessions;
        let domains = found
            .iter()
            .map(|s| (s.client_domain.as_deref(), s.server_domain.as_deref()));
        assert_eq!(domains.collect::<Vec<_>>(), [(Some("7"), Some("lan0"))]);
    }

    #[test]
    fn an_expired_session_is_not_shown() {
        let maps = Maps::in_memory(&[]);
        maps.sessions.set(&7, &sample()).unwrap();
        let later = Context {
            now_ns: 100_000 * SECOND,
            ..context()
        };
        assert!(collect(&maps, &later).unwrap().sessions.is_empty());
    }
}
