use super::*;
use crate::{
    addr::{Addr, Port},
    session::{SESSION_EPSV_ALL, SESSION_FIN_SERVER, SESSION_LOGGED_IN, SESSION_PORT_SET},
};
use std::vec::Vec;

mod admission;
mod notes;

/// Notes what is withdrawn, counted and noted.
#[derive(Default)]
struct World {
    withdrawn: Vec<u16>,
    counted: Vec<Counter>,
    noted: Vec<Note>,
}

impl Environment for World {
    fn expect(&mut self, _: Kind, _: u16, _: usize) -> Option<u16> {
        None
    }

    fn withdraw(&mut self, _: usize, port: Port) {
        self.withdrawn.push(port.get());
    }

    fn count(&mut self, counter: Counter) {
        self.counted.push(counter);
    }

    fn note(&mut self, note: Note) {
        self.noted.push(note);
    }
}

/// A dialogue behind a greeting, with an announcement of port 7 pending.
struct Dialogue {
    session: Session,
    world: World,
}

impl Dialogue {
    fn new() -> Self {
        let mut new = Self {
            session: Session::default(),
            world: World::default(),
        };
        new.server("220 Hi\r\n");
        let Self { session, .. } = &mut new;
        session.pending.add(CLIENT, Port::new(7), &session.requests);
        new
    }

    fn say(&mut self, role: usize, text: &str) -> &mut Self {
        for byte in text.bytes() {
            if self.session.line[role].feed(role, byte).ended {
                line_ended(&mut self.session, role, &mut self.world);
            }
        }
        self.session.pending.sweep(&mut self.world);
        self
    }

    fn client(&mut self, text: &str) -> &mut Self {
        self.say(CLIENT, text)
    }

    fn server(&mut self, text: &str) -> &mut Self {
        self.say(SERVER, text)
    }

    fn has(&self, flag: u32) -> bool {
        self.session.flags & flag != 0
    }

    fn is_withdrawn(&self) -> bool {
        !self.world.withdrawn.is_empty()
    }
}

#[test]
fn epsv_all_holds_once_it_is_accepted_and_until_rein() {
    for (reply, accepted) in [("200 Ok\r\n", true), ("502 No\r\n", false)] {
        let mut d = Dialogue::new();
        d.client("EPSV ALL\r\n");
        assert!(!d.has(SESSION_EPSV_ALL), "it is only asked for");
        d.server(reply);
        assert_eq!(d.has(SESSION_EPSV_ALL), accepted, "{reply}");
        d.client("REIN\r\n").server("421 No\r\n");
        assert_eq!(d.has(SESSION_EPSV_ALL), accepted, "{reply}");
        d.client("REIN\r\n").server("220 Again\r\n");
        assert!(!d.has(SESSION_EPSV_ALL), "{reply}");
    }
}

#[test]
fn only_an_accepted_auth_turns_to_tls() {
    for (reply, tls) in [
        ("234 Go\r\n", true),
        ("235 Go\r\n", true),
        ("334 More\r\n", true),
        ("200 What\r\n", false),
        ("431 Not now\r\n", false),
        ("504 No\r\n", false),
        ("534 No\r\n", false),
    ] {
        let mut d = Dialogue::new();
        d.client("AUTH TLS\r\n").server(reply);
        assert_eq!(d.has(SESSION_ENCRYPTED), tls, "{reply}");
        assert_eq!(d.is_withdrawn(), tls, "{reply}");
    }
    let mut d = Dialogue::new();
    d.client("NOOP\r\n").server("234 Nobody asked\r\n");
    assert!(!d.has(SESSION_ENCRYPTED));
}

#[test]
fn what_withdraws_a_pending_announcement() {
    for (command, reply, withdrawn) in [
        ("NOOP\r\n", "200 Ok\r\n", false),
        ("NOOP\r\n", "500 No\r\n", false),
        ("NOOP\r\n", "421 Good bye\r\n", true),
        ("RETR x\r\n", "550 No\r\n", false),
        ("QUIT\r\n", "", true),
        ("ABOR\r\n", "", true),
        ("REIN\r\n", "", true),
        ("ABORT\r\n", "", false),
        ("GET / HTTP/1.1\r\n", "", true),
    ] {
        let mut d = Dialogue::new();
        d.client(command).server(reply);
        assert_eq!(d.is_withdrawn(), withdrawn, "{command} {reply}");
    }
    // Its own refusal.
    for (reply, withdrawn) in [
        ("200 Ok\r\n", false),
        ("500 No\r\n", true),
        ("425 No\r\n", true),
    ] {
        let mut d = Dialogue::new();
        d.session.pending = Default::default();
        let Session {
            pending, requests, ..
        } = &mut d.session;
        pending.add(CLIENT, Port::new(8), requests);
        d.client("PORT 10,0,0,1,0,8\r\n").server(reply);
        assert_eq!(d.is_withdrawn(), withdrawn, "{reply}");
    }
}

