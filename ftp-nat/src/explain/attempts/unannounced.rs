//! Transfers that nobody announces anything for: on the default data port (RFC
//! 959 section 3.2), and those of an encrypted session to declared ports.

use std::net::SocketAddr;

use jiff::Timestamp;

use super::{Attempt, Told};
use crate::{
    events::{
        Happening,
        words::{By, Form, Mode, Request},
    },
    history::Record,
};

/// What is known of the session when a transfer is asked for.
pub(super) struct Unannounced {
    /// Where the server would connect to: the client's end of the control
    /// connection, as the server knows it, and as it is. None where a port may have
    /// been agreed on unseen.
    default: Option<[SocketAddr; 2]>,
    encrypted: bool,
    /// Requests for passive mode that wait for their replies.
    passive: u32,
}

impl Unannounced {
    /// Before anything was said.
    pub(super) fn before(record: &Record) -> Self {
        let midway = record
            .entries
            .iter()
            .any(|entry| matches!(entry.what, Happening::SessionLearned { midway: true, .. }));
        let ends = record
            .ends
            .as_ref()
            .filter(|_| record.beginning_seen && !midway);
        Self {
            default: ends.map(|ends| [ends.client_seen, ends.client]),
            encrypted: false,
            passive: 0,
        }
    }

    /// Adds an attempt, if what happened begins one.
    pub(super) fn take(&mut self, all: &mut Vec<Attempt>, at: Timestamp, what: &Happening) {
        match what {
            Happening::ModeChanged { mode } => match mode {
                Mode::Tls => self.encrypted = true,
                Mode::Plain => self.encrypted = false,
                // No transfer can be without an announcement from then on.
                Mode::EpsvAll | Mode::NotFtp => self.default = None,
            },
            Happening::Announced { .. } | Happening::NotAnnounced { .. } => {
                self.default = None;
            }
            Happening::Requested { request } => match request {
                Request::Passive => self.passive += 1,
                Request::Transfer if !self.encrypted && self.passive == 0 => {
                    if let Some([expected, client]) = self.default {
                        all.push(begun(at, By::Client, Form::Default, client, expected));
                    }
                }
                _ => {}
            },
            Happening::Replied {
                request: Request::Passive,
                ..
            } => self.passive = self.passive.saturating_sub(1),
            Happening::DataOpened {
                announced_by,
                form: Some(form @ (Form::Default | Form::Encrypted)),
                to,
                to_real,
                ..
            } => came(all, at, *announced_by, *form, *to_real, *to),
            // Where that leads to isn't told of it.
            Happening::DataRefused {
                announced_by,
                form: Some(form @ (Form::Default | Form::Encrypted)),
                to,
                ..
            } => came(all, at, *announced_by, *form, *to, *to),
            _ => {}
        }
    }
}

/// A data connection came that nobody announced, once or again.
fn came(
    all: &mut Vec<Attempt>,
    at: Timestamp,
    by: By,
    form: Form,
    near: SocketAddr,
    to: SocketAddr,
) {
    let is_this = |a: &Attempt| a.form == Some(form) && a.expects(to) && a.is_waiting();
    if !all.iter().any(is_this) {
        let mut attempt = begun(at, by, form, near, to);
        // Within TLS its reply can't be read.
        attempt.asked = form == Form::Default;
        all.push(attempt);
    }
}

fn begun(at: Timestamp, by: By, form: Form, near: SocketAddr, expected: SocketAddr) -> Attempt {
    Attempt {
        followed: Ok(Told {
            told: expected,
            expected,
        }),
        ..Attempt::new(at, by, Some(form), Some(near))
    }
}
