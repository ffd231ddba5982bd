//! The three lists.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    layout::{FRAME, Layout},
    paint::Paints,
    table::{Cell, Column, headings, put, row},
};
use crate::{
    render::numbers::{bytes, duration},
    top::model::{Model, Pane, order::By, rates::Both, reasons::Reason, sessions, transfers},
    view::{sessions::SessionView, translations::Translation},
};

/// How many rows a list of that size shows.
#[must_use]
pub fn rows_in(area: Rect) -> usize {
    area.height.saturating_sub(FRAME).into()
}

/// Draws them.
pub fn draw(frame: &mut Frame<'_>, layout: &Layout, model: &Model, paints: &Paints) {
    let alone = layout.panes.len() == 1;
    for (pane, area) in &layout.panes {
        let title = if alone {
            tabs(model, paints)
        } else {
            title(*pane, model, paints)
        };
        put(title, *area, 0, None, frame.buffer_mut());
        let body = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..*area
        };
        list(frame, body, *pane, model, paints);
    }
    super::detail::draw(frame, layout.detail, model, paints);
}

fn count(pane: Pane, model: &Model) -> (usize, usize) {
    let tables = model.tables.as_ref();
    match pane {
        Pane::Sessions => (
            model.sessions.len(),
            tables.map_or(0, |tables| tables.sessions.len()),
        ),
        Pane::Transfers => (
            model.transfers.len(),
            tables.map_or(0, |tables| tables.transfers.len()),
        ),
        Pane::Reasons => (model.refusals.len(), model.reasons.met().len()),
    }
}

/// A list's name, how many rows it has, and how it is ordered.
fn name_of<'a>(pane: Pane, model: &Model, paints: &Paints) -> Vec<Span<'a>> {
    let at = Pane::ALL.iter().position(|p| *p == pane).unwrap_or(0) + 1;
    let style = if pane == model.pane {
        paints.strong
    } else {
        Style::new()
    };
    let (shown, all) = count(pane, model);
    let count = if shown == all {
        all.to_string()
    } else {
        format!("{shown}/{all}")
    };
    let mark = if pane == model.pane {
        paints.mark()
    } else {
        " "
    };
    vec![Span::styled(
        format!("{mark}{at} {} ({count})", pane.name()),
        style,
    )]
}

fn filter_of<'a>(model: &Model, paints: &Paints) -> Option<Span<'a>> {
    (!model.filter.is_empty()).then(|| {
        Span::styled(
            format!("  filter: {}", model.filter.text()),
            paints.doubtful,
        )
    })
}

/// The names of all lists, where one is seen at a time.
fn tabs<'a>(model: &Model, paints: &Paints) -> Line<'a> {
    let mut spans = Vec::new();
    for pane in Pane::ALL {
        spans.extend(name_of(pane, model, paints));
        spans.push(Span::raw(" "));
    }
    spans.extend(filter_of(model, paints));
    Line::from(spans)
}

fn title<'a>(pane: Pane, model: &Model, paints: &Paints) -> Line<'a> {
    let mut spans = name_of(pane, model, paints);
    if pane == model.pane {
        spans.extend(filter_of(model, paints));
    }
    Line::from(spans)
}

/// A list's headings and rows.
fn list(frame: &mut Frame<'_>, area: Rect, pane: Pane, model: &Model, paints: &Paints) {
    let width = usize::from(area.width);
    let (columns, by, reversed, chosen) = match pane {
        Pane::Sessions => (
            session_columns(width),
            model.sessions.by,
            model.sessions.reversed,
            model.sessions.at() - model.sessions.seen().start,
        ),
        Pane::Transfers => (
            transfer_columns(width),
            model.transfers.by,
            model.transfers.reversed,
            model.transfers.at() - model.transfers.seen().start,
        ),
        Pane::Reasons => (
            reason_columns(width),
            model.refusals.by,
            model.refusals.reversed,
            model.refusals.at() - model.refusals.seen().start,
        ),
    };
    let by = pane.orders()[by];
    put(
        headings(&columns, by, reversed, paints),
        area,
        0,
        None,
        frame.buffer_mut(),
    );
    let rows = rows(pane, model, &columns, paints);
    if rows.is_empty() {
        let text = empty(pane, model);
        let line = Line::from(Span::styled(format!("  {text}"), paints.faint));
        put(line, area, 1, None, frame.buffer_mut());
        return;
    }
    for (n, line) in rows.into_iter().enumerate() {
        let style = (n == chosen && pane == model.pane).then_some(paints.chosen);
        let nth = u16::try_from(n + 1).unwrap_or(u16::MAX);
        put(line, area, nth, style, frame.buffer_mut());
    }
}

