//! Screens as text.

use ftp_nat_common::counter::Counter;
use ratatui::{Terminal, backend::TestBackend, style::Modifier};

use crate::{
    events::SessionId,
    history::Record,
    top::{
        model::{
            Model, Setting,
            keys::{Key, Wish},
            sample::{model, reading, session, setting, tables, told, transfer},
        },
        reading::{NotServed, Reading, Tables, Told},
    },
    view::{sessions::SessionView, translations::Translation},
};

fn terminal(model: &mut Model, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            super::fit(model, frame.area());
            super::draw(frame, model);
        })
        .unwrap();
    terminal
}

/// The screen that a terminal of that size shows.
pub(crate) fn screen(model: &mut Model, width: u16, height: u16) -> String {
    let terminal = terminal(model, width, height);
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn keys(model: &mut Model, letters: &str) {
    for letter in letters.chars() {
        assert_eq!(model.key(Key::Letter(letter)), Wish::None);
    }
}

const COUNTERS: &[(Counter, u64)] = &[
    (Counter::Rewrites, 1_204),
    (Counter::RefusedForeignAddress, 3),
    (Counter::RefusedPort, 12),
    (Counter::ExpectationsExpired, 2),
    (Counter::NotFtp, 41),
];

/// A gateway on which something of everything goes on, `second` seconds after it
/// was looked at first.
fn busy(second: u64) -> Tables {
    let sessions = vec![
        SessionView {
            idle_ms: 300,
            ..session(1)
        },
        SessionView {
            refusals: 1,
            last_refusal: Some("refused_foreign_address"),
            data_connections: 0,
            ..session(2)
        },
        SessionView {
            announcement: Some("229"),
            mode: Some("passive"),
            server: "172.16.31.250:21".to_owned(),
            data_connections: 118,
            age_ms: 7_500_000,
            ..session(3)
        },
        SessionView {
            encrypted: true,
            announcement: None,
            mode: None,
            ..session(4)
        },
        SessionView {
            state: "closed",
            announcement: Some("227"),
            mode: Some("passive"),
            ..session(5)
        },
        SessionView {
            client: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:40006".to_owned(),
            server: "[2001:db8:ffff::21]:2121".to_owned(),
            announcement: Some("EPRT"),
            ..session(6)
        },
    ];
    let slow = 300_000 + 40_000 * second * second;
    let transfers = vec![
        Translation {
            bytes_to_announcer: 5_000_000 + 12_500_000 * second,
            bytes_from_announcer: 90_000 * (second + 1),
            ..transfer(1)
        },
        Translation {
            announced_by: "server",
            announcement: "229",
            announced: "172.16.31.250:61000".to_owned(),
            became: "172.16.31.250:61000".to_owned(),
            peer: "10.10.0.3:51003".to_owned(),
            bytes_to_announcer: slow,
            path: Some("stack"),
            ..transfer(3)
        },
        Translation {
            state: "pending",
            path: None,
            announcement: "EPRT",
            announced: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:50006".to_owned(),
            became: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:50006".to_owned(),
            peer: "2001:db8:ffff::21".to_owned(),
            ..transfer(6)
        },
    ];
    let mut counters = COUNTERS.to_vec();
    counters[2].1 += second / 4;
    tables(sessions, transfers, &counters)
}

/// What `run` says of them: of the last one it knows nothing.
fn told_of_all() -> Told {
    let mut told = told();
    told.asked = (1..=6).map(SessionId).collect();
    let like_the_first = [3, 5].map(|id| Record {
        session: SessionId(id),
        ..told.found.sessions[0].clone()
    });
    told.found.sessions.extend(like_the_first);
    told
}

fn busy_model() -> Model {
    let mut model = model(busy(0));
    for second in 1..=12 {
        model.take(Reading {
            told: Ok(told_of_all()),
            ..reading(second, busy(second))
        });
    }
    model
}

fn many() -> Model {
    let sessions = (1..=1_500).map(|id| SessionView {
        age_ms: id * 3_000,
        ..session(id)
    });
    model(tables(
        sessions.collect(),
        (1..=90).map(transfer).collect(),
        COUNTERS,
    ))
}

macro_rules! snapshot {
    ($name:ident, $model:expr, $width:expr, $height:expr) => {
        #[test]
        fn $name() {
            let mut model = $model;
            let screen = screen(&mut model, $width, $height);
            insta::assert_snapshot!(stringify!($name), screen);
        }
    };
}

fn with(mut model: Model, change: impl FnOnce(&mut Model)) -> Model {
    change(&mut model);
    model
}

snapshot!(sessions_80x24, busy_model(), 80, 24);
snapshot!(all_lists_120x40, busy_model(), 120, 40);
snapshot!(
    transfers_80x24,
    with(busy_model(), |model| keys(model, "2")),
    80,
    24
);
snapshot!(
    transfers_100x30,
    with(busy_model(), |model| keys(model, "2")),
    100,
    30
);
snapshot!(
    refusals_80x24,
    with(busy_model(), |model| keys(model, "3")),
    80,
    24
);
snapshot!(
    nothing_80x24,
    model(tables(Vec::new(), Vec::new(), &[])),
    80,
    24
);
snapshot!(
    nothing_120x40,
    model(tables(Vec::new(), Vec::new(), &[])),
    120,
    40
);
snapshot!(
    before_the_first_reading_80x24,
    Model::new(setting()),
    80,
    24
);
snapshot!(
    filter_80x24,
    with(busy_model(), |model| keys(model, "/10.10 !tls")),
    80,
    24
);
snapshot!(
    filter_120x40,
    with(busy_model(), |model| {
        keys(model, "/port");
        model.key(Key::Enter);
    }),
    120,
    40
);
snapshot!(
    filter_that_lets_nothing_by_80x24,
    with(busy_model(), |model| {
        keys(model, "/nobody");
        model.key(Key::Enter);
    }),
    80,
    24
);
snapshot!(help_80x24, with(busy_model(), |m| keys(m, "?")), 80, 24);
snapshot!(paused_80x24, with(busy_model(), |m| keys(m, "p")), 80, 24);
snapshot!(
    in_ascii_80x24,
    with(busy_model(), |model| {
        model.setting = Setting {
            ascii: true,
            ..setting()
        };
        keys(model, "2");
    }),
    80,
    24
);

/// The ladder of the session in that row.
fn ladder(row: isize) -> Model {
    with(busy_model(), |model| {
        super::fit(model, ratatui::layout::Rect::new(0, 0, 80, 24));
        model.sessions.go(row);
        model.key(Key::Enter);
        model.take(Reading {
            tables: None,
            told: Ok(told()),
            ..reading(13, busy(13))
        });
    })
}

snapshot!(ladder_80x24, ladder(0), 80, 24);
snapshot!(ladder_120x40, ladder(0), 120, 40);
snapshot!(ladder_of_a_refusal_80x24, ladder(1), 80, 24);
snapshot!(
    ladder_of_what_is_not_known_80x24,
    with(ladder(9), |model| {
        let mut told = told();
        told.asked = vec![model.ladder.as_ref().unwrap().session];
        model.take(Reading {
            tables: None,
            told: Ok(told),
            ..reading(13, busy(13))
        });
    }),
    80,
    24
);
snapshot!(
    run_has_ended_80x24,
    with(busy_model(), |model| model.take(Reading {
        told: Err(NotServed::NotRunning),
        ..reading(13, busy(13))
    })),
    80,
    24
);
snapshot!(
    unloaded_80x24,
    with(busy_model(), |model| model.take(Reading {
        tables: Some(Err("nothing is loaded at /sys/fs/bpf/ftp-nat".to_owned())),
        told: Err(NotServed::NotRunning),
        ..reading(13, busy(13))
    })),
    80,
    24
);
snapshot!(
    run_says_no_80x24,
    with(busy_model(), |model| model.take(Reading {
        told: Err(NotServed::Other("it does not answer".to_owned())),
        ..reading(13, busy(13))
    })),
    80,
    24
);
snapshot!(
    draining_80x24,
    with(busy_model(), |model| {
        let mut tables = busy(13);
        tables.stats.draining = true;
        model.take(reading(13, tables));
    }),
    80,
    24
);
snapshot!(
    nearly_full_80x24,
    with(busy_model(), |model| {
        let mut tables = busy(13);
        tables.stats.tables.sessions.entries = 65_536;
        tables.stats.tables.expectations.entries = 60_000;
        tables.stats.tables.flows.entries = 70_001;
        model.take(reading(13, tables));
    }),
    80,
    24
);
snapshot!(
    long_list_80x24,
    with(many(), |model| {
        super::fit(model, ratatui::layout::Rect::new(0, 0, 80, 24));
        model.key(Key::End);
        model.key(Key::PageUp);
        model.key(Key::Up);
    }),
    80,
    24
);
snapshot!(
    long_lists_120x40,
    with(many(), |model| {
        super::fit(model, ratatui::layout::Rect::new(0, 0, 120, 40));
        keys(model, "2");
        model.key(Key::End);
    }),
    120,
    40
);
snapshot!(too_small, busy_model(), 60, 16);
snapshot!(much_too_small, busy_model(), 20, 2);

#[test]
fn every_size_can_be_drawn() {
    let mut models = [busy_model(), many(), ladder(1), Model::new(setting())];
    for model in &mut models {
        for (width, height) in [
            (1, 1),
            (79, 24),
            (80, 23),
            (80, 24),
            (81, 35),
            (80, 36),
            (99, 25),
            (100, 50),
            (500, 200),
        ] {
            let text = screen(model, width, height);
            assert!(!text.trim().is_empty() || width < 5, "{width}x{height}");
        }
    }
}

#[test]
fn a_small_terminal_can_be_left() {
    let mut model = busy_model();
    let text = screen(&mut model, 60, 16);
    assert!(text.contains("80 columns and 24 lines"), "{text}");
    assert_eq!(model.key(Key::Letter('q')), Wish::Quit);
}

#[test]
fn in_ascii_there_is_nothing_else() {
    let mut models = [busy_model(), many(), ladder(1)];
    for model in &mut models {
        model.setting.ascii = true;
        for letters in ["", "2", "3", "/x", "?"] {
            for letter in letters.chars() {
                model.key(Key::Letter(letter));
            }
            let text = screen(model, 120, 40);
            assert!(text.is_ascii(), "{text}");
        }
    }
}

#[test]
fn the_chosen_row_is_reversed_and_no_other() {
    let mut model = busy_model();
    model.key(Key::Down);
    let terminal = terminal(&mut model, 80, 24);
    let buffer = terminal.backend().buffer();
    let reversed = |y| buffer[(40, y)].modifier.contains(Modifier::REVERSED);
    let rows: Vec<u16> = (0..24).filter(|y| reversed(*y)).collect();
    assert_eq!(rows, [7], "header, tabs and headings have six lines");
}

#[test]
fn a_problem_is_painted() {
    let mut model = busy_model();
    let painted = |model: &mut Model| {
        let terminal = terminal(model, 80, 24);
        let buffer = terminal.backend().buffer();
        let red = |cell: &&ratatui::buffer::Cell| cell.fg == ratatui::style::Color::Red;
        let cells = buffer.content().iter().filter(red);
        let text: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned()
    };
    assert_eq!(painted(&mut model), "foreign address");
    model.setting.color = false;
    assert_eq!(painted(&mut model), "");
}
