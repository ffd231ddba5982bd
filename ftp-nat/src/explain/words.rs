//! What verdicts say, and what they advise.

use std::net::{IpAddr, SocketAddr};

use super::{
    attempts::{Attempt, Opened, Told},
    judge::{Surroundings, opener},
    verdict::{Name, Verdict},
};
use crate::{
    events::{
        Ends,
        words::{By, End, Reason},
    },
    history::Record,
};

fn form(attempt: &Attempt) -> &'static str {
    attempt.form.map_or("an announcement", |form| form.name())
}

/// The announced endpoint, if the line could be read.
fn said(attempt: &Attempt) -> String {
    attempt
        .said
        .map_or_else(|| "an address".to_owned(), |said| said.to_string())
}

fn interfaces(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        _ => "any".to_owned(),
    }
}

pub(super) fn nothing_asked(record: &Record) -> Verdict {
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

pub(super) fn waiting(attempt: &Attempt, told: Told) -> Verdict {
    let opener = opener(attempt).name();
    Verdict::new(
        Name::Waiting,
        format!(
            "The {opener} was told {} by {}, and its connection is waited for.",
            told.told,
            form(attempt)
        ),
    )
}

pub(super) fn not_used(attempt: &Attempt, told: Told) -> Verdict {
    Verdict::new(
        Name::Waiting,
        format!(
            "{} announced {}, and no transfer was asked for with it: there was nothing to connect for.",
            form(attempt),
            told.told
        ),
    )
}

pub(super) fn works(attempt: &Attempt, told: Told, opened: &Opened) -> Verdict {
    let changed = match attempt.said {
        Some(said) if said != told.told => format!("{said} became {}, and ", told.told),
        _ => String::new(),
    };
    let going_on = if opened.ended.is_some() {
        ""
    } else {
        " It is open."
    };
    Verdict::new(
        Name::Works,
        format!(
            "{} worked: {changed}the data connection of {} came.{going_on}",
            form(attempt),
            opened.from
        ),
    )
}

pub(super) fn no_data_connection(
    attempt: &Attempt,
    told: Told,
    when: &str,
    around: &Surroundings,
) -> Verdict {
    let opener = opener(attempt);
    let verdict = Verdict::new(
        Name::NoDataConnection,
        format!(
            "The {} was told {} by {}, and no connection to it arrived here {when}.",
            opener.name(),
            told.told,
            form(attempt)
        ),
    );
    how_to_tell(verdict, opener, told, around)
}

pub(super) fn could_not_connect(attempt: &Attempt, told: Told, around: &Surroundings) -> Verdict {
    let opener = opener(attempt);
    let verdict = Verdict::new(
        Name::ServerCouldNotConnect,
        format!(
            "The server answered 425: there was no data connection. It should have come to {}, and nothing \
             arrived here.",
            told.told
        ),
    );
    how_to_tell(verdict, opener, told, around)
}

/// How to tell a firewall from a second helper.
fn how_to_tell(verdict: Verdict, opener: By, told: Told, around: &Surroundings) -> Verdict {
    let (who, side) = match opener {
        By::Server => ("server", &around.wan),
        By::Client => ("client", &around.lan),
    };
    let port = told.told.port();
    let verdict = verdict
        .advise(format!(
            "Look at what the {who} sends, there: tcpdump -ni any 'tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn'"
        ))
        .advise(format!(
            "If a SYN to {} leaves the {who}, something between drops it. Here: tcpdump -ni {} 'dst port {port}'",
            told.told,
            interfaces(side)
        ))
        .advise(format!(
            "If a SYN to another address or port leaves the {who}, a second FTP helper on the way changed the text \
             again: switch that one off."
        ));
    match opener {
        By::Server => verdict.advise(
            "If nothing leaves the server, its own firewall or settings forbid active mode: let the client use passive mode.",
        ),
        By::Client => verdict.advise(
            "If nothing leaves the client, its own firewall forbids it, or it gave up before.",
        ),
    }
}

pub(super) fn other_address(
    attempt: &Attempt,
    told: Told,
    from: SocketAddr,
    expected: IpAddr,
) -> Verdict {
    let opener = opener(attempt).name();
    if from.ip() == expected {
        return Verdict::new(
            Name::DataFromOtherAddress,
            format!("{from} connected to {} by another side of the gateway than the {opener} is on, and was refused.", told.told),
        )
        .advise("Somebody else uses that address, or the route to it goes by an interface of the other kind: look at the routes.");
    }
    Verdict::new(
        Name::DataFromOtherAddress,
        format!(
            "{from} connected to {}, and only the {opener}, {expected}, may: it was refused.",
            told.told
        ),
    )
    .advise(format!(
        "If {} belongs to the {opener}, have its data connections come from the address of its control connection \
         ({expected}): in its settings, or in the rules of the NAT before it.",
        from.ip()
    ))
    .advise("If it doesn't, somebody tried to take the place of it. The announcement was still waited for.")
    .advise(words_of_fxp(attempt))
}

fn words_of_fxp(attempt: &Attempt) -> &'static str {
    match attempt.by {
        By::Client => {
            "A transfer between two servers (FXP) through this gateway can't be helped: its PORT names a third host."
        }
        By::Server => {
            "Hosts on the server's own inside network may use it too, unless --no-hairpin was given."
        }
    }
}

