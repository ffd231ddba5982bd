//! Data connections that were announced: those that came, and those that didn't.

use std::net::{IpAddr, SocketAddr};

use super::{form, unannounced};
use crate::{
    events::words::{By, End},
    explain::{
        Silent, Surroundings,
        attempts::{Attempt, Opened, Told},
        judge::opener,
        verdict::{Name, Verdict},
    },
};

pub(in crate::explain) fn waiting(attempt: &Attempt, told: Told) -> Verdict {
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

pub(in crate::explain) fn not_used(attempt: &Attempt, told: Told) -> Verdict {
    Verdict::new(
        Name::Waiting,
        format!(
            "{} announced {}, and no transfer was asked for with it: there was nothing to connect for.",
            form(attempt),
            told.told
        ),
    )
}

pub(in crate::explain) fn works(attempt: &Attempt, told: Told, opened: &Opened) -> Verdict {
    let changed = match attempt.said {
        Some(said) if said != told.told => format!("{said} became {}, and ", told.told),
        _ => String::new(),
    };
    let going_on = if opened.ended.is_some() {
        ""
    } else {
        " It is open."
    };
    let worked = unannounced::worked(attempt, opened).unwrap_or_else(|| {
        format!(
            "{} worked: {changed}the data connection of {} came.",
            form(attempt),
            opened.from
        )
    });
    Verdict::new(Name::Works, format!("{worked}{going_on}"))
}

pub(in crate::explain) fn no_data_connection(
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

pub(in crate::explain) fn could_not_connect(
    attempt: &Attempt,
    told: Told,
    around: &Surroundings,
) -> Verdict {
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

fn interfaces(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        _ => "any".to_owned(),
    }
}

pub(in crate::explain) fn other_address(
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

pub(in crate::explain) fn not_answered(
    attempt: &Attempt,
    opened: &Opened,
    failed: Option<u16>,
) -> Verdict {
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

pub(in crate::explain) fn without_bytes(
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

pub(in crate::explain) fn stalled(silent: &Silent) -> Verdict {
    let [from, to] = silent.bytes;
    Verdict::new(
        Name::DataStalled,
        format!(
            "The data connection of {} and {} is open, and nothing came by it for {} s; before, {from} bytes were sent by \
             the former and {to} by the latter.",
            silent.announcer, silent.peer, silent.seconds
        ),
    )
    .advise(format!(
        "If listings and small files get through and large ones don't, full packets are lost: a link with a smaller MTU is on \
         the way, and somebody drops the ICMP errors that say so. From the end that sends: ping -M do -s 1472 {} (or the \
         other end's address). Let ICMP by; or give the gateway's interface on that side the smaller MTU, and ftp-nat makes \
         the segments of data connections fit it.",
        silent.peer.ip()
    ))
    .advise("Else one of the ends has nothing to say: look at its disk and its log.")
}

pub(in crate::explain) fn transfer_failed(code: u16) -> Verdict {
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

pub(in crate::explain) fn transfer_refused(code: u16) -> Verdict {
    Verdict::new(
        Name::TransferFailed,
        format!("The server answered {code} to the transfer before any data connection."),
    )
    .advise("It is about the file or the rights of the user, not about the connection.")
}
