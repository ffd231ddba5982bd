//! Announcements that were not followed, or that the server refused.

use super::form;
use crate::{
    events::{
        Ends,
        words::{By, Reason},
    },
    explain::{
        attempts::{Attempt, Told},
        verdict::{Name, Verdict},
    },
};

pub(in crate::explain) fn server_refused(
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
    let is_active = matches!(request, "PORT" | "EPRT" | "PORT or EPRT");
    match (code, told, ends) {
        (502 | 504 | 550 | 553, ..) if is_active => verdict
            .advise("Such an answer to PORT or EPRT means that the server's settings forbid active mode (vsftpd: port_enable=NO): let the client use passive mode (curl: leave out --ftp-port).")
            .advise("If it should allow it, look into the server's log."),
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
        550 | 553 => "it is not allowed",
        _ => "it refused",
    }
}

/// The announced endpoint, if the line could be read.
fn said(attempt: &Attempt) -> String {
    attempt
        .said
        .map_or_else(|| "an address".to_owned(), |said| said.to_string())
}

pub(in crate::explain) fn foreign_address(attempt: &Attempt) -> Verdict {
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

pub(in crate::explain) fn port_refused(attempt: &Attempt) -> Verdict {
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

pub(in crate::explain) fn not_followed(attempt: &Attempt, reason: Reason) -> Verdict {
    use ftp_nat_common::counter::Counter;
    if reason.0 == Counter::Fragments {
        return in_fragments(attempt.by);
    }
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

fn in_fragments(by: By) -> Verdict {
    let by = by.name();
    Verdict::new(
        Name::NotFollowed,
        format!(
            "Text of the {by}'s control connection came in IP fragments, which can't be read: it was passed on \
             unchanged, and if there was an announcement in it, nothing was opened."
        ),
    )
    .advise(format!(
        "Look for a link with a small MTU on the way to the {by}, and a router there that cuts packets which \
         say that they may not be cut (DF)."
    ))
}
