//! Screens as text.

mod gateways;

use ratatui::{Terminal, backend::TestBackend, style::Modifier};

use self::gateways::{busy, busy_model, many};
use crate::top::{
    model::{
        Model, Setting,
        keys::{Key, Wish},
        sample::{model, reading, setting, tables, told},
    },
    reading::{NotServed, Reading},
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
