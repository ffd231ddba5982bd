//! The commands of xtask that the documents show.

use clap::Parser as _;

use super::files::{pages, spans};
use crate::Cli;

/// The lines of a page's blocks of commands, without what is said of them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```").skip(1).step_by(2);
    let blocks = blocks.filter(|block| block.starts_with("sh"));
    let lines = blocks.flat_map(|block| block.lines().skip(1));
    lines.map(|line| line.split(" #").next().unwrap_or(line).trim())
}

#[test]
fn every_command_of_xtask_is_understood() {
    let mut wrong = Vec::new();
    let mut found = 0;
    for (page, text) in pages() {
        for command in lines(&text).chain(spans(&text)) {
            // Variables may stand before it.
            let Some(at) = command.find("cargo xtask ") else {
                continue;
            };
            // One whose words are put together by the reader.
            if command.contains("NAME") || command.contains('\n') {
                continue;
            }
            let words = command[at..].split(' ').skip(1).filter(|w| !w.is_empty());
            match Cli::try_parse_from(words) {
                Ok(_) => found += 1,
                Err(e) if !e.use_stderr() => found += 1,
                Err(e) => wrong.push(format!("{}: `{command}`: {e}", page.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found > 20, "only {found} commands");
}
