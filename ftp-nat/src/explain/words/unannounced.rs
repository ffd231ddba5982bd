//! Transfers without an announcement: the default data port, and declared ports.

use crate::{
    events::words::Form,
    explain::{
        attempts::{Attempt, Opened},
        verdict::{Name, Verdict},
    },
};

pub(in crate::explain) fn default_data_port() -> Verdict {
    Verdict::new(
        Name::DefaultDataPort,
        "A transfer was asked for without PORT, EPRT, PASV or EPSV before it: it uses the default data port, and no connection from there came.",
    )
    .advise("Only the server's own port before its control port may connect, once for each transfer, and only while no port was ever agreed on in the session.")
    .advise("Let the client announce a port, or use passive mode.")
}

pub(in crate::explain) fn default_port_waited_for() -> Verdict {
    Verdict::new(
        Name::Waiting,
        "A transfer was asked for without an announcement: the server's connection from its default data port is waited for.",
    )
}

/// What worked, where nothing was announced.
pub(super) fn worked(attempt: &Attempt, opened: &Opened) -> Option<String> {
    let Opened {
        from, announcer, ..
    } = opened;
    match attempt.form? {
        Form::Default => Some(format!(
            "The transfer without an announcement worked: the server's connection came from its default data port \
             ({from}) and was sent on to {announcer}."
        )),
        Form::Encrypted => Some(format!(
            "Passive mode within TLS worked: the client's connection came ({from}), and was sent on to the declared \
             port {announcer} of the server."
        )),
        _ => None,
    }
}