fn empty(pane: Pane, model: &Model) -> &'static str {
    let (_, all) = count(pane, model);
    match pane {
        _ if model.tables.is_none() && model.no_tables.is_none() => "reading ...",
        _ if model.tables.is_none() => "nothing is loaded",
        _ if all > 0 => "none that the filter lets by (esc drops it)",
        Pane::Sessions => "no sessions: nobody is connected to a watched port through this gateway",
        Pane::Transfers => "no transfers",
        Pane::Reasons => "nothing was refused",
    }
}

fn rows<'a>(pane: Pane, model: &Model, columns: &[Column], paints: &Paints) -> Vec<Line<'a>> {
    let Some(tables) = &model.tables else {
        return Vec::new();
    };
    match pane {
        Pane::Sessions => {
            let seen = model.sessions.seen_things().iter();
            seen.map(|n| session_row(&tables.sessions[*n], model, columns, paints))
                .collect()
        }
        Pane::Transfers => {
            let seen = model.transfers.seen_things().iter();
            seen.map(|n| transfer_row(&tables.transfers[*n], model, columns, paints))
                .collect()
        }
        Pane::Reasons => {
            let seen = model.refusals.seen_things().iter();
            seen.filter_map(|n| model.reasons.met().get(*n))
                .map(|reason| reason_row(reason, columns, paints))
                .collect()
        }
    }
}

/// Two columns for endpoints, of a width that leaves `rest` for the others.
fn ends(width: usize, rest: usize) -> (usize, usize) {
    // "[2001:db8:1111:2222:3333:4444:5555:6666]:65535" is the longest.
    let both = width.saturating_sub(rest).min(2 * 46);
    (both.div_ceil(2), both / 2)
}

fn session_columns(width: usize) -> Vec<Column> {
    let verdict = if width < 100 { 23 } else { 28 };
    // The columns, and the blanks behind them.
    let mut rest = 1 + 5 + 8 + 7 + verdict + 1 + 2;
    let mut numbers = Vec::new();
    for (room, column) in [
        (88, Column::number("IDLE", 6, Some(By::Idle))),
        (100, Column::number("DATA", 5, Some(By::Data))),
        (106, Column::number("REF", 4, Some(By::Refused))),
    ] {
        if width >= room {
            rest += column.width + 1;
            numbers.push(column);
        }
    }
    let (client, server) = ends(width, rest);
    let mut columns = vec![
        Column::text(" CLIENT", client, Some(By::Client)),
        Column::text("SERVER", server, Some(By::Server)),
        Column::text("MODE", 4, Some(By::Mode)),
        Column::text("STATE", 7, Some(By::State)),
        Column::number("AGE", 6, Some(By::Age)),
    ];
    columns.extend(numbers);
    columns.push(Column::text("VERDICT", verdict, Some(By::Verdict)));
    columns
}

fn session_row<'a>(
    session: &SessionView,
    model: &Model,
    columns: &[Column],
    paints: &Paints,
) -> Line<'a> {
    let id = session.id;
    let base = if session.state == "closed" {
        paints.faint
    } else {
        Style::new()
    };
    let verdict = match model.verdicts.of(id) {
        Some(short) => Cell(short.says.clone(), paints.level(short.level)),
        None if model.verdicts.is_unknown(id) => Cell("not known".to_owned(), paints.faint),
        None if model.not_served.is_some() => Cell("-".to_owned(), paints.faint),
        None => Cell("...".to_owned(), paints.faint),
    };
    let end = |text: &str, width: usize| super::table::shorten(text, width, paints);
    let cells = columns
        .iter()
        .map(|column| match column.heading {
            " CLIENT" => Cell(
                format!(" {}", end(&session.client.to_string(), column.width - 1)),
                base,
            ),
            "SERVER" => Cell(session.server.to_string(), base),
            "MODE" => Cell(sessions::mode(session).to_owned(), base),
            "STATE" => Cell(session.state.to_owned(), base),
            "AGE" => Cell(duration(session.age_ms), base),
            "IDLE" => Cell(duration(session.idle_ms), base),
            "DATA" => Cell(session.data_connections.to_string(), base),
            "REF" => Cell(
                session.refusals.to_string(),
                if session.refusals > 0 {
                    paints.doubtful
                } else {
                    base
                },
            ),
            _ => Cell(verdict.0.clone(), verdict.1),
        })
        .collect();
    row(columns, cells, paints)
}

