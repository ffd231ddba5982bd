//! Writes man pages and completions into a folder, from the definition of the
//! command line: `cargo run --package ftp-nat --example manual -- FOLDER`.

use std::{fs, path::PathBuf};

use clap_complete::{Shell, generate_to};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| std::io::Error::other("name a folder to write into"))?;
    fs::create_dir_all(&folder)?;
    let mut command = ftp_nat::cli::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "ftp-nat", &folder)?;
    }
    command.build();
    // One page for the program, and one for each verb: ftp-nat-run(8).
    pages(command, &folder)
}

fn pages(command: clap::Command, folder: &std::path::Path) -> std::io::Result<()> {
    for verb in command.get_subcommands() {
        if verb.get_name() != "help" {
            pages(verb.clone(), folder)?;
        }
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    // clap wants names that live for ever; this process ends soon.
    let name: &str = name.to_owned().leak();
    let page = clap_mangen::Man::new(command.disable_help_subcommand(true).name(name))
        .section("8")
        .manual("System administration");
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(format!("{name}.8")), text)
}