pub(super) fn server_refused(
    code: u16,
    request: &str,
    told: Option<Told>,
    ends: Option<&Ends>,
) -> Verdict {
    let what = told.map_or_else(String::new, |told| format!(" {}", told.told));
    let verdict = Verdict::new(
        Name::ServerRefused,
        format!(
            "The server answered {code} to {request}{what}: {}.",
            meaning(code)
        ),
    );
    match (code, told, ends) {
        (500 | 501, Some(told), Some(ends)) if told.told.ip() == ends.client_seen.ip() => verdict
            .advise(format!(
                "The text was right as far as this gateway knows: the server should see the client as {}. If it \
                 sees another address, there is another NAT further up: run with --advertise {}=ADDRESS",
                ends.client_seen.ip(),
                ends.client_seen.ip()
            ))
            .advise("Else the server doesn't allow active mode: use passive mode (curl: leave out --ftp-port)."),
        (522, ..) => verdict.advise(
            "Server and client talk over different families of IP: the client should use PORT or PASV for IPv4, EPRT or EPSV for IPv6.",
        ),
        (530, ..) => verdict.advise("The client has to log in first."),
        (425, ..) => verdict.advise(
            "The server found no free port for passive mode: widen its passive port range.",
        ),
        (500 | 501 | 502 | 504, None, _) => {
            verdict.advise("The server doesn't know or allow that form: try the older PASV, or active mode.")
        }
        _ => verdict.advise("Look into the server's log: it was its decision."),
    }
}

const fn meaning(code: u16) -> &'static str {
    match code {
        421 => "it closes the connection",
        425 => "it can't open a data connection",
        500 => "it does not know the command, or not with this address",
        501 => "it does not accept the address",
        502 => "it does not have the command",
        503 => "it expected another command before",
        504 => "it does not have this form of the command",
        522 => "it does not support this family of addresses",
        530 => "the client is not logged in",
        _ => "it refused",
    }
}

pub(super) fn login_refused() -> Verdict {
    Verdict::new(
        Name::LoginRefused,
        "The server answered 530: the client did not get in, or has not logged in.",
    )
    .advise("User name and password are the client's and the server's business: nothing on the gateway changes that.")
}

pub(super) fn not_answered(attempt: &Attempt, opened: &Opened, failed: Option<u16>) -> Verdict {
    let code = failed.map_or_else(String::new, |code| format!(" The server answered {code}."));
    Verdict::new(
        Name::DataNotAnswered,
        format!(
            "The connection of {} came and was sent on to {}, which did not answer.{code}",
            opened.from, opened.announcer
        ),
    )
    .advise(format!(
        "The {}'s own firewall drops it: allow {} there, or have it use a range of ports that is allowed.",
        attempt.by.name(),
        opened.announcer
    ))
    .advise(format!(
        "Or there is no way to it: on this gateway, `ip route get {}` has to name the interface it is behind.",
        opened.announcer.ip()
    ))
}

