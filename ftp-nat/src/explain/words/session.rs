//! Sessions as a whole, and the lack of one.

use std::net::{IpAddr, SocketAddr};

use crate::{
    explain::{
        Surroundings,
        verdict::{Name, Verdict},
    },
    history::Record,
};

pub(in crate::explain) fn nothing_asked(record: &Record) -> Verdict {
    let since = if record.beginning_seen {
        "so far"
    } else {
        "since `ftp-nat run` was started"
    };
    Verdict::new(
        Name::NothingAsked,
        format!(
            "The session is followed, and nothing that needs a data connection was asked for {since}."
        ),
    )
}

pub(in crate::explain) fn login_refused() -> Verdict {
    Verdict::new(
        Name::LoginRefused,
        "The server answered 530: the client did not get in, or has not logged in.",
    )
    .advise("User name and password are the client's and the server's business: nothing on the gateway changes that.")
}

/// It ended, and nobody was logged in.
pub(in crate::explain) fn never_logged_in(is_greeted: bool) -> Verdict {
    if is_greeted {
        return Verdict::new(
            Name::LoginRefused,
            "The session ended before the server said that the client was logged in.",
        )
        .advise("What the server said then is with the client, and in the server's log: a user it does not know, too many of them, or settings of its own (vsftpd says 500 OOPS then).")
        .advise("No data connection was asked for, so nothing on the gateway changes that.");
    }
    Verdict::new(
        Name::LoginRefused,
        "The session ended before the server had greeted.",
    )
    .advise("The server takes the connection and does not serve it: look into its log for a list of addresses that may connect, a limit of sessions, or a client's name that it looks up for too long.")
    .advise("If the server speaks FTP within TLS from the first byte (port 990), it says nothing first: nothing in it can be read.")
}

pub(in crate::explain) fn encrypted(record: &Record, around: &Surroundings) -> Verdict {
    let server = record.ends.as_ref().map_or_else(
        || "the server".to_owned(),
        |ends| ends.server.ip().to_string(),
    );
    let passive = match around.encrypted {
        Some((first, last)) => format!(
            "Passive mode may use the ports {first} to {last} of {server} (--ftps-passive-range), and no connection to one \
             came: have the server use that range, and announce its outside address."
        ),
        None => format!(
            "Passive mode needs no help where the server is not behind NAT. Where {server} is behind this gateway, give it \
             a fixed range of passive ports and its outside address to announce, and name it: ftp-nat run --ftps-passive-range FIRST-LAST"
        ),
    };
    Verdict::new(
        Name::Encrypted,
        "The session went over to TLS: nothing in it can be read, rewritten or expected any more.",
    )
    .advise("Active mode can't work through NAT with TLS: let the client use passive mode.")
    .advise(passive)
    .advise("Or let client and server use CCC after the log-in: from then on the session is read again.")
}

pub(in crate::explain) fn not_ftp(record: &Record) -> Verdict {
    let port = record
        .ends
        .as_ref()
        .map_or(0, |ends| ends.server_seen.port());
    Verdict::new(
        Name::NotFtp,
        "What was said in this connection is not FTP: it is passed on unread, and nothing is opened for it.",
    )
    .advise(format!(
        "If another protocol is spoken on port {port}, there is nothing to do; `ftp-nat ports remove {port}` stops looking at it. \
         FTP with TLS from the first byte (port 990) looks like this, too."
    ))
}

pub(in crate::explain) fn not_watched(client: Option<IpAddr>, servers: &[SocketAddr]) -> Verdict {
    let mut ports: Vec<_> = servers.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports.dedup();
    let named: Vec<_> = servers.iter().take(8).map(ToString::to_string).collect();
    let more = servers.len().saturating_sub(named.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let verdict = Verdict::new(
        Name::PortNotWatched,
        format!(
            "No FTP session{} was seen, but there are connections to ports that are not watched: {}{more}.",
            client.map_or_else(String::new, |client| format!(" of {client}")),
            named.join(", ")
        ),
    );
    let verdict = match ports.as_slice() {
        [port] => verdict.advise(format!("If that is FTP: ftp-nat ports add {port}")),
        _ => verdict.advise("If one of them is FTP: ftp-nat ports add PORT"),
    };
    let verdict = if servers.iter().any(|server| server.port() == 990) {
        verdict.advise("Port 990 is FTP within TLS from the first byte: nothing in it can be read, and watching the port doesn't help. Use AUTH TLS on port 21, or passive mode with a range of ports that the firewall lets by.")
    } else {
        verdict
    };
    verdict.advise("A connection that is open already is followed from its next lines on.")
}

pub(in crate::explain) fn no_session(client: Option<IpAddr>, around: &Surroundings) -> Verdict {
    let of = client.map_or_else(String::new, |client| format!(" of {client}"));
    let ports: Vec<_> = around.ports.iter().map(u16::to_string).collect();
    let list = |names: &[String]| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(",")
        }
    };
    let verdict = Verdict::new(
        Name::NoSession,
        format!(
            "No FTP session{of} was seen. Watched: port {} on outside interfaces {} and inside interfaces {}.",
            ports.join(","),
            list(&around.wan),
            list(&around.lan)
        ),
    );
    let verdict = match (around.wan.as_slice(), around.lan.as_slice()) {
        ([], [one]) | ([one], []) => verdict.advise(format!(
            "Only {one} is named. A session that passes this machine has to be seen on both sides: name the interface \
             towards the clients and the one towards the servers (--lan, --wan)."
        )),
        _ => verdict,
    };
    verdict
    .advise("If the client uses another port: ftp-nat ports add PORT. What counts is the port that the client dials.")
    .advise("No try of this kind to connect to a watched port came in by these interfaces in the last 5 minutes. If the client's packets don't pass them, name the right ones to `ftp-nat run`. Bridged and tunnelled traffic may pass by.")
    .advise("A session that began before `ftp-nat run`, or before its port was watched, is seen when both ends say something within 15 minutes of that. Later it has to log in again.")
}
