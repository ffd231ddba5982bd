//! Which announcements may open a pinhole, and why others may not.

use super::*;
use std::net::IpAddr;

const REAL: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

fn addr(text: &str) -> Addr {
    text.parse::<IpAddr>().map_or(Addr::UNSPECIFIED, Addr::from)
}

/// A session in which either end may announce.
fn session() -> Session {
    let mut session = Session {
        flags: SESSION_TRUSTED | SESSION_GREETED,
        real: REAL.map(addr),
        seen: REAL.map(addr),
        told: REAL.map(addr),
        ..Session::default()
    };
    session.requests.push(Request::Passive);
    session
}

fn said(kind: Kind, named: &str, port: u16) -> Announcement {
    Announcement {
        kind,
        addr: addr(named),
        port,
        delimiter: b'|',
    }
}

#[test]
fn ports_below_1024_are_never_opened() {
    for role in [CLIENT, SERVER] {
        for (port, answer) in [
            (0, Err(Counter::RefusedPort)),
            (1023, Err(Counter::RefusedPort)),
            (1024, Ok(())),
            (u16::MAX, Ok(())),
        ] {
            let said = said(Kind::Eprt, REAL[role], port);
            assert_eq!(admit(&session(), role, &said), answer, "{role} {port}");
        }
    }
}

#[test]
fn a_session_must_be_trusted_and_greeted() {
    for (flags, admitted) in [
        (SESSION_TRUSTED | SESSION_GREETED, true),
        (SESSION_TRUSTED, false),
        (SESSION_GREETED, false),
        (0, false),
    ] {
        let session = Session { flags, ..session() };
        let expected = if admitted {
            Ok(())
        } else {
            Err(Counter::RefusedUntrusted)
        };
        for role in [CLIENT, SERVER] {
            let said = said(Kind::Eprt, REAL[role], 2000);
            assert_eq!(admit(&session, role, &said), expected, "{role} {flags}");
        }
    }
}

#[test]
fn an_address_of_the_other_family_is_told_from_a_foreign_one() {
    let other = Err(Counter::PassedOtherFamily);
    let v6 = Session {
        real: ["2001:db8::1", "2001:db8::2"].map(addr),
        ..session()
    };
    for role in [CLIENT, SERVER] {
        // 0.0.0.0 and a private address would be a server's own on IPv4.
        for named in ["10.0.0.1", "10.0.0.2", "0.0.0.0"] {
            let said = said(Kind::Pasv, named, 2000);
            assert_eq!(admit(&v6, role, &said), other, "{role} {named}");
        }
        let mut said = said(Kind::Eprt, "2001:db8::1", 2000);
        assert_eq!(admit(&session(), role, &said), other);
        // It names no address.
        said.kind = Kind::Epsv;
        assert_eq!(admit(&session(), role, &said), Ok(()));
    }
}

#[test]
fn a_server_may_name_itself_by_each_of_its_addresses() {
    let foreign = Err(Counter::RefusedForeignAddress);
    let mut session = session();
    session.seen = ["198.51.100.1", "198.51.100.2"].map(addr);
    session.told = ["203.0.113.1", "203.0.113.2"].map(addr);
    for (role, named, answer) in [
        (SERVER, "10.0.0.2", Ok(())),
        (SERVER, "198.51.100.2", Ok(())),
        (SERVER, "203.0.113.2", Ok(())),
        (SERVER, "0.0.0.0", Ok(())),
        (SERVER, "172.17.0.2", Ok(())),
        (SERVER, "198.51.100.1", foreign),
        (SERVER, "203.0.113.1", foreign),
        (SERVER, "192.0.2.1", foreign),
        (CLIENT, "10.0.0.1", Ok(())),
        (CLIENT, "198.51.100.1", foreign),
        (CLIENT, "203.0.113.1", foreign),
        (CLIENT, "0.0.0.0", foreign),
        (CLIENT, "172.17.0.2", foreign),
    ] {
        let said = said(Kind::Pasv, named, 2000);
        assert_eq!(admit(&session, role, &said), answer, "{role} {named}");
    }
    // Where nothing stands before the server no other private one is its own.
    session.seen = session.real;
    let said = said(Kind::Pasv, "172.17.0.2", 2000);
    assert_eq!(admit(&session, SERVER, &said), foreign);
}

#[test]
fn nobody_announces_unasked() {
    let unsolicited = Err(Counter::RefusedUnsolicited);
    let mut session = session();
    session.flags |= SESSION_EPSV_ALL;
    for (kind, role, answer) in [
        (Kind::Port, CLIENT, unsolicited),
        (Kind::Eprt, CLIENT, unsolicited),
        (Kind::Pasv, SERVER, unsolicited),
        (Kind::Epsv, SERVER, Ok(())),
    ] {
        let said = said(kind, REAL[role], 2000);
        assert_eq!(admit(&session, role, &said), answer, "{kind:?}");
    }
    session.flags &= !SESSION_EPSV_ALL;
    session.requests.clear();
    for (kind, role, answer) in [
        (Kind::Port, CLIENT, Ok(())),
        (Kind::Pasv, SERVER, unsolicited),
        (Kind::Epsv, SERVER, unsolicited),
    ] {
        let said = said(kind, REAL[role], 2000);
        assert_eq!(admit(&session, role, &said), answer, "{kind:?}");
    }
}
