//! What verdicts say, and what they advise.
//!
//! | module | of |
//! |---|---|
//! | `session` | sessions as a whole, and the lack of one |
//! | `dial` | control connections that didn't come about |
//! | `announcement` | announcements that were not followed, or refused |
//! | `connection` | announced data connections |
//! | `unannounced` | transfers without an announcement |
//! | `room` | full tables and limits |

mod announcement;
mod connection;
mod dial;
mod room;
mod session;
mod unannounced;

pub(super) use self::{
    announcement::{foreign_address, not_followed, port_refused, server_refused},
    connection::{
        could_not_connect, no_data_connection, not_answered, not_used, other_address, stalled,
        transfer_failed, transfer_refused, waiting, without_bytes, works,
    },
    dial::{dialled, unanswered},
    room::{source_limit, table_full},
    session::{
        encrypted, login_refused, never_logged_in, no_session, not_ftp, not_watched, nothing_asked,
    },
    unannounced::{default_data_port, default_port_waited_for},
};
use super::attempts::Attempt;

fn form(attempt: &Attempt) -> &'static str {
    attempt.form.map_or("an announcement", |form| form.name())
}