pub(super) fn without_bytes(
    attempt: &Attempt,
    opened: &Opened,
    how: End,
    failed: Option<u16>,
) -> Verdict {
    let code = failed.map_or_else(String::new, |code| format!(" The server answered {code}."));
    Verdict::new(
        Name::DataWithoutBytes,
        format!(
            "The connection of {} to {} came and ended with nothing in it ({}).{code}",
            opened.from,
            opened.announcer,
            how.said()
        ),
    )
    .advise(format!(
        "It got through the gateway. If it was reset, nothing listened on {} any more, or the {}'s own firewall \
         rejects it; else the two ends don't agree on how to talk (TLS on the data connection, for one).",
        opened.announcer,
        attempt.by.name()
    ))
}

pub(super) fn transfer_failed(code: u16) -> Verdict {
    Verdict::new(
        Name::TransferFailed,
        format!("The data connection came, and the server answered {code} to the transfer."),
    )
    .advise(match code {
        425 | 426 => "The connection was cut while it was in use: by one of the ends, by a firewall with a short memory, or by a packet size that doesn't get through.",
        451 | 452 | 552 => "The server has trouble with its disk.",
        _ => "It is about the file or the rights of the user, not about the connection.",
    })
}

pub(super) fn transfer_refused(code: u16) -> Verdict {
    Verdict::new(
        Name::TransferFailed,
        format!("The server answered {code} to the transfer before any data connection."),
    )
    .advise("It is about the file or the rights of the user, not about the connection.")
}

pub(super) fn foreign_address(attempt: &Attempt) -> Verdict {
    let by = attempt.by.name();
    Verdict::new(
        Name::ForeignAddress,
        format!(
            "{} of the {by} named {}, which is not the {by}'s own address: it was passed on unchanged, and nothing was opened.",
            form(attempt),
            said(attempt)
        ),
    )
    .advise(match attempt.by {
        By::Client => "If the client was told to announce an outside address (\"external IP\" in its settings), switch that off: the gateway does it. Another helper between client and gateway has the same effect.",
        By::Server => "If the server was told to announce an outside address (pasv_address, MasqueradeAddress), switch that off: the gateway does it.",
    })
    .advise("If it named a third host on purpose (FXP, or a bounce attack), it is refused on purpose.")
}

pub(super) fn port_refused(attempt: &Attempt) -> Verdict {
    let why = match attempt.said {
        Some(said) if said.port() < 1024 => {
            "ports below 1024 are never opened (RFC 2577)".to_owned()
        }
        _ => "the port is one of those that are never opened (--deny-ports)".to_owned(),
    };
    Verdict::new(
        Name::PortRefused,
        format!(
            "{} of the {} named {}: {why}.",
            form(attempt),
            attempt.by.name(),
            said(attempt)
        ),
    )
    .advise(format!(
        "Have the {} use ports from 1024 on that aren't denied; `ftp-nat run --deny-ports` changes the list.",
        attempt.by.name()
    ))
}

pub(super) fn encrypted(record: &Record) -> Verdict {
    let server = record.ends.as_ref().map_or_else(
        || "the server".to_owned(),
        |ends| ends.server.ip().to_string(),
    );
    Verdict::new(
        Name::Encrypted,
        "The session went over to TLS: nothing in it can be read, rewritten or expected any more.",
    )
    .advise("Active mode can't work through NAT with TLS: let the client use passive mode.")
    .advise(format!(
        "Passive mode needs no help where the server is not behind NAT. Where {server} is behind this gateway, give it \
         a fixed range of passive ports and its outside address to announce, and name it: ftp-nat run --ftps-passive-range FIRST-LAST"
    ))
    .advise("Or let client and server use CCC after the log-in: from then on the session is read again.")
}

