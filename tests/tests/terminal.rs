//! The terminal is given back whatever happens to the program on it.

use std::{env, process::Command, thread};

use anyhow::{Context as _, Result, ensure};
use ftp_nat::top::terminal::Screen;
use ftp_nat_tests::lab::pty::Terminal;

/// What is to happen to the program.
const WHAT: &str = "FTP_NAT_TERMINAL_CHILD";
/// What it shows before.
const SHOWN: &str = "something on the screen";

/// The program: this very test binary, on a terminal of its own.
#[test]
fn the_program() {
    let Ok(what) = env::var(WHAT) else {
        return;
    };
    let mut screen = Screen::enter().expect("a terminal");
    let draw = |frame: &mut ratatui::Frame<'_>| frame.render_widget(SHOWN, frame.area());
    screen.draw(draw).expect("it can be drawn");
    let mut key = String::new();
    std::io::stdin().read_line(&mut key).expect("a line");
    match what.as_str() {
        "panic" => panic!("these are its last words"),
        "panic elsewhere" => {
            let other = thread::spawn(|| panic!("these are its last words"));
            assert!(other.join().is_err());
            assert!(screen.draw(draw).is_err(), "it drew over them");
            panic!("and these");
        }
        "end" => {}
        other => panic!("{other}?"),
    }
}

fn program(what: &str) -> Result<Terminal> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["--exact", "the_program", "--nocapture"])
        .env(WHAT, what)
        .env("RUST_BACKTRACE", "0");
    let mut terminal = Terminal::start(command, 80, 24)?;
    terminal.until(&[SHOWN])?;
    ensure!(terminal.screen().alternate_screen(), "on the usual screen");
    ensure!(terminal.is_restored().is_err(), "nothing was changed");
    // In raw mode enter is no end of a line.
    terminal.keys("\n")?;
    Ok(terminal)
}

#[test]
fn after_a_panic_its_words_can_be_read() -> Result<()> {
    for what in ["panic", "panic elsewhere"] {
        let mut terminal = program(what)?;
        let status = terminal.until_ended().context(what)?;
        ensure!(!status.success(), "{what}: {status}");
        let text = terminal.text();
        ensure!(text.contains("these are its last words"), "{text}");
        ensure!(!text.contains(SHOWN), "{text}");
    }
    Ok(())
}

#[test]
fn after_its_end_it_is_as_before() -> Result<()> {
    let mut terminal = program("end")?;
    ensure!(terminal.until_ended()?.success());
    Ok(())
}
