//! From what happened to what it means. Nothing is looked up here, so that each
//! verdict can be tested by what leads to it.

use std::net::IpAddr;

use ftp_nat_common::counter::Counter;
use jiff::Timestamp;

use super::{
    Silent, Surroundings,
    attempts::{self, Attempt, Opened, Over, Told},
    verdict::{Level, Name, Verdict},
    words,
};
use crate::{
    events::{
        Happening,
        words::{By, End, Form, Mode, Reason, Request},
    },
    history::{Found, Record},
};

/// How long nobody need come before that is worth a word, in seconds.
const PATIENCE_SECS: i64 = 5;

/// What a session means, what matters most first.
#[must_use]
pub fn session(record: &Record, now: Timestamp, around: &Surroundings) -> Vec<Verdict> {
    let attempts = attempts::of(record);
    let mut verdicts = of_dialogue(record, &attempts, around);
    for attempt in &attempts {
        verdicts.push(of_attempt(attempt, record, now, around));
    }
    if verdicts.is_empty() {
        verdicts.push(match never_logged_in(record) {
            Some(is_greeted) => words::never_logged_in(is_greeted),
            None => words::nothing_asked(record),
        });
    }
    sum_up(verdicts)
}

/// Each verdict once; the worst ones first, of those the latest one.
fn sum_up(verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let mut summed: Vec<Verdict> = Vec::new();
    for mut verdict in verdicts.into_iter().rev() {
        // What is said of each differs in ports; the latest one stands for all.
        match summed.iter_mut().find(|v| v.name == verdict.name) {
            Some(same) => same.times += verdict.times,
            None => {
                verdict.times = 1;
                summed.push(verdict);
            }
        }
    }
    summed.sort_by_key(|verdict| verdict.level);
    // A success is no news while something else doesn't work, but it tells that
    // not all is wrong.
    if summed.iter().any(|v| v.level == Level::Problem) {
        summed.retain(|v| !matches!(v.name, Name::Waiting | Name::NothingAsked));
    }
    summed
}

/// Whether the server greeted in a session that was seen from its beginning to its
/// end, and in which nobody logged in or said goodbye.
fn never_logged_in(record: &Record) -> Option<bool> {
    let mut is_greeted = false;
    for entry in &record.entries {
        match &entry.what {
            Happening::SessionLearned { midway: true, .. }
            | Happening::Requested { .. }
            | Happening::Replied { code: 230, .. } => return None,
            Happening::Replied { .. } => is_greeted = true,
            _ => {}
        }
    }
    let is_whole = record.beginning_seen && record.omitted == 0 && record.ended.is_some();
    is_whole.then_some(is_greeted)
}

/// What is said without an announcement.
fn of_dialogue(record: &Record, attempts: &[Attempt], around: &Surroundings) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let (mut encrypted, mut logged_in) = (false, true);
    for entry in &record.entries {
        match &entry.what {
            Happening::ModeChanged { mode: Mode::NotFtp } => {
                verdicts.push(words::not_ftp(record));
            }
            Happening::ModeChanged { mode: Mode::Tls } => encrypted = true,
            Happening::ModeChanged { mode: Mode::Plain } => encrypted = false,
            // To PORT or PASV it is told of below.
            Happening::Replied {
                code: 530,
                request: Request::None | Request::Other,
            } => logged_in = false,
            Happening::Replied { code: 230, .. } => logged_in = true,
            Happening::Replied {
                code,
                request: Request::Passive | Request::EpsvAll,
            } if *code >= 400 => verdicts.push(words::server_refused(
                *code,
                "PASV or EPSV",
                None,
                record.ends.as_ref(),
            )),
            _ => {}
        }
    }
    // Where declared ports are in use, what comes there tells more.
    if encrypted && !attempts.iter().any(Attempt::is_encrypted) {
        verdicts.push(words::encrypted(record, around));
    }
    if !logged_in {
        verdicts.push(words::login_refused());
    }
    verdicts
}

fn of_attempt(
    attempt: &Attempt,
    record: &Record,
    now: Timestamp,
    around: &Surroundings,
) -> Verdict {
    match attempt.followed {
        Err(reason) => not_followed(attempt, reason),
        Ok(told) => match &attempt.opened {
            Some(opened) if is_given_up(attempt, opened, record) => {
                words::not_answered(attempt, opened, None)
            }
            Some(opened) => came(attempt, told, opened, around),
            None => did_not_come(attempt, told, record, now, around),
        },
    }
}

fn not_followed(attempt: &Attempt, reason: Reason) -> Verdict {
    let verdict = match reason.0 {
        Counter::RefusedForeignAddress => words::foreign_address(attempt),
        Counter::RefusedPort => words::port_refused(attempt),
        Counter::RefusedTableFull => words::table_full("announcements", "--max-expectations"),
        Counter::RefusedSourceCap => {
            words::source_limit("announcements", "--max-pending-per-source")
        }
        _ => words::not_followed(attempt, reason),
    };
    match attempt.answer {
        Some(code) if code >= 400 => verdict.advise(format!(
            "The server then answered {code} to it, because the address it got is none it can use."
        )),
        _ => verdict,
    }
}

