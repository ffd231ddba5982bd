//! `docs/cli.md`: what `--help` says of every verb, compared with the document.

use clap::Command;

use super::command;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
/// Writes the document instead of comparing it.
const UPDATE: &str = "FTP_NAT_UPDATE_DOCS";

const HEAD: &str = "\
# The command line

What `--help` says, verb by verb. The man pages are made of the same text. This page is written by a test:
`FTP_NAT_UPDATE_DOCS=1 cargo test -p ftp-nat --lib reference` does it anew when an option has changed.
";

fn section(command: &mut Command, name: &str, text: &mut String) {
    let help = command.render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!(
        "\n## {name}\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    ));
    for verb in command.get_subcommands_mut() {
        if verb.get_name() != "help" {
            let name = format!("{name} {}", verb.get_name());
            section(verb, &name, text);
        }
    }
}

#[test]
fn the_document_says_what_help_says() {
    let mut cli = command().term_width(100);
    cli.build();
    let mut text = HEAD.to_owned();
    section(&mut cli, "ftp-nat", &mut text);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(DOCUMENT, &text).unwrap();
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    let differs = text
        .lines()
        .zip(written.lines())
        .find(|(now, then)| now != then);
    assert!(
        written == text,
        "docs/cli.md is not what --help says (first difference: {differs:?}); write it anew: \
         FTP_NAT_UPDATE_DOCS=1 cargo test -p ftp-nat --lib reference"
    );
}
