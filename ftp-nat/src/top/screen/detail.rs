//! The chosen row in full: what its columns have no room for.

use std::fmt::Display;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{paint::Paints, table::put};
use crate::{
    events::words::Reason,
    render::ladder::pieces,
    top::model::{Model, Pane},
    view::{sessions::SessionView, translations::Translation},
};

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, paints: &Paints) {
    let lines = lines(model, usize::from(area.width).saturating_sub(1));
    for (n, line) in lines.into_iter().enumerate() {
        let line = Line::from(Span::styled(format!(" {line}"), paints.faint));
        let nth = u16::try_from(n).unwrap_or(u16::MAX);
        put(line, area, nth, None, frame.buffer_mut());
    }
}

fn lines(model: &Model, width: usize) -> Vec<String> {
    let tables = model.tables.as_ref();
    let index = match model.pane {
        Pane::Sessions => model.sessions.index(),
        Pane::Transfers => model.transfers.index(),
        Pane::Reasons => model.refusals.index(),
    };
    let Some((tables, index)) = tables.zip(index) else {
        return Vec::new();
    };
    match model.pane {
        Pane::Sessions => tables.sessions.get(index).map_or_else(Vec::new, session),
        Pane::Transfers => tables.transfers.get(index).map_or_else(Vec::new, transfer),
        Pane::Reasons => {
            let reason = model.reasons.met().get(index);
            let says = reason.map(|reason| Reason(reason.counter).sentence().to_owned());
            pieces(says.as_ref(), width)
        }
    }
}

/// An endpoint, and how the other end sees it where that differs.
fn end<T: Display + PartialEq>(real: &T, seen: &T) -> String {
    if real == seen {
        real.to_string()
    } else {
        format!("{real} as {seen}")
    }
}

fn by(interface: Option<&str>, domain: Option<&str>) -> String {
    let place = interface.unwrap_or("the gateway itself");
    domain.map_or_else(
        || format!(", {place}"),
        |domain| format!(", {place}, domain {domain}"),
    )
}

fn session(session: &SessionView) -> Vec<String> {
    let client = by(
        session.client_interface.as_deref(),
        session.client_domain.as_deref(),
    );
    let server = by(
        session.server_interface.as_deref(),
        session.server_domain.as_deref(),
    );
    let refused = session
        .last_refusal
        .map_or_else(String::new, |reason| format!("   last refusal: {reason}"));
    vec![
        format!(
            "client {}{client}   {}",
            end(&session.client, &session.client_seen),
            session.id
        ),
        format!(
            "server {}{server}{refused}",
            end(&session.server, &session.server_seen)
        ),
    ]
}

fn transfer(transfer: &Translation) -> Vec<String> {
    let told = if transfer.announced == transfer.became {
        String::new()
    } else {
        format!(", became {}", transfer.became)
    };
    vec![
        format!(
            "{} of the {}: {}{told}",
            transfer.announcement, transfer.announced_by, transfer.announced
        ),
        format!(
            "from {}   session {}",
            end(&transfer.peer, &transfer.peer_seen),
            transfer.session
        ),
    ]
}