pub(super) fn not_ftp(record: &Record) -> Verdict {
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

pub(super) fn table_full(what: &str, option: &str) -> Verdict {
    Verdict::new(
        Name::TableFull,
        format!("There was no room in the table of {what}: this one was not helped."),
    )
    .advise(format!(
        "`ftp-nat stats` shows how full the tables are; `ftp-nat unload`, then `ftp-nat run {option} NUMBER` makes room."
    ))
}

pub(super) fn source_limit(what: &str, option: &str) -> Verdict {
    Verdict::new(
        Name::SourceLimit,
        format!("The host has as many {what} as one may have: this one was not helped."),
    )
    .advise(format!(
        "`ftp-nat run {option} NUMBER` raises the limit. If one host needs thousands, look at what it is doing first."
    ))
}

pub(super) fn not_followed(attempt: &Attempt, reason: Reason) -> Verdict {
    use ftp_nat_common::counter::Counter;
    let verdict = Verdict::new(
        Name::NotFollowed,
        format!(
            "{} of the {} was passed on unchanged, and nothing was opened: {}.",
            form(attempt),
            attempt.by.name(),
            reason.sentence()
        ),
    );
    match reason.0 {
        Counter::RefusedDraining => verdict.advise("`ftp-nat unload` is at work; `ftp-nat run` helps again."),
        Counter::RefusedNoPort => verdict.advise("All ports that were tried are taken: look for a host that announces without end (`ftp-nat translations`)."),
        Counter::PassedOtherFamily => verdict.advise("The client should use PORT for IPv4 and EPRT with family 2 for IPv6."),
        Counter::PassedLongForm => verdict.advise("LPRT and LPSV (RFC 1639) aren't translated: use EPRT and EPSV."),
        Counter::RefusedUntrusted => verdict.advise("The server has to greet with a 1xx or 2xx reply first, and both ends must still be there."),
        Counter::RefusedUnsolicited => verdict.advise("The server announced what nobody asked for, or the client said EPSV ALL before: that is never followed."),
        _ => verdict.advise("`ftp-nat stats` counts how often that happens."),
    }
}

pub(super) fn default_data_port() -> Verdict {
    Verdict::new(
        Name::DefaultDataPort,
        "A transfer was asked for without PORT, EPRT, PASV or EPSV before it: it uses the default data port, and no connection from there came.",
    )
    .advise("Let the client announce a port, or use passive mode.")
}

pub(super) fn not_watched(client: IpAddr, servers: &[SocketAddr]) -> Verdict {
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
            "No FTP session of {client} was seen, but it has connections by ports that are not watched: {}{more}.",
            named.join(", ")
        ),
    );
    let verdict = match ports.as_slice() {
        [port] => verdict.advise(format!("If that is FTP: ftp-nat ports add {port}")),
        _ => verdict.advise("If one of them is FTP: ftp-nat ports add PORT"),
    };
    verdict.advise("A connection that is open already is followed from its next lines on.")
}

pub(super) fn no_session(client: Option<IpAddr>, around: &Surroundings) -> Verdict {
    let of = client.map_or_else(String::new, |client| format!(" of {client}"));
    let ports: Vec<_> = around.ports.iter().map(u16::to_string).collect();
    let list = |names: &[String]| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(",")
        }
    };
    Verdict::new(
        Name::NoSession,
        format!(
            "No FTP session{of} was seen. Watched: port {} on outside interfaces {} and inside interfaces {}.",
            ports.join(","),
            list(&around.wan),
            list(&around.lan)
        ),
    )
    .advise("If the client uses another port: ftp-nat ports add PORT. What counts is the port that the client dials.")
    .advise("If its packets don't pass these interfaces, name the right ones to `ftp-nat run`. Bridged and tunnelled traffic may pass by.")
    .advise("A session that began before `ftp-nat run` is seen when either end next says something.")
}