fn did_not_come(
    attempt: &Attempt,
    told: Told,
    record: &Record,
    now: Timestamp,
    around: &Surroundings,
) -> Verdict {
    if let Some((from, expected, reason)) = attempt.refused.last() {
        return match reason.0 {
            Counter::FlowsTableFull => words::table_full("data connections", "--max-transfers"),
            Counter::FlowsSourceCap => words::source_limit(
                "data connections of encrypted sessions",
                "--max-pending-per-source",
            ),
            _ => words::other_address(attempt, told, *from, *expected),
        };
    }
    if let Some(code) = attempt.answer.filter(|code| *code >= 400) {
        return words::server_refused(code, form(attempt), Some(told), record.ends.as_ref());
    }
    if attempt.form == Some(Form::Default) {
        return default_port(attempt, record, now);
    }
    if attempt.outcome() == Some(425) {
        return words::could_not_connect(attempt, told, around);
    }
    let waited = now.duration_since(attempt.at).as_secs();
    match attempt.over {
        Some(Over::Expired(seconds)) if attempt.asked => {
            words::no_data_connection(attempt, told, &format!("within {seconds} s"), around)
        }
        // A 4xx or 5xx other than 425 is about the file, and there is no
        // connection for it to come.
        _ if attempt.outcome().is_some_and(|code| code >= 400) => {
            words::transfer_refused(attempt.outcome().unwrap_or_default())
        }
        _ if is_unanswered(attempt) && record.ended.is_none() && waited >= PATIENCE_SECS => {
            words::unanswered(form(attempt), waited)
        }
        _ if !attempt.asked => words::not_used(attempt, told),
        Some(_) => words::no_data_connection(attempt, told, "before the session went on", around),
        None if record.ended.is_some() => {
            words::no_data_connection(attempt, told, "before the session ended", around)
        }
        None if waited >= PATIENCE_SECS => {
            words::no_data_connection(attempt, told, &format!("in the {waited} s since"), around)
        }
        None => words::waiting(attempt, told),
    }
}

/// A transfer on the default data port that no connection came for.
fn default_port(attempt: &Attempt, record: &Record, now: Timestamp) -> Verdict {
    let waited = now.duration_since(attempt.at).as_secs();
    match attempt.outcome() {
        Some(code) if code >= 400 && code != 425 => words::transfer_refused(code),
        None if record.ended.is_none() && waited < PATIENCE_SECS => {
            words::default_port_waited_for()
        }
        _ => words::default_data_port(),
    }
}

/// Whether the session ended while the client's data connection was still waiting to
/// be taken: it asks for nothing before that.
fn is_given_up(attempt: &Attempt, opened: &Opened, record: &Record) -> bool {
    attempt.by == By::Server && !attempt.asked && opened.ended.is_none() && record.ended.is_some()
}

fn came(attempt: &Attempt, told: Told, opened: &Opened, around: &Surroundings) -> Verdict {
    let is_this = |s: &&Silent| s.announcer == opened.announcer && s.peer == opened.from;
    if opened.ended.is_none()
        && attempt.outcome().is_none()
        && let Some(silent) = around.silent.iter().find(is_this)
    {
        return match silent.bytes {
            [0, _] => words::not_answered(attempt, opened, None),
            _ => words::stalled(silent),
        };
    }
    let failed = attempt.outcome().filter(|code| *code >= 400);
    let is_v4 = opened.announcer.is_ipv4();
    match &opened.ended {
        Some(ended) if ended.is_unanswered() && ended.how != End::Rst => {
            words::not_answered(attempt, opened, failed)
        }
        Some(ended) if ended.is_empty(is_v4) && (ended.how == End::Rst || failed.is_some()) => {
            words::without_bytes(attempt, opened, ended.how, failed)
        }
        None if failed == Some(425) => words::not_answered(attempt, opened, failed),
        _ => match failed {
            Some(code) => words::transfer_failed(code),
            None => words::works(attempt, told, opened),
        },
    }
}

/// Whether the server has yet to reply to it.
fn is_unanswered(attempt: &Attempt) -> bool {
    let is_said = matches!(attempt.form, Some(Form::Port | Form::Eprt));
    is_said && !attempt.asked && attempt.answer.is_none() && attempt.over.is_none()
}

/// The word for what was announced.
fn form(attempt: &Attempt) -> &'static str {
    attempt.form.map_or("PORT or EPRT", |form| form.name())
}

/// What is to be said where no session tells it.
#[must_use]
pub fn outside(found: &Found, client: Option<IpAddr>, around: &Surroundings) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for stray in &found.strays {
        if let Happening::SessionNotFollowed { reason, .. } = &stray.what {
            verdicts.push(match reason.0 {
                Counter::SessionsSourceCap => {
                    words::source_limit("control connections", "--max-sessions-per-source")
                }
                _ => words::table_full("control connections", "--max-sessions"),
            });
        }
    }
    if let Some(dial) = &around.dial {
        verdicts.push(words::dialled(dial, around));
    }
    if found.sessions.is_empty() && verdicts.is_empty() {
        verdicts.push(match (client, around.elsewhere.as_slice()) {
            (client, [_, ..]) => words::not_watched(client, &around.elsewhere),
            _ => words::no_session(client, around),
        });
    }
    sum_up(verdicts)
}

/// By whom the data connection is opened.
pub(super) const fn opener(attempt: &Attempt) -> By {
    attempt.by.other()
}