#[test]
fn a_session_is_greeted_and_logged_in_by_replies_alone() {
    let mut d = Dialogue {
        session: Session::default(),
        world: World::default(),
    };
    d.server("421 Too many\r\n");
    assert!(!d.has(SESSION_GREETED));
    d.server("220-Hi\r\n");
    assert!(
        !d.has(SESSION_GREETED),
        "not the first line, and not the last"
    );
    d.server("220 Hi\r\n");
    assert!(d.has(SESSION_GREETED));
    d.client("USER x\r\n").server("331 Password\r\n");
    assert!(!d.has(SESSION_LOGGED_IN));
    d.client("PASS x\r\n").server("230-Welcome\r\n");
    assert!(!d.has(SESSION_LOGGED_IN));
    d.server("230 In\r\n");
    assert!(d.has(SESSION_LOGGED_IN));
}

#[test]
fn an_empty_line_shifts_no_reply() {
    for answered in ["", "500 What?\r\n"] {
        let mut d = Dialogue::new();
        d.client("\r\nAUTH TLS\r\n")
            .server(answered)
            .server("234 Go\r\n");
        assert!(d.has(SESSION_ENCRYPTED));
        let mut d = Dialogue::new();
        d.client("\r\nPASV\r\n")
            .server(answered)
            .server("425 No\r\n");
        assert!(!d.session.requests.expects_passive(), "{answered}");
    }
    // A blank before the verb makes a line of its own kind, which is answered.
    let mut d = Dialogue::new();
    d.client(" PASV\r\nPASV\r\n").server("500 What?\r\n");
    assert!(d.session.requests.expects_passive());
    d.server("425 No\r\n");
    assert!(!d.session.requests.expects_passive());
}

#[test]
fn who_has_said_all_announces_nothing_more() {
    let said = |role: usize| Announcement {
        kind: Kind::Port,
        addr: Addr::from_v4([10, 0, 0, 1 + role as u8]),
        port: 2000,
        delimiter: b'|',
    };
    let fins = [SESSION_FIN, SESSION_FIN_SERVER];
    for (role, flags, admitted) in [
        (CLIENT, 0, true),
        (CLIENT, fins[SERVER], true),
        (CLIENT, fins[CLIENT], false),
        (CLIENT, SESSION_RST, false),
        (SERVER, 0, true),
        (SERVER, fins[CLIENT], true),
        (SERVER, fins[SERVER], false),
    ] {
        let mut session = Session {
            flags: SESSION_TRUSTED | SESSION_GREETED | flags,
            real: [said(CLIENT).addr, said(SERVER).addr],
            ..Session::default()
        };
        session.requests.push(Request::Passive);
        let answer = admit(&session, role, &said(role));
        assert_eq!(answer.is_ok(), admitted, "{role} {flags:#x}");
    }
}

/// A dialogue of which nothing was said so far.
fn unbegun() -> Dialogue {
    Dialogue {
        session: Session::default(),
        world: World::default(),
    }
}

#[test]
fn the_first_line_tells_that_it_may_be_ftp() {
    for (line, greeted) in [
        ("220-Hi\r\n", true),
        ("120-Soon\r\n", true),
        ("120 Soon\r\n", true),
        ("299 Hi\r\n", true),
        ("300-Hi\r\n", false),
        ("300 Hi\r\n", false),
        ("421-Too many\r\n", false),
        ("099 Hi\r\n", false),
    ] {
        let mut d = unbegun();
        d.server(line);
        assert_eq!(d.has(SESSION_GREETED), greeted, "{line}");
        assert!(!d.has(SESSION_NOT_FTP), "{line}");
    }
    // 1xx ends no greeting: 220 follows it, and answers nothing either.
    let mut d = unbegun();
    d.client("EPSV ALL\r\n").server("120 Soon\r\n220 Hi\r\n");
    assert!(!d.has(SESSION_EPSV_ALL));
    d.server("200 Ok\r\n");
    assert!(d.has(SESSION_EPSV_ALL));
}

