//! Totals, and how full the tables are.

use ftp_nat_common::counter::Counter;
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::paint::Paints;
use crate::{
    render::numbers::{bytes, duration},
    top::{
        model::{Model, rates::Both},
        reading::Tables,
    },
    view::stats::{Fill, Stats},
};

/// Columns of the bars.
const BAR: usize = 10;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, paints: &Paints) {
    let mut lines = vec![title(model, area.width.into(), paints)];
    if let Some(tables) = &model.tables {
        lines.extend(totals(tables, model, area.width.into(), paints));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// What is watched, the time, and how often it is read.
fn title<'a>(model: &Model, width: usize, paints: &Paints) -> Line<'a> {
    let name = " ftp-nat top ";
    let clock = model.now.map_or_else(String::new, |now| {
        let now = now.to_zoned(model.setting.zone.clone());
        now.strftime("%H:%M:%S").to_string()
    });
    let every = if model.paused {
        " PAUSED ".to_owned()
    } else {
        let interval = model.interval().as_millis();
        format!(
            " every {} ",
            duration(u64::try_from(interval).unwrap_or(u64::MAX))
        )
    };
    let room = width.saturating_sub(name.len() + clock.len() + every.len() + 2);
    let watched = model
        .tables
        .as_ref()
        .map_or_else(String::new, |tables| watched(tables, room));
    let watched = super::table::shorten(&watched, room, paints);
    let every_style = if model.paused {
        paints.doubtful
    } else {
        Style::new()
    };
    Line::from(vec![
        Span::styled(name, paints.strong),
        Span::raw(format!(" {watched:<room$} ")),
        Span::raw(clock),
        Span::styled(every, every_style),
    ])
}

/// Ports and interfaces; ports alone where there is no room for more.
fn watched(tables: &Tables, room: usize) -> String {
    let ports: Vec<_> = tables.stats.ports.iter().map(u16::to_string).collect();
    let ports = match ports.as_slice() {
        [] => "no port is watched".to_owned(),
        [port] => format!("port {port}"),
        ports => format!("ports {}", ports.join(",")),
    };
    let side = |name: &str, interfaces: &[String]| match interfaces {
        [] => String::new(),
        interfaces => format!("  {name} {}", interfaces.join(",")),
    };
    let all = format!(
        "{ports}{}{}",
        side("wan", &tables.around.wan),
        side("lan", &tables.around.lan)
    );
    if all.chars().count() <= room {
        all
    } else {
        ports
    }
}

fn count(stats: &Stats, wanted: Counter) -> u64 {
    let found = stats
        .counters
        .iter()
        .find(|(counter, _)| *counter == wanted);
    found.map_or(0, |(_, value)| *value)
}

fn totals<'a>(tables: &Tables, model: &Model, width: usize, paints: &Paints) -> Vec<Line<'a>> {
    let stats = &tables.stats;
    let fills = [
        ("Sessions", stats.tables.sessions),
        (
            "Transfers",
            Fill {
                // Each has two directions.
                entries: stats.tables.flows.entries.div_ceil(2),
                max: stats.tables.flows.max / 2,
            },
        ),
        ("Waiting", stats.tables.expectations),
    ];
    let mut lines: Vec<Line<'a>> = Vec::new();
    for (name, table) in fills {
        lines.push(Line::from(fill(name, table, paints)));
    }
    let left: usize = lines.first().map_or(0, Line::width);
    let room = width.saturating_sub(left + 22).min(40);
    let all: Vec<Both> = model.rates.all().iter().copied().collect();
    let latest = all.last().copied().unwrap_or_default();
    let down: Vec<u64> = all.iter().map(|rate| rate.down).collect();
    let up: Vec<u64> = all.iter().map(|rate| rate.up).collect();
    for (n, (name, rate, values)) in [("Down", latest.down, down), ("Up", latest.up, up)]
        .into_iter()
        .enumerate()
    {
        let rate = format!("{}/s", bytes(rate));
        if let Some(line) = lines.get_mut(n) {
            line.push_span(Span::raw(format!("   {name:<5}{rate:>10} ")));
            line.push_span(Span::styled(paints.curve(&values, room), paints.curve));
        }
    }
    if let Some(line) = lines.get_mut(2) {
        let rewritten = count(stats, Counter::Rewrites);
        let refused = model.reasons.refused();
        let lost = count(stats, Counter::EventsLost);
        line.push_span(Span::raw(format!("   Rewritten {rewritten}")));
        line.push_span(Span::styled(
            format!("  Refused {refused}"),
            if refused > 0 {
                paints.doubtful
            } else {
                Style::new()
            },
        ));
        if lost > 0 {
            line.push_span(Span::styled(
                format!("  Lost events {lost}"),
                paints.doubtful,
            ));
        }
    }
    lines
}

/// How full a table is.
fn fill<'a>(name: &str, fill: Fill, paints: &Paints) -> Vec<Span<'a>> {
    let max = u64::from(fill.max);
    let percent = (fill.entries * 100).checked_div(max).unwrap_or(0);
    let style = match percent {
        95.. => paints.bad,
        80.. => paints.doubtful,
        _ => paints.curve,
    };
    vec![
        Span::raw(format!(" {name:<9} {:>7} of {max:<7} ", fill.entries)),
        Span::styled(paints.bar(fill.entries, max, BAR), style),
        Span::raw(format!(" {percent:>3}%")),
    ]
}