fn transfer_columns(width: usize) -> Vec<Column> {
    let curve = match width {
        ..100 => 8,
        100..120 => 12,
        _ => 20,
    };
    let mut rest = 1 + 5 + 12 + 12 + 9 + curve + 1;
    let age = width >= 110;
    if age {
        rest += 7 + 9;
    }
    let (client, server) = ends(width, rest);
    let mut columns = vec![
        Column::text(" CLIENT", client, Some(By::Client)),
        Column::text("SERVER", server, Some(By::Server)),
        Column::text("MODE", 4, Some(By::Mode)),
        Column::text("STATE", 11, Some(By::State)),
    ];
    if age {
        columns.push(Column::text("PATH", 8, None));
        columns.push(Column::number("AGE", 6, Some(By::Age)));
    }
    columns.push(Column::number("BYTES", 8, Some(By::Bytes)));
    columns.push(Column::number("RATE", 11, Some(By::Rate)));
    columns.push(Column::text("", curve, None));
    columns
}

fn transfer_row<'a>(
    transfer: &Translation,
    model: &Model,
    columns: &[Column],
    paints: &Paints,
) -> Line<'a> {
    let base = match transfer.state {
        "closing" | "reset" => paints.faint,
        _ => Style::new(),
    };
    let pending = transfers::is_pending(transfer);
    let curve = model.rates.of(&transfers::Key::of(transfer));
    let rate = curve.and_then(|curve| curve.back()).copied();
    let values: Vec<u64> = curve
        .map(|curve| curve.iter().copied().map(Both::sum).collect())
        .unwrap_or_default();
    let end = |text: &str, width: usize| super::table::shorten(text, width, paints);
    let cells = columns
        .iter()
        .map(|column| match column.heading {
            " CLIENT" => {
                let client = transfers::client(transfer).to_string();
                Cell(format!(" {}", end(&client, column.width - 1)), base)
            }
            "SERVER" => Cell(transfers::server(transfer).to_string(), base),
            "MODE" => Cell(transfers::form(transfer).to_owned(), base),
            "STATE" => Cell(
                transfer.state.to_owned(),
                if pending { paints.doubtful } else { base },
            ),
            "PATH" => Cell(transfer.path.unwrap_or("-").to_owned(), base),
            "AGE" => Cell(duration(transfer.age_ms), base),
            "BYTES" if pending => Cell("-".to_owned(), base),
            "BYTES" => Cell(bytes(transfers::bytes(transfer).sum()), base),
            "RATE" => Cell(
                rate.map_or_else(|| "-".to_owned(), |r| rate_text(r, paints)),
                base,
            ),
            _ => Cell(paints.curve(&values, column.width), paints.curve),
        })
        .collect();
    row(columns, cells, paints)
}

/// A rate, and in which direction most of it goes.
fn rate_text(rate: Both, paints: &Paints) -> String {
    match rate.sum() {
        0 => "0 B/s".to_owned(),
        sum => format!("{}/s{}", bytes(sum), paints.direction(rate.up > rate.down)),
    }
}

fn reason_columns(width: usize) -> Vec<Column> {
    vec![
        Column::text(" REASON", 26, Some(By::Name)),
        Column::number("COUNT", 9, Some(By::Count)),
        Column::number("LAST MIN", 8, Some(By::Lately)),
        Column::text("MEANING", width.saturating_sub(27 + 10 + 9 + 1), None),
    ]
}

fn reason_row<'a>(reason: &Reason, columns: &[Column], paints: &Paints) -> Line<'a> {
    let style = if reason.lately > 0 {
        paints.doubtful
    } else {
        Style::new()
    };
    let says = crate::events::words::Reason(reason.counter).sentence();
    let room = columns.last().map_or(0, |column| column.width);
    let says = match says.chars().count() {
        n if n > room => {
            let cut: String = says.chars().take(room.saturating_sub(1)).collect();
            format!("{}{}", cut.trim_end(), paints.ellipsis())
        }
        _ => says.to_owned(),
    };
    let cells = vec![
        Cell(format!(" {}", reason.counter.name()), Style::new()),
        Cell(reason.count.to_string(), Style::new()),
        Cell(reason.lately.to_string(), style),
        Cell::plain(says),
    ];
    row(columns, cells, paints)
}