#[test]
fn only_what_begins_with_no_ftp_is_none() {
    for (role, line) in [
        (CLIENT, "P?\r\n"),
        (CLIENT, "\0\x01\r\n"),
        (SERVER, "HTTP/1.1 400\r\n"),
        (SERVER, "2200 Hi\r\n"),
    ] {
        let mut d = unbegun();
        d.say(role, line);
        assert!(d.has(SESSION_NOT_FTP), "{line:?}");
        assert!(d.world.counted.contains(&Counter::NotFtp));
        let mut d = Dialogue::new();
        d.client("NOOP\r\n").say(role, line);
        assert!(!d.has(SESSION_NOT_FTP), "{line:?} later on");
    }
    let mut d = Dialogue::new();
    d.client("NOOP\r\n").client("Host: example.org\r\n");
    assert!(d.has(SESSION_NOT_FTP), "another protocol's at any time");
    let mut d = unbegun();
    d.client("\x16");
    assert!(d.has(SESSION_NOT_FTP), "TLS, before any line's end");
}

#[test]
fn what_is_not_parsed_is_unread() {
    assert!(!is_unread(0) && !is_unread(!(SESSION_NOT_FTP | SESSION_ENCRYPTED)));
    assert!(is_unread(SESSION_NOT_FTP) && is_unread(SESSION_ENCRYPTED));
}

/// RFC 959 section 3.2: the default data port is used until another one is set.
#[test]
fn a_data_port_is_set_by_what_is_accepted_and_until_rein() {
    for (command, reply, set) in [
        ("PORT 10,0,0,1,9,8\r\n", "200 Ok\r\n", true),
        ("PORT 10,0,0,1,9,8\r\n", "399 Ok\r\n", true),
        ("PORT 10,0,0,1,9,8\r\n", "400 No\r\n", false),
        ("EPRT |1|10.0.0.1|7684|\r\n", "200 Ok\r\n", true),
        ("EPRT |1|10.0.0.1|7684|\r\n", "522 No\r\n", false),
        ("LPRT 4,4,1,2,3,4,2,5,6\r\n", "200 Ok\r\n", true),
        ("PASV\r\n", "227 Ok (10,0,0,5,200,15)\r\n", true),
        ("PASV\r\n", "502 No\r\n", false),
        ("EPSV\r\n", "229 Ok (|||7684|)\r\n", true),
        ("NOOP\r\n", "200 Ok\r\n", false),
    ] {
        let mut d = Dialogue::new();
        d.client(command).server(reply);
        assert_eq!(d.has(SESSION_PORT_SET), set, "{command} {reply}");
        d.client("REIN\r\n").server("502 No\r\n");
        assert_eq!(d.has(SESSION_PORT_SET), set, "{command} {reply}");
        d.client("REIN\r\n").server("220 Again\r\n");
        assert!(!d.has(SESSION_PORT_SET), "{command} {reply}");
    }
    let mut d = Dialogue::new();
    d.client("PASS x\r\n").server("230 In\r\n");
    d.client("REIN\r\n").server("220 Again\r\n");
    assert!(!d.has(SESSION_LOGGED_IN));
}

#[test]
fn replies_without_an_address_are_counted_as_what_they_are() {
    for (command, reply, counted) in [
        (
            "LPSV\r\n",
            "228 Ok (4,4,1,2,3,4,2,5,6)\r\n",
            Some(Counter::PassedLongForm),
        ),
        ("EPSV\r\n", "229 Ok\r\n", Some(Counter::PassedUnparsed)),
        ("PASV\r\n", "227 Ok\r\n", Some(Counter::PassedUnparsed)),
        (
            "LPRT 4,4,1,2,3,4,2,5,6\r\n",
            "200 Ok\r\n",
            Some(Counter::PassedLongForm),
        ),
        ("PORT x\r\n", "501 No\r\n", Some(Counter::PassedUnparsed)),
        ("PORT 10,0,0,1,9,8\r\n", "200 Ok\r\n", None),
        ("EPRT |1|10.0.0.1|7684|\r\n", "200 Ok\r\n", None),
        ("PASV\r\n", "227 (10,0,0,5,200,15)\r\n", None),
        ("EPSV\r\n", "229 (|||7684|)\r\n", None),
        ("NOOP\r\n", "200 Ok\r\n", None),
    ] {
        let mut d = Dialogue::new();
        d.client(command).server(reply);
        let counted: Vec<_> = counted.into_iter().collect();
        assert_eq!(d.world.counted, counted, "{command} {reply}");
    }
}
